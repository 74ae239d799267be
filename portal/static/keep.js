// What somebody wrote and the server does not have yet, kept on this device: through a reload, a closed tab and a lost
// connection. It goes as soon as the server has it. What was left over when a visit closed is shown, and can be removed.
"use strict";

const kept = (() => {
  // The code alone opens nothing; the rest of the address does, so it is not written into the browser's storage.
  const code = location.pathname.split("/")[2] ?? "";
  const memory = new Map(); // what this page wrote, also where storage is forbidden, full or cleared meanwhile

  function name(visit, what) {
    return `bedside ${code} ${visit} ${what}`;
  }

  function stored(action) {
    try {
      return action(localStorage);
    } catch {
      return null; // forbidden, in some private windows; or full
    }
  }

  return {
    // The text, or null.
    get(visit, what) {
      return stored((storage) => storage.getItem(name(visit, what))) ?? memory.get(name(visit, what)) ?? null;
    },

    // Keeps `text` and returns whether it outlives this page.
    set(visit, what, text) {
      memory.set(name(visit, what), text);
      return stored((storage) => {
        storage.setItem(name(visit, what), text);
        return true;
      }) === true;
    },

    drop(visit, what) {
      memory.delete(name(visit, what));
      stored((storage) => storage.removeItem(name(visit, what)));
    },

    // Names of what is kept of visits other than `visit`.
    leftOver(visit) {
      const names = stored((storage) => Object.keys(storage)) ?? [];
      return names.filter((one) => one.startsWith(`bedside ${code} `) && one.split(" ")[2] !== visit);
    },

    read: (one) => stored((storage) => storage.getItem(one)),
    remove: (one) => stored((storage) => storage.removeItem(one)),
  };
})();

// Shows what was not sent before its visit closed.
(() => {
  const place = document.querySelector("#kept");
  if (!place) {
    return;
  }
  const list = place.querySelector("ul");
  const left = kept.leftOver(place.dataset.visit);
  for (const one of left) {
    const said = kept.read(one);
    const item = document.createElement("li");
    try {
      item.textContent = JSON.parse(said).words;
    } catch {
      item.textContent = said;
    }
    if (item.textContent.trim()) {
      list.append(item);
    }
  }
  place.hidden = !list.children.length;
  place.querySelector("button").addEventListener("click", () => {
    left.forEach(kept.remove);
    place.hidden = true;
  });
})();

// The researcher's page draws itself anew every few seconds, except while somebody is typing in it.
"use strict";

setInterval(async () => {
  if (document.visibilityState !== "visible" || document.activeElement?.matches("input, a, summary, select, textarea, button") ||
    document.querySelector("#live details[open]")) {
    return;
  }
  try {
    const answer = await fetch("./");
    if (answer.ok) {
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("#live");
      document.querySelector("#live").replaceWith(fresh);
    }
  } catch {
    // The server is away: the page stays as it is and tries again.
  }
}, 5000);

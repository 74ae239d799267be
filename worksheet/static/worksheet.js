// The worksheet. Each field is saved as it is written, and confirmed once: its token is made of the visit and the
// step, so confirming twice, in two windows or after a lost connection, is confirming once.
"use strict";

const texts = document.querySelector("#texts").dataset;
const visit = document.body.dataset.visit;
const over = document.querySelector("#over");
const remaining = document.querySelector("#remaining");
const PAUSE = 800; // milliseconds without a key before a field is saved
const AGAIN = 3000; // milliseconds before a failed save is tried again

let source = null;

function leave() {
  location.reload(); // the record decides what is shown next
}

async function send(method, address, body) {
  return fetch(address, {
    method,
    headers: { "Content-Type": "application/json", Accept: "application/json" },
    body: JSON.stringify({ visit, ...body }),
  });
}

for (const form of document.querySelectorAll("form.field")) {
  const box = form.querySelector("textarea");
  if (!box) {
    continue;
  }
  const status = form.querySelector(".status");
  const step = form.dataset.step;
  let timer = null;
  let saved = box.value;
  let confirming = false;

  async function save() {
    timer = null;
    const text = box.value;
    if (text === saved || confirming) {
      return;
    }
    status.textContent = texts.saving;
    try {
      const answer = await send("PUT", `drafts/${step}`, { words: text });
      if (answer.ok) {
        saved = text;
        if ((await answer.json()).state === "stopped") {
          leave();
        }
        status.textContent = texts.saved;
      } else if (answer.status === 409) {
        status.textContent = texts.moved;
      } else {
        throw new Error(String(answer.status));
      }
    } catch {
      status.textContent = texts.unsaved;
      timer = setTimeout(save, AGAIN);
    }
  }

  box.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(save, PAUSE);
  });
  box.addEventListener("blur", save);

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const words = box.value.trim();
    if (!words) {
      status.textContent = texts.empty;
      box.focus();
      return;
    }
    if (confirming) {
      return;
    }
    confirming = true;
    clearTimeout(timer);
    status.textContent = texts.saving;
    try {
      const answer = await send("POST", "turns", { step, words, token: form.elements.token.value });
      if (answer.status === 201) {
        const { number, state } = await answer.json();
        if (state === "stopped") {
          leave();
          return;
        }
        confirmed(form, box, words, number, status);
        if (state === "after") {
          finished();
        } else {
          nextField(form);
        }
        if (form.querySelector(".reply")) {
          listen();
        }
        return;
      }
      status.textContent = answer.status === 507 ? texts.full : answer.status === 409 ? texts.moved : texts.unsaved;
    } catch {
      status.textContent = texts.unsaved;
    }
    confirming = false;
  });
}

function confirmed(form, box, words, number, status) {
  const heading = document.createElement("h2");
  heading.textContent = form.querySelector("label").textContent;
  const answer = document.createElement("p");
  answer.className = "answer";
  answer.textContent = words;
  form.querySelector("label").replaceWith(heading);
  box.replaceWith(answer);
  form.querySelector("button").remove();
  form.dataset.number = number;
  status.textContent = texts.confirmed;
  const reply = form.querySelector(".reply");
  if (reply) {
    reply.dataset.replyTo = number;
    reply.textContent = texts.writing;
  }
}

function nextField(form) {
  const boxes = Array.from(document.querySelectorAll("form.field textarea"));
  const following = boxes.find((box) => form.compareDocumentPosition(box) & Node.DOCUMENT_POSITION_FOLLOWING);
  (following ?? boxes[0])?.focus({ preventScroll: false });
}

function finished() {
  over.hidden = false;
  remaining.hidden = true;
  over.querySelector("a").focus();
}

const written = new Map();

function listen() {
  if (source) {
    return;
  }
  source = new EventSource(`reply?visit=${visit}&after=0`);
  source.addEventListener("sentence", (event) => {
    const { reply_to: to, index, text, whole } = JSON.parse(event.data);
    const line = to === null ? null : document.querySelector(`.reply[data-reply-to="${to}"]`);
    if (line) {
      const sentences = whole ? [] : written.get(to) ?? [];
      sentences[index] = text;
      written.set(to, sentences);
      line.textContent = sentences.filter(Boolean).join(" ");
    }
  });
  source.addEventListener("end", (event) => {
    const now = JSON.parse(event.data);
    source.close();
    source = null;
    if (now.state === "stopped") {
      leave();
    } else if (now.pending) {
      setTimeout(listen, 1000);
    } else if (now.state !== "exercise") {
      finished();
    }
  });
}

document.addEventListener("visibilitychange", async () => {
  if (document.visibilityState !== "visible" || source) {
    return;
  }
  try {
    const answer = await fetch("visit", { headers: { Accept: "application/json" } });
    const now = answer.ok ? await answer.json() : null;
    const here = document.querySelectorAll("form.field[data-number]").length;
    const there = now?.turns?.filter((turn) => turn.speaker === "participant").length;
    if (now && (String(now.visit) !== visit || now.state === "stopped" || there > here)) {
      leave();
    }
  } catch {
    // No connection: nothing to catch up with yet.
  }
});
window.addEventListener("pageshow", (event) => {
  if (event.persisted) {
    location.reload();
  }
});

if (document.body.dataset.pending === "yes") {
  listen();
}

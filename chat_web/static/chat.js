// The chat. What is typed is sent with a token of its own and shown as saved only when the server says that it is on
// the disk. Until then it is kept in this tab and sent again, under the same token, so it arrives once.
"use strict";

const turns = document.querySelector("#turns");
const statusLine = document.querySelector("#status");
const form = document.querySelector("#say");
const box = form.querySelector("#words");
const over = document.querySelector("#over");
const visit = document.body.dataset.visit;
const UNSENT = `unsent ${visit} ${location.pathname}`;
const TYPED = `typed ${visit} ${location.pathname}`;

let unsent = JSON.parse(sessionStorage.getItem(UNSENT) ?? "null");
let source = null;
let wait = 500;

function say(text) {
  statusLine.textContent = text;
}

function newToken() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function bubble(speaker) {
  const item = document.createElement("li");
  item.className = speaker;
  const who = document.createElement("span");
  who.className = "who";
  who.textContent = speaker === "participant" ? turns.dataset.you : turns.dataset.therapist;
  const text = document.createElement("span");
  text.className = "text";
  item.append(who, " ", text);
  turns.append(item);
  return item;
}

function setText(item, text) {
  item.querySelector(".text").textContent = text;
  item.scrollIntoView({ block: "nearest" });
}

function lastNumber() {
  return Math.max(0, ...Array.from(turns.children, (item) => Number(item.dataset.number ?? 0)));
}

function replyTo(number) {
  return turns.querySelector(`li.therapist[data-reply-to="${number}"]`);
}

// Answers

const written = new Map(); // the sentences of each answer that is coming in, by the turn it answers

function listen() {
  if (source) {
    return;
  }
  say(statusLine.dataset.writing);
  source = new EventSource(`reply?visit=${visit}&after=${lastNumber()}`);
  source.addEventListener("sentence", (event) => {
    const { reply_to: to, index, text, whole } = JSON.parse(event.data);
    if (to === null) {
      return; // the opening, which the page has
    }
    const item = replyTo(to) ?? bubble("therapist");
    item.dataset.replyTo = to;
    const sentences = whole ? [] : written.get(to) ?? [];
    sentences[index] = text;
    written.set(to, sentences);
    setText(item, sentences.filter(Boolean).join(" "));
  });
  source.addEventListener("turn", (event) => {
    const { number, reply_to: to } = JSON.parse(event.data);
    const item = replyTo(to);
    if (item) {
      item.dataset.number = number;
    }
  });
  source.addEventListener("end", (event) => {
    const now = JSON.parse(event.data);
    source.close();
    source = null;
    wait = 500;
    if (now.state === "stopped") {
      // The last message is on the page already; the page that follows it holds the people to call.
      setTimeout(() => location.reload(), 400);
      return;
    }
    if (now.pending) {
      setTimeout(listen, 1000); // the answer could not be recorded this time
      return;
    }
    say("");
    ended(now.state !== "exercise");
  });
  source.addEventListener("error", () => {
    // The browser reconnects by itself while the address answers; when it gave up, try again ourselves.
    say(statusLine.dataset.offline);
    if (source?.readyState === EventSource.CLOSED) {
      source = null;
      setTimeout(listen, wait);
      wait = Math.min(wait * 2, 8000);
    }
  });
  source.addEventListener("open", () => say(statusLine.dataset.writing));
}

function ended(isOver) {
  form.hidden = isOver;
  over.hidden = !isOver;
  if (isOver) {
    over.querySelector("a").focus();
  } else {
    box.focus();
  }
}

// Messages

function keep(message) {
  unsent = message;
  if (message) {
    sessionStorage.setItem(UNSENT, JSON.stringify(message));
  } else {
    sessionStorage.removeItem(UNSENT);
  }
}

function giveBack(reason) {
  // The server did not take it: the words go back into the box.
  const message = unsent;
  keep(null);
  turns.querySelector("li.unsent")?.remove();
  if (message) {
    box.value = box.value ? `${message.words}\n${box.value}` : message.words;
    sessionStorage.setItem(TYPED, box.value);
  }
  say(reason);
}

async function deliver() {
  if (!unsent) {
    return;
  }
  let item = turns.querySelector("li.unsent");
  if (!item) {
    item = bubble("participant");
    item.classList.add("unsent");
    setText(item, unsent.words);
  }
  let answer;
  try {
    answer = await fetch("turns", {
      method: "POST",
      headers: { "Content-Type": "application/json", Accept: "application/json" },
      body: JSON.stringify({ visit, token: unsent.token, words: unsent.words }),
    });
  } catch {
    later();
    return;
  }
  if (answer.status === 201) {
    const { number } = await answer.json();
    keep(null);
    wait = 500;
    item.classList.remove("unsent");
    if (turns.querySelector(`li[data-number="${number}"]`) && item.dataset.number !== String(number)) {
      item.remove(); // the page was drawn anew after it had arrived
    } else {
      item.dataset.number = number;
    }
    listen();
  } else if (answer.status === 409) {
    giveBack(statusLine.dataset.moved);
    await catchUp();
  } else if (answer.status === 413) {
    giveBack(statusLine.dataset.long);
  } else if (answer.status === 507) {
    giveBack(statusLine.dataset.full);
  } else if (answer.status >= 500) {
    later();
  } else {
    giveBack(statusLine.dataset.moved);
  }
}

function later() {
  say(statusLine.dataset.offline);
  setTimeout(deliver, wait);
  wait = Math.min(wait * 2, 8000);
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  const words = box.value.trim();
  if (!words) {
    say(box.dataset.empty);
    return;
  }
  if (unsent || source) {
    say(statusLine.dataset.pending);
    return;
  }
  keep({ token: newToken(), words });
  box.value = "";
  sessionStorage.removeItem(TYPED);
  say("");
  deliver();
});

box.addEventListener("input", () => sessionStorage.setItem(TYPED, box.value));
box.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing && matchMedia("(pointer: fine)").matches) {
    event.preventDefault();
    form.requestSubmit();
  }
});

// Another window, or "back": the record says where the visit stands.

async function catchUp() {
  try {
    const answer = await fetch("visit", { headers: { Accept: "application/json" } });
    const now = answer.ok ? await answer.json() : null;
    if (now && (String(now.visit) !== visit || now.turns.length > lastNumber() || now.state === "stopped")) {
      location.reload();
    } else if (now?.pending) {
      listen();
    }
  } catch {
    // No connection: nothing to catch up with yet.
  }
}

document.addEventListener("visibilitychange", () => {
  if (document.visibilityState === "visible" && !source && !unsent) {
    catchUp();
  }
});
window.addEventListener("online", deliver);
window.addEventListener("pageshow", (event) => {
  if (event.persisted) {
    location.reload();
  }
});

box.value = sessionStorage.getItem(TYPED) ?? box.value;
if (unsent) {
  deliver();
} else if (document.body.dataset.pending === "yes") {
  listen();
} else if (!form.hidden) {
  box.focus();
}
turns.lastElementChild?.scrollIntoView({ block: "nearest" });

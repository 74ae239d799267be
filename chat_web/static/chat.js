// The chat. What is typed is sent with a token of its own, and marked as saved when the server says that it is on the
// disk. Until then it is kept on this device and sent again under the same token, so it arrives once. The dots are
// there while the server says that it writes, and go when the line to it is dead.
"use strict";

const turns = document.querySelector("#turns");
const typing = document.querySelector("#typing");
const statusLine = document.querySelector("#status");
const form = document.querySelector("#say");
const box = form.querySelector("#words");
const over = document.querySelector("#over");
const { visit } = document.body.dataset;
const { sending, waiting, saved } = turns.dataset;
const { writing, offline, onlyHere, cut, moved, pending, full, long, broken } = statusLine.dataset;

const TRIES = 5; // so often a message is sent that the server fails at; it may fail at these very words
const LATE = 15000; // milliseconds after which a message without an answer is sent again
const SILENT = 25000; // the server sends something every ten seconds while it writes; after this the line is dead
const LATER = 2000; // how soon a page asks again that found the server full of pages that wait
const LOOK = 10000; // how often a page that waits for nothing looks whether another device has gone on

let unsent = standing();
let outlives = unsent !== null; // whether what is not sent yet would be here again after the page is closed
let delivering = false;
let source = null;
let pulse = null;
let retry = null;
let wait = 500;
let failures = 0; // of the server at this message, one after the other
let note = ""; // what happened besides, said together with what is happening

function say(text) {
  if (statusLine.textContent !== text) {
    statusLine.textContent = text;
  }
}

function newToken() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function again(action) {
  clearTimeout(retry);
  retry = setTimeout(action, wait);
  wait = Math.min(wait * 2, 8000);
}

async function ask(address, options = {}) {
  const given = new AbortController();
  const late = setTimeout(() => given.abort(), LATE);
  try {
    return await fetch(address, { ...options, signal: given.signal, headers: { Accept: "application/json", ...options.headers } });
  } finally {
    clearTimeout(late);
  }
}

// Turns on the page

function bubble(speaker, text = "") {
  const item = document.createElement("li");
  item.className = speaker;
  const who = document.createElement("span");
  who.className = "who";
  who.textContent = speaker === "participant" ? turns.dataset.you : turns.dataset.therapist;
  const said = document.createElement("span");
  said.className = "text";
  said.dir = "auto";
  said.textContent = text;
  item.append(who, " ", said);
  turns.append(item);
  item.scrollIntoView({ block: "nearest" });
  return item;
}

function mark(item, state) {
  let line = item.querySelector(".state");
  if (!line) {
    line = document.createElement("span");
    line.className = "state";
    item.append(" ", line);
  }
  line.textContent = state;
}

function numbered(number) {
  return turns.querySelector(`li[data-number="${number}"]`);
}

function lastNumber() {
  return Math.max(0, ...Array.from(turns.children, (item) => Number(item.dataset.number ?? 0)));
}

// Answers

function hear({ reply_to: to, index, text, whole }) {
  if (to === null) {
    return; // the opening, which the page has
  }
  let item = turns.querySelector(`li.therapist[data-reply-to="${to}"]`);
  if (item?.dataset.number) {
    return; // the page has all of it
  }
  item ??= bubble("therapist");
  item.dataset.replyTo = to;
  const line = item.querySelector(".text");
  if (whole) {
    line.textContent = text;
  } else if (line.children[index]?.textContent.trim() !== text) {
    // A sentence of its own, so that a screen reader reads what is new and not all of it once more. After the server
    // was started anew an answer may be another one than the half that was here.
    while (line.childNodes.length > index) {
      line.lastChild.remove();
    }
    const sentence = document.createElement("span");
    sentence.textContent = index ? ` ${text}` : text;
    line.append(sentence);
  }
  item.scrollIntoView({ block: "nearest" });
}

function hangUp() {
  source?.close();
  source = null;
  clearTimeout(pulse);
  place.over();
  typing.hidden = true;
}

function alive() {
  clearTimeout(pulse);
  pulse = setTimeout(lost, SILENT);
}

function lost() {
  hangUp();
  say(cut);
  again(listen);
}

function listen() {
  if (source) {
    return;
  }
  source = new EventSource(`reply?visit=${visit}&after=${lastNumber()}`);
  alive();
  source.addEventListener("open", () => {
    alive();
    typing.hidden = false;
    typing.scrollIntoView({ block: "nearest" });
    say(`${note} ${writing}`.trim());
  });
  source.addEventListener("wait", alive);
  source.addEventListener("place", (event) => {
    alive();
    place.show(JSON.parse(event.data).place, say);
  });
  source.addEventListener("sentence", (event) => {
    alive();
    if (place.over()) {
      say(writing);
    }
    hear(JSON.parse(event.data));
  });
  source.addEventListener("turn", (event) => {
    const { number, reply_to: to } = JSON.parse(event.data);
    const item = turns.querySelector(`li.therapist[data-reply-to="${to}"]`);
    if (item) {
      item.dataset.number = number;
    }
  });
  source.addEventListener("end", (event) => {
    const now = JSON.parse(event.data);
    hangUp();
    wait = 500;
    if (now.state === "stopped") {
      // The last message is on the page already; the page that follows it holds the people to call.
      setTimeout(() => location.reload(), 400);
    } else if (now.pending) {
      again(listen); // the answer could not be recorded this time
    } else {
      say(note);
      note = "";
      ended(now.state !== "exercise");
    }
  });
  source.addEventListener("later", () => {
    hangUp();
    typing.hidden = false;
    clearTimeout(retry);
    retry = setTimeout(listen, LATER);
  });
  source.addEventListener("error", lost);
}

function ended(isOver) {
  form.hidden = isOver;
  over.hidden = !isOver;
  // Whoever is reading something else meanwhile stays there.
  if (document.activeElement === document.body || form.contains(document.activeElement)) {
    (isOver ? over.querySelector("a") : box).focus();
  }
}

// Messages

function standing() {
  // The message on its way, of this window or of another one.
  try {
    return JSON.parse(kept.get(visit, "unsent"));
  } catch {
    return null;
  }
}

function failed(answer) {
  // Not a server that is away, as a proxy says, nor a full disk.
  return answer?.status >= 500 && ![502, 503, 504, 507].includes(answer.status);
}

function keep(message) {
  unsent = message;
  failures = 0;
  if (message) {
    outlives = kept.set(visit, "unsent", JSON.stringify(message));
  } else {
    kept.drop(visit, "unsent");
  }
}

function keepTyped() {
  if (box.value) {
    kept.set(visit, "typed", box.value);
  } else {
    kept.drop(visit, "typed");
  }
}

function giveBack(reason) {
  // The server did not take it: the words go back into the box.
  const message = unsent;
  keep(null);
  turns.querySelector("li.unsent")?.remove();
  box.value = box.value ? `${message.words}\n${box.value}` : message.words;
  keepTyped();
  say(reason);
}

async function deliver() {
  if (!unsent || delivering) {
    return;
  }
  delivering = true;
  const item = turns.querySelector("li.unsent") ?? bubble("participant", unsent.words);
  item.classList.add("unsent");
  mark(item, sending);
  let answer;
  let taken;
  let stopped = false;
  try {
    answer = await ask("turns", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ visit, token: unsent.token, words: unsent.words }),
    });
    const said = [201, 409].includes(answer.status) ? await answer.json() : {};
    stopped = said.state === "stopped"; // also for words that were not taken
    taken = answer.status === 201 ? said : null;
  } catch {
    answer = null;
  }
  delivering = false;
  if (stopped) {
    keep(null);
    location.replace("./"); // the page with the people to call waits for nothing more
  } else if (taken) {
    keep(null);
    wait = 500;
    const next = lastNumber() + 1;
    if (numbered(taken.number)) {
      item.remove(); // the page was drawn anew after it had arrived
    } else {
      item.classList.remove("unsent");
      item.dataset.number = taken.number;
      mark(item, saved);
    }
    if (taken.number > next) {
      await catchUp(); // something was said in between, elsewhere
    }
    listen();
  } else if (failed(answer) && ++failures === TRIES) {
    giveBack(broken);
  } else if (!answer || answer.status === 429 || (answer.status >= 500 && answer.status !== 507)) {
    failures = failed(answer) ? failures : 0;
    mark(item, waiting);
    say(outlives ? offline : onlyHere);
    again(deliver);
  } else if (answer.status === 507) {
    giveBack(full);
  } else if (answer.status === 413) {
    giveBack(long);
  } else {
    giveBack(moved);
    await catchUp();
  }
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  const words = box.value.trim();
  if (unsent || source) {
    say(words ? pending : statusLine.textContent); // nothing more to send: the second click of two
    return;
  }
  if (!words) {
    say(box.dataset.empty);
    return;
  }
  note = "";
  unsent = standing();
  if (unsent) {
    say(pending); // another window has one on its way: that one first
  } else {
    keep({ token: newToken(), words });
    box.value = "";
    keepTyped();
    say("");
  }
  deliver();
});

box.addEventListener("input", keepTyped);
box.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing && matchMedia("(pointer: fine)").matches) {
    event.preventDefault();
    form.requestSubmit();
  }
});

// Another window, another device, or "back": the record says where the visit stands.

async function catchUp() {
  let now;
  try {
    const answer = await ask("visit");
    if (!answer.ok) {
      return;
    }
    now = await answer.json();
  } catch {
    return; // no connection: nothing to catch up with yet
  }
  if (source || unsent) {
    return; // the answer that is coming in tells more
  }
  if (String(now.visit) !== visit || now.state !== "exercise") {
    location.replace("./"); // the page of today says what is due, and shows words that came too late
    return;
  }
  const fresh = now.turns.filter((turn) => !numbered(turn.number));
  for (const turn of fresh) {
    const item = bubble(turn.speaker, turn.text);
    item.dataset.number = turn.number;
    const later = Array.from(turns.children).find((one) => Number(one.dataset.number) > turn.number);
    turns.insertBefore(item, later ?? null);
    if (turn.speaker === "participant") {
      mark(item, saved);
    }
  }
  if (fresh.length) {
    note = moved;
    say(note);
  }
  if (now.pending) {
    listen();
  }
}

function look() {
  if (document.visibilityState === "visible" && !source && !unsent && !form.hidden) {
    catchUp();
  }
}

setInterval(look, LOOK);
document.addEventListener("visibilitychange", look);
window.addEventListener("offline", () => source && lost());
window.addEventListener("online", () => (unsent ? deliver() : look()));
window.addEventListener("pageshow", (event) => {
  if (event.persisted) {
    location.reload();
  }
});
window.addEventListener("beforeunload", (event) => {
  if (unsent && !outlives) {
    event.preventDefault(); // this browser keeps nothing for us: the words would be gone
  }
});

box.value = kept.get(visit, "typed") ?? box.value;
keepTyped(); // what was written before this script was there, too
if (unsent) {
  deliver();
} else if (document.body.dataset.pending === "yes") {
  listen();
} else if (!form.hidden) {
  box.focus();
}
turns.lastElementChild?.scrollIntoView({ block: "nearest" });

// The worksheet. Each field is saved as it is written, and confirmed once: its token is made of the visit and the
// step, so confirming twice, in two windows or after a lost connection, is confirming once. Whoever saves says what
// the field held before; when it holds something else by now, both are shown and the participant chooses.
"use strict";

const texts = document.querySelector("#texts").dataset;
const { visit } = document.body.dataset;
const over = document.querySelector("#over");
const remaining = document.querySelector("#remaining");
const PAUSE = 800; // milliseconds without a key before a field is saved
const LATE = 15000; // milliseconds after which a save without an answer is tried again
const SILENT = 25000; // the server sends something every ten seconds while it writes; after this the line is dead
const LATER = 2000; // how soon a page asks again that found the server full of pages that wait
const LOOK = 10000; // how often a page that waits for nothing looks whether another device has gone on

const fields = new Map(); // by step, those that can still be written
let source = null;
let pulse = null;
let wait = 500;

function leave() {
  location.replace("./"); // the record decides what is shown next; what was not saved in time is shown there
}

async function ask(method, address, body, options = {}) {
  const given = new AbortController();
  const late = setTimeout(() => given.abort(), LATE);
  try {
    const headers = { Accept: "application/json", ...(body && { "Content-Type": "application/json" }) };
    const sent = body && JSON.stringify({ visit, ...body });
    return await fetch(address, { method, headers, body: sent, signal: given.signal, ...options });
  } finally {
    clearTimeout(late);
  }
}

// A field that is not confirmed yet

class Field {
  constructor(form) {
    this.form = form;
    this.step = form.dataset.step;
    this.box = form.querySelector("textarea");
    this.status = form.querySelector(".status");
    this.differs = form.querySelector(".differs");
    this.known = this.box.defaultValue; // what the server holds, as far as this window knows
    this.other = null; // what it holds instead, until the participant has chosen
    this.busy = false;
    this.wait = 500;
    this.timer = null;
    this.box.addEventListener("input", () => this.typed());
    this.box.addEventListener("blur", () => this.save());
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.confirm();
    });
    form.querySelector(".mine").addEventListener("click", () => this.choose(this.box.value));
    form.querySelector(".theirs").addEventListener("click", () => this.choose(this.other));
  }

  say(text) {
    if (this.status.textContent !== text) {
      this.status.textContent = text;
    }
  }

  // What was written here before the page was closed, and did not reach the server.
  restore() {
    let left;
    try {
      left = JSON.parse(kept.get(visit, this.step));
    } catch {
      left = null;
    }
    if (!left || left.words === this.known) {
      kept.drop(visit, this.step);
      if (this.box.value !== this.known) {
        this.typed(); // written before this script was there
      }
      return;
    }
    this.box.value = left.words;
    if (left.base === this.known) {
      this.save();
    } else {
      this.bothStand(this.known);
    }
  }

  typed() {
    this.keep();
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.save(), PAUSE);
  }

  keep() {
    this.outlives = kept.set(visit, this.step, JSON.stringify({ words: this.box.value, base: this.known }));
  }

  async save(options) {
    clearTimeout(this.timer);
    const words = this.box.value;
    if (words === this.known || this.busy || this.other !== null || !fields.has(this.step)) {
      return;
    }
    this.busy = true;
    this.keep();
    this.say(texts.saving);
    let answer;
    let now;
    try {
      answer = await ask("PUT", `drafts/${this.step}`, { words, base: this.known }, options);
      now = answer.ok || answer.status === 409 ? await answer.json() : null;
    } catch {
      answer = null;
    }
    this.busy = false;
    if (answer?.ok) {
      this.known = words;
      this.wait = 500;
      if (now.state === "stopped") {
        this.stopped();
        return;
      }
      if (this.box.value === words) {
        kept.drop(visit, this.step);
        this.say(texts.saved);
      } else {
        this.typed(); // more was written meanwhile
      }
    } else if (answer?.status === 409) {
      this.elsewhere(now);
    } else {
      this.timer = setTimeout(() => this.save(), this.notTaken(answer));
    }
  }

  // The server holds something else by now.
  elsewhere(now) {
    if (now.state === "stopped") {
      this.stopped();
    } else if (now.confirmed) {
      this.stands(now.standing);
    } else if (now.standing !== undefined) {
      this.bothStand(now.standing);
    } else {
      this.say(texts.moved);
      leave();
    }
  }

  // The people to call are what comes next; nothing more of this worksheet is saved.
  stopped() {
    kept.drop(visit, this.step);
    fields.clear();
    leave();
  }

  // It was not taken this time: says so, and returns how long to wait before the next.
  notTaken(answer) {
    this.say(answer?.status === 507 ? texts.full : this.outlives ? texts.unsaved : texts.unsavedHere);
    const wait = this.wait;
    this.wait = Math.min(wait * 2, 8000);
    return wait;
  }

  async settled() {
    while (this.busy) {
      await new Promise((done) => setTimeout(done, 50));
    }
  }

  bothStand(standing) {
    this.other = standing;
    this.keep();
    this.differs.querySelector(".answer").textContent = standing;
    this.differs.hidden = false; // its first sentence is an alert, which a screen reader says
    this.say("");
  }

  choose(words) {
    this.known = this.other;
    this.other = null;
    this.differs.hidden = true;
    this.box.value = words;
    this.box.focus();
    if (words === this.known) {
      kept.drop(visit, this.step);
      this.say(texts.saved);
    } else {
      this.save();
    }
  }

  async confirm() {
    const words = this.box.value.trim();
    if (!words) {
      this.say(texts.empty);
      this.box.focus();
      return;
    }
    if (this.confirming || this.other !== null || !fields.has(this.step)) {
      return;
    }
    this.confirming = true;
    clearTimeout(this.timer);
    await this.settled(); // what is being saved decides what the field holds
    this.keep();
    this.say(texts.saving);
    let answer;
    let now;
    try {
      const sent = { step: this.step, words, base: this.known, token: this.form.elements.token.value };
      answer = await ask("POST", "turns", sent);
      now = await answer.json();
    } catch {
      answer = null;
    }
    this.confirming = false;
    if (answer?.status === 201) {
      if (now.state === "stopped") {
        this.stopped();
        return;
      }
      this.stands(now.words, now.number);
      if (now.state === "after") {
        finished();
      } else {
        nextField(this.form);
      }
    } else if (answer?.status === 409) {
      this.elsewhere(now);
    } else {
      setTimeout(() => this.confirm(), this.notTaken(answer));
    }
  }

  // The answer is confirmed, here or elsewhere; what was written here instead is shown beside it.
  stands(words, number) {
    if (!fields.delete(this.step)) {
      return; // known already: taking the box away makes it save once more
    }
    const mine = this.box.value.trim();
    const label = this.form.querySelector("label");
    const heading = document.createElement("h2");
    heading.textContent = label.textContent;
    const answer = document.createElement("p");
    answer.className = "answer";
    answer.dir = "auto";
    answer.textContent = words;
    label.replaceWith(heading);
    this.box.replaceWith(answer);
    this.differs.remove();
    this.form.querySelector("button[type=submit]").remove();
    this.form.dataset.number = number ?? "";
    clearTimeout(this.timer);
    kept.drop(visit, this.step);
    this.say(mine === words ? texts.confirmed : texts.elsewhere);
    if (mine !== words) {
      const own = this.form.querySelector(".own");
      const line = document.createElement("p");
      line.className = "answer";
      line.dir = "auto";
      line.textContent = mine;
      own.hidden = false;
      own.after(line);
    }
    const reply = this.form.querySelector(".reply");
    if (reply && number) {
      reply.dataset.replyTo = number;
      listen();
    }
  }
}

function nextField(form) {
  const boxes = Array.from(fields.values(), (field) => field.box);
  const following = boxes.find((box) => form.compareDocumentPosition(box) & Node.DOCUMENT_POSITION_FOLLOWING);
  (following ?? boxes[0])?.focus();
}

function finished() {
  over.hidden = false;
  remaining.hidden = true;
  over.querySelector("a").focus();
}

// Replies

const written = new Map(); // the sentences of each reply that is coming in, by the turn it answers

function owed() {
  return Array.from(document.querySelectorAll(".reply[data-reply-to]")).filter((line) => !line.dataset.whole);
}

function hangUp(said) {
  source?.close();
  source = null;
  clearTimeout(pulse);
  place.over();
  for (const line of owed()) {
    line.textContent = said && !written.has(line.dataset.replyTo) ? said : line.textContent;
  }
}

function alive() {
  clearTimeout(pulse);
  pulse = setTimeout(lost, SILENT);
}

function lost() {
  hangUp(texts.cut);
  setTimeout(listen, wait);
  wait = Math.min(wait * 2, 8000);
}

function listen() {
  if (source) {
    return;
  }
  source = new EventSource(`reply?visit=${visit}&after=0`);
  alive();
  source.addEventListener("open", () => {
    alive();
    for (const line of owed().filter((one) => !written.has(one.dataset.replyTo))) {
      line.textContent = texts.writing;
    }
  });
  source.addEventListener("wait", alive);
  source.addEventListener("place", (event) => {
    alive();
    const { reply_to: to, place: before } = JSON.parse(event.data);
    place.show(before, (text) => {
      for (const line of owed().filter((one) => one.dataset.replyTo === String(to))) {
        line.textContent = text;
      }
    });
  });
  source.addEventListener("sentence", (event) => {
    alive();
    place.over();
    const { reply_to: to, index, text, whole } = JSON.parse(event.data);
    const line = to === null ? null : document.querySelector(`.reply[data-reply-to="${to}"]`);
    if (line && !line.dataset.whole) {
      const sentences = whole || index === 0 ? [] : (written.get(String(to)) ?? []);
      sentences[index] = text;
      written.set(String(to), sentences);
      line.textContent = sentences.filter(Boolean).join(" ");
    }
  });
  source.addEventListener("turn", (event) => {
    const line = document.querySelector(`.reply[data-reply-to="${JSON.parse(event.data).reply_to}"]`);
    if (line) {
      line.dataset.whole = "yes";
    }
  });
  source.addEventListener("end", (event) => {
    const now = JSON.parse(event.data);
    hangUp();
    wait = 500;
    if (now.state === "stopped") {
      leave();
    } else if (now.pending || owed().length) {
      setTimeout(listen, 1000);
    } else if (now.state !== "exercise") {
      finished();
    }
  });
  source.addEventListener("later", () => {
    hangUp();
    setTimeout(listen, LATER);
  });
  source.addEventListener("error", lost);
}

// Another window or another device, and leaving

async function look() {
  if (document.visibilityState !== "visible" || source) {
    return;
  }
  let now;
  try {
    const answer = await ask("GET", "visit");
    now = answer.ok ? await answer.json() : null;
  } catch {
    now = null; // no connection: nothing to catch up with yet
  }
  const here = document.querySelectorAll("form.field[data-number]").length;
  const there = now?.turns?.filter((turn) => turn.speaker === "participant").length;
  const writing = Array.from(fields.values()).some((field) => field.busy || field.confirming || field.other !== null);
  if (now && !writing && (String(now.visit) !== visit || now.state === "stopped")) {
    leave();
  } else if (now && !writing && there > here) {
    location.reload();
  }
}

document.querySelector("#check").addEventListener("click", async (event) => {
  event.preventDefault();
  for (const field of fields.values()) {
    await field.settled();
    await field.save();
  }
  if (Array.from(fields.values()).every((field) => field.box.value === field.known)) {
    location.assign(event.target.href);
  }
});
document.addEventListener("visibilitychange", () => {
  if (document.visibilityState === "hidden") {
    fields.forEach((field) => field.save({ keepalive: true })); // a phone may end the page at any time now
  } else {
    look();
  }
});
setInterval(look, LOOK);
window.addEventListener("online", () => fields.forEach((field) => field.save()));
window.addEventListener("pageshow", (event) => {
  if (event.persisted) {
    location.reload();
  }
});
window.addEventListener("beforeunload", (event) => {
  if (Array.from(fields.values()).some((field) => field.box.value !== field.known && field.outlives === false)) {
    event.preventDefault(); // this browser keeps nothing for us: the words would be gone
  }
});

for (const form of document.querySelectorAll("form.field")) {
  if (form.querySelector("textarea")) {
    const field = new Field(form);
    fields.set(field.step, field);
    field.restore();
  } else {
    kept.drop(visit, form.dataset.step);
    const reply = form.querySelector(".reply");
    if (reply?.textContent) {
      reply.dataset.whole = "yes";
    }
  }
}
if (document.body.dataset.pending === "yes") {
  listen();
}

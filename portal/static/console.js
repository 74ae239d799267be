// Keeps a page of the console up to date. Every few seconds it asks in one small request whether something has changed;
// if so it reads the page again and puts in the parts marked data-live that are different. What has the focus, or holds
// something that is not sent yet, is left alone until it has not, and stays where it is on the screen. Nothing is drawn
// while the page is hidden; whether there is a new safety event is asked also then, so that it is heard.
"use strict";

const EVERY_MS = 5000;
const HIDDEN_MS = 15000;
const LONGEST_MS = 60000;
const PATIENCE_MS = 10000;

const live = document.querySelector("#live");
const sound = document.querySelector("#sound");
const alarm = document.querySelector("#alarm");
const name = document.title.replace(/^\(\d+\) /, "");

let drawn = document.body.dataset.mark; // what this page was drawn from
let wanted = drawn; // what there is to draw by now
let newest = Number(document.body.dataset.newest);
let etag = "";
let wait = EVERY_MS;
let timer = 0;
let since = new Date();
let asking = false;
const sources = new Map(); // what the server sent for each part, which scripts may have changed since

for (const part of parts(document)) {
  sources.set(part.id, part.outerHTML);
}
retitle(Number(document.body.dataset.open));

// What has changed

async function pulse() {
  clearTimeout(timer);
  if (asking) {
    return;
  }
  asking = true;
  try {
    await ask();
    since = new Date();
    wait = EVERY_MS;
    say("");
  } catch (reason) {
    wait = Math.min(wait * 2, LONGEST_MS);
    say(reason instanceof SignedOut ? "Signed out: this page is not live" : `Not live since ${clockOf(since)}`);
    if (reason instanceof SignedOut) {
      document.title = `(signed out) ${name}`;
      return; // asking on would not help
    }
  } finally {
    asking = false;
  }
  timer = setTimeout(pulse, document.hidden ? Math.max(wait, HIDDEN_MS) : wait);
}

class SignedOut extends Error {}

async function read(address, headers = {}) {
  const answer = await fetch(address, { headers, signal: AbortSignal.timeout(PATIENCE_MS) });
  if (answer.redirected || answer.status === 401 || answer.status === 403) {
    throw new SignedOut();
  }
  if (!answer.ok && answer.status !== 304) {
    throw new Error(String(answer.status));
  }
  return answer;
}

async function ask() {
  const answer = await read(document.body.dataset.pulse, etag ? { "If-None-Match": etag } : {});
  if (answer.status !== 304) {
    etag = answer.headers.get("ETag") ?? "";
    const said = await answer.json();
    wanted = said.mark;
    hear(said);
  }
  if (wanted !== drawn && !document.hidden && sources.size && document.body.dataset.page) {
    const mark = wanted;
    const page = await read(document.body.dataset.page);
    const fresh = new DOMParser().parseFromString(await page.text(), "text/html");
    if (put(fresh)) {
      drawn = mark;
    }
  }
}

function say(sentence) {
  live.hidden = false;
  live.classList.toggle("lost", sentence !== "");
  const said = sentence || "Live";
  if (live.textContent !== said) {
    live.textContent = said;
  }
}

function clockOf(moment) {
  return moment.toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
}

// Putting it in

function parts(page) {
  return [
    ...page.querySelectorAll("[data-live][id]"),
    ...[...page.querySelectorAll("[data-live-list]")].flatMap((list) => [...list.children].filter((one) => one.id)),
  ];
}

// Puts in what is different; says whether everything could be.
function put(fresh) {
  const field = document.activeElement?.matches("input, select, textarea") ? document.activeElement : null;
  const before = field?.getBoundingClientRect().top;
  let whole = true;
  for (const list of document.querySelectorAll("[data-live-list]")) {
    const coming = fresh.getElementById(list.id);
    if (coming) {
      whole = putList(list, coming, field !== null) && whole;
    }
  }
  for (const part of parts(fresh)) {
    const standing = document.getElementById(part.id);
    if (!standing || sources.get(part.id) === part.outerHTML) {
      continue;
    }
    if (busy(standing)) {
      whole = false;
      continue;
    }
    sources.set(part.id, part.outerHTML);
    replace(standing, part, field !== null);
  }
  if (field) {
    keep(field, before);
  }
  document.dispatchEvent(new Event("drawn"));
  return whole;
}

function putList(list, coming, typing) {
  let whole = true;
  let last = null;
  for (const child of coming.children) {
    let standing = document.getElementById(child.id);
    if (!standing) {
      standing = document.importNode(child, true);
      sources.set(child.id, child.outerHTML);
      last ? last.after(standing) : list.prepend(standing);
    }
    last = standing;
  }
  for (const child of [...list.children]) {
    if (child.id && !coming.querySelector(`#${CSS.escape(child.id)}`)) {
      if (typing || busy(child)) {
        whole = false;
      } else {
        sources.delete(child.id);
        child.remove();
      }
    }
  }
  return whole;
}

function replace(standing, part, typing) {
  const height = standing.getBoundingClientRect().height;
  const coming = document.importNode(part, true);
  for (const old of standing.querySelectorAll("details[open][id]")) {
    const details = coming.querySelector(`#${CSS.escape(old.id)}`);
    if (details) {
      details.open = true;
    }
  }
  const scrolled = [...standing.querySelectorAll(".scroll")].map((one) => one.scrollLeft);
  standing.replaceWith(coming);
  coming.querySelectorAll(".scroll").forEach((one, index) => {
    one.scrollLeft = scrolled[index] ?? 0;
  });
  if (typing && coming.getBoundingClientRect().height < height && getComputedStyle(coming).display !== "inline") {
    coming.style.minHeight = `${height}px`; // nothing may move up under who is typing
  }
}

// What somebody is at: it has the focus, or a field in it was changed and is not sent, or words in it are selected.
function busy(part) {
  const selection = document.getSelection();
  return (
    (part.contains(document.activeElement) && document.activeElement !== document.body) ||
    [...part.querySelectorAll("input, select, textarea")].some(changed) ||
    (selection && !selection.isCollapsed && selection.containsNode(part, true))
  );
}

function changed(field) {
  if (field.matches("select")) {
    const first = [...field.options].findIndex((one) => one.defaultSelected);
    return field.selectedIndex !== Math.max(first, 0);
  }
  return field.matches("[type=checkbox], [type=radio]")
    ? field.checked !== field.defaultChecked
    : field.value !== field.defaultValue;
}

// Scrolls so that the field is where it was, with room below if the page is too short for that.
function keep(field, before) {
  const moved = field.getBoundingClientRect().top - before;
  if (moved) {
    const main = document.querySelector("main");
    main.style.minHeight = `${main.getBoundingClientRect().height + Math.abs(moved) + window.innerHeight}px`;
    window.scrollBy({ top: moved, behavior: "instant" });
  }
}

document.addEventListener("focusout", () => {
  if (wanted !== drawn) {
    clearTimeout(timer);
    timer = setTimeout(pulse, 300);
  }
});

document.addEventListener("visibilitychange", pulse);
window.addEventListener("online", pulse);

// A new safety event

function hear(said) {
  if (said.open === undefined) {
    return;
  }
  retitle(said.open);
  if (said.newest > newest) {
    newest = said.newest;
    const notice = document.createElement("div");
    const words = document.createElement("span");
    words.textContent = `New safety event. ${said.open} open. `;
    const link = document.createElement("a");
    link.href = "/console/safety/";
    link.textContent = "See the safety events";
    const away = document.createElement("button");
    away.type = "button";
    away.className = "quiet";
    away.textContent = "Hide this";
    away.addEventListener("click", () => alarm.replaceChildren());
    words.append(link);
    notice.append(words, away);
    alarm.replaceChildren(notice);
    ring();
  }
  if (!said.open) {
    alarm.replaceChildren();
  }
}

function retitle(open) {
  document.title = open ? `(${open}) ${name}` : name;
}

// Its sound: two tones, three times, made here. A browser lets a page sound only after somebody has clicked on it.

let tones = null;

function ring() {
  if (!tones || tones.state !== "running") {
    return;
  }
  for (let time = 0; time < 3; time++) {
    for (const [pitch, at] of [[880, 0], [660, 0.18]]) {
      const begin = tones.currentTime + time * 0.6 + at;
      const tone = tones.createOscillator();
      const loudness = tones.createGain();
      tone.frequency.value = pitch;
      loudness.gain.setValueAtTime(0.0001, begin);
      loudness.gain.exponentialRampToValueAtTime(0.4, begin + 0.02);
      loudness.gain.exponentialRampToValueAtTime(0.0001, begin + 0.17);
      tone.connect(loudness).connect(tones.destination);
      tone.start(begin);
      tone.stop(begin + 0.18);
    }
  }
}

function soundIs() {
  return localStorage.getItem("alarm sound") === "on";
}

async function wake() {
  if (soundIs()) {
    tones ??= new AudioContext();
    await Promise.race([tones.resume(), new Promise((done) => setTimeout(done, 300))]);
  }
  sound.setAttribute("aria-pressed", String(soundIs()));
  const ready = tones?.state === "running";
  sound.textContent = !soundIs() ? "Alarm sound: off" : ready ? "Alarm sound: on" : "Alarm sound: click to allow it";
}

if (sound) {
  sound.hidden = false;
  sound.addEventListener("click", async (event) => {
    event.stopPropagation();
    const waiting = soundIs() && tones?.state !== "running";
    localStorage.setItem("alarm sound", soundIs() && !waiting ? "off" : "on");
    await wake();
    if (soundIs()) {
      ring();
    }
  });
  document.addEventListener("click", wake);
  wake();
}

// Rows of squares: one stop for the Tab key, arrows within

function rove() {
  for (const grid of document.querySelectorAll("table[role=grid]")) {
    const cells = [...grid.querySelectorAll("tbody a, tbody [tabindex]")];
    if (cells.length && cells.filter((one) => one.tabIndex === 0).length !== 1) {
      cells.forEach((one) => {
        one.tabIndex = -1;
      });
      cells[0].tabIndex = 0;
    }
  }
}

// Which square it is, in words beside the table, for those who see
document.addEventListener("focusin", tell);
document.addEventListener("mouseover", tell);

function tell(event) {
  const cell = event.target.closest?.("table[role=grid] td[class]");
  if (cell) {
    const head = cell.closest("table").tHead.rows[0].cells[cell.cellIndex];
    document.querySelector(".reading").textContent =
      `${cell.parentElement.cells[0].textContent}, ${head.textContent}: ${cell.textContent}`;
  }
}

document.addEventListener("keydown", (event) => {
  const steps = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };
  const cell = event.target.closest?.("table[role=grid] tbody :is(td, th)");
  if (!cell || !(event.key in steps || event.key === "Home" || event.key === "End")) {
    return;
  }
  const rows = [...cell.closest("tbody").rows];
  const row = rows.indexOf(cell.parentElement);
  const cells = cell.parentElement.cells;
  const [down, right] = steps[event.key] ?? [0, event.key === "Home" ? -cells.length : cells.length];
  const next = rows[Math.min(Math.max(row + down, 0), rows.length - 1)];
  const target = next.cells[Math.min(Math.max(cell.cellIndex + right, 0), next.cells.length - 1)];
  const stop = target.querySelector("a, [tabindex]") ?? target;
  event.target.tabIndex = -1;
  stop.tabIndex = 0;
  stop.focus();
  event.preventDefault();
});

document.addEventListener("drawn", rove);
rove();
document.querySelector("nav [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });
say("");
pulse();

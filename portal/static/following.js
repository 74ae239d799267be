// Follows a visit under way, and lets whoever took it over write the answers. What was written is kept in the box until
// it stands among the turns.
const desk = document.querySelector("#desk");
const turns = document.querySelector("#turns");
const coming = document.querySelector("#coming");
const waited = document.querySelector("#waited");
const stateLine = document.querySelector("#state");
const said = document.querySelector("#said");
const heading = document.querySelector("#desk-heading");
const reload = document.querySelector("#reload");
const form = document.querySelector("#answer");
const box = document.querySelector("#words");
const send = document.querySelector("#send");
const wanted = document.querySelector("#wanted");
const csrf = document.querySelector('input[name="csrf"]')?.value ?? "";

const EVERY_MS = 1000;
const HERE_MS = 5000;
const QUIET = { "X-Bedside-Live": "1" }; // not somebody's own act: it keeps nobody signed in
const ORIGINS = {
  script: "the script",
  model: "the model",
  fallback: "the script, in place of the model",
  person: "a person, in place of the model",
  crisis: "the fixed message",
};
const OFFLINE = "No connection: what stands here may be old.";
const UNDER_WAY = "On its way …";
const KEPT = `answer ${location.pathname}`;
const address = (path) => `/console/transcripts/visits/${desk.dataset.visit}/${path}`;

let mine = desk.dataset.mine === "yes";
let owed = null; // the number of the turn whose answer is owed
let over = false; // what stands at the desk is not so any more
let beat = 0;
let sent = null; // the number that was answered and is not recorded yet

function say(text) {
  if (said.textContent !== text) {
    said.textContent = text;
  }
}

function lastNumber() {
  return Math.max(0, ...Array.from(turns.children, (item) => Number(item.dataset.number)));
}

function paragraph(name, text) {
  const made = document.createElement("p");
  made.className = name;
  made.textContent = text;
  return made;
}

function add(turn) {
  const item = document.createElement("li");
  item.className = [turn.speaker, turn.origin === "person" ? "person" : "", turn.found ? "alarm" : ""].join(" ");
  item.dataset.number = turn.number;
  const words = document.createElement("div");
  words.className = "words";
  const who = turn.speaker === "participant" ? "Participant" : `Therapist, from ${ORIGINS[turn.origin]}`;
  words.append(paragraph("speaker", `${turn.number}. ${who}`), paragraph("free", turn.text));
  if (turn.found) {
    words.append(paragraph("found", `The screen found: ${turn.found.replaceAll("_", " ")}.`));
  }
  item.append(words);
  turns.append(item);
  if (sent !== null && turn.reply_to === sent) {
    arrived(turn.origin === "person" || turn.origin === "crisis");
  }
  item.scrollIntoView({ block: "nearest" });
}

// What is new

async function look() {
  let now;
  try {
    const answer = await fetch(address(`live/now?after=${lastNumber()}`), { headers: QUIET });
    if (answer.redirected || answer.status === 401 || answer.status === 403) {
      say("You are signed out, so this page stands still. Sign in again to go on.");
      return;
    }
    if (!answer.ok) {
      throw new Error(String(answer.status));
    }
    now = await answer.json();
  } catch {
    say(OFFLINE);
    setTimeout(look, EVERY_MS);
    return;
  }
  for (const turn of now.turns) {
    add(turn);
  }
  stateLine.textContent = now.said;
  stateOf(now);
  setTimeout(look, EVERY_MS);
}

function stateOf(now) {
  const changed = now.mine !== mine || (now.held_by ?? "") !== desk.dataset.held || now.state !== desk.dataset.state;
  const writing = now.writing.join(" ");
  const waits = mine ? "The participant waits for your answer." : "The participant waits for an answer.";
  const line = writing || (now.owed ? waits : "");
  if (coming.textContent !== line) {
    coming.textContent = line;
  }
  waited.textContent = now.owed && !writing ? `${now.owed.waiting_s} s` : "";
  if (changed && !over) {
    ended(now);
  } else if (mine) {
    want(now.owed);
  }
  if (said.textContent === OFFLINE || (said.textContent === UNDER_WAY && sent === null)) {
    say("");
  }
}

function ended(now) {
  over = true;
  if (mine) {
    mine = false;
    clearInterval(beat);
    form.hidden = document.querySelector("#back").hidden = true;
    heading.textContent = now.state === "exercise" ? "The model writes the answers" : "The visit is over";
    say(now.state === "exercise" ? "The visit was handed back: the model answers." : `The visit is over: ${now.said}.`);
    reload.hidden = false;
  } else {
    location.reload();
  }
}

// Answering

function arrived(asMine) {
  sent = null;
  if (asMine) {
    box.value = "";
    sessionStorage.removeItem(KEPT);
  } else {
    say("The model had begun to answer. Your words were not said; they are kept here.");
  }
}

function want(turn) {
  owed = turn?.number ?? null;
  const next = turn?.next ? ` ${wanted.dataset.next.replace("{}", turn.next)}` : "";
  const text = turn ? wanted.dataset[turn.form] + next : wanted.dataset.waiting;
  if (wanted.textContent !== text) {
    wanted.textContent = text;
  }
  send.disabled = owed === null || sent !== null;
}

async function answer() {
  const words = box.value.trim();
  if (!words || owed === null || sent !== null) {
    return;
  }
  sent = owed;
  send.disabled = true;
  say(UNDER_WAY);
  try {
    const taken = await fetch(address("takeover/words"), {
      method: "POST",
      headers: { "Content-Type": "application/json", Accept: "application/json", "X-CSRF-Token": csrf },
      body: JSON.stringify({ number: sent, words }),
    });
    if (taken.status !== 202) {
      sent = null;
      const { error } = await taken.json();
      say(error);
    }
  } catch {
    sent = null;
    say("No connection: your answer was not sent. It is kept here.");
  }
}

function here() {
  fetch(address("takeover/here"), { method: "POST", headers: { ...QUIET, "X-CSRF-Token": csrf } }).catch(() => {
    // The next one may come through; after half a minute without any the model answers again.
  });
}

if (form) {
  box.value = sessionStorage.getItem(KEPT) ?? "";
  box.addEventListener("input", () => sessionStorage.setItem(KEPT, box.value));
  box.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      answer();
    }
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    answer();
  });
  here();
  beat = setInterval(here, HERE_MS);
}

turns.lastElementChild?.scrollIntoView({ block: "nearest" });
look();

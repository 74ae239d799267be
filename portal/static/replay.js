// Plays a visit as it was seen: each turn appears when it appeared, an answer's first sentence before the rest. Until
// somebody plays it, or without this script, the whole transcript is there.
const player = document.querySelector("#replay");
const list = document.querySelector("#turns");
const play = document.querySelector("#play");
const speed = document.querySelector("#speed");
const longest = document.querySelector("#longest");
const line = document.querySelector("#position");
const clock = document.querySelector("#clock");
const now = document.querySelector("#now");
const playhead = document.querySelector("#playhead");

const LEAD_MS = 1500; // so much of a long pause is shown before it is jumped over
const still = matchMedia("(prefers-reduced-motion: reduce)");

const length = Number(player?.dataset.length);
const items = Array.from(list.children, (item) => ({
  item,
  at: Number(item.dataset.at),
  whole: Number(item.dataset.whole ?? item.dataset.at),
  rest: item.querySelector(".rest"),
}));
const moments = [...new Set(items.flatMap(({ at, whole }) => [at, whole]))].sort((one, other) => one - other);

let at = length;
let before = null; // when the last frame was drawn, while it plays
let shown = null;

function time(ms) {
  const seconds = Math.floor(ms / 1000);
  const part = (value) => String(value).padStart(2, "0");
  const hours = Math.floor(seconds / 3600);
  const minutes = Math.floor(seconds / 60) % 60;
  return hours ? `${hours}:${part(minutes)}:${part(seconds % 60)}` : `${minutes}:${part(seconds % 60)}`;
}

function draw(follow) {
  list.classList.toggle("playing", at < length);
  let last = null;
  for (const one of items) {
    const coming = one.at > at;
    one.item.classList.toggle("coming", coming);
    one.rest?.classList.toggle("coming", one.whole > at);
    if (!coming) {
      last = one;
    }
  }
  line.value = at;
  line.setAttribute("aria-valuetext", `${time(at)} of ${time(length)}`);
  clock.textContent = `${time(at)} of ${time(length)}`;
  const x = (at / length) * 1000;
  playhead.setAttribute("x1", x);
  playhead.setAttribute("x2", x);
  const item = at < length ? last?.item ?? null : null;
  if (item !== shown) {
    shown?.classList.remove("now");
    item?.classList.add("now");
    shown = item;
    for (const answer of document.querySelectorAll(".answer")) {
      answer.classList.toggle("now", item !== null && answer.dataset.number === item.dataset.number);
    }
    now.textContent = item?.querySelector(".found")?.textContent ?? "";
    if (follow && item) {
      item.scrollIntoView({ block: "nearest", behavior: still.matches ? "auto" : "smooth" });
    }
  }
}

function jumped(from, to) {
  // Over the rest of a pause that is longer than wanted.
  const next = moments.find((moment) => moment > from);
  const past = moments.findLast((moment) => moment <= from) ?? 0;
  const most = Math.max(1, Number(longest.value) || 10) * 1000;
  return next !== undefined && next - past > most && to - past > Math.min(LEAD_MS, most) && to < next ? next : to;
}

function frame(moment) {
  if (before === null) {
    return;
  }
  at = Math.min(length, jumped(at, at + (moment - before) * Number(speed.value)));
  before = moment;
  draw(true);
  if (at === length) {
    pause();
  } else {
    requestAnimationFrame(frame);
  }
}

function pause() {
  before = null;
  play.textContent = play.dataset.play;
}

play?.addEventListener("click", () => {
  if (before !== null) {
    pause();
    return;
  }
  if (at === length) {
    at = 0;
  }
  play.textContent = play.dataset.pause;
  before = performance.now();
  draw(true);
  requestAnimationFrame(frame);
});

line?.addEventListener("input", () => {
  at = Math.min(length, Number(line.value));
  if (length - at < Number(line.step)) {
    at = length; // the last step of the line may end before the visit does
  }
  draw(false);
});

if (player) {
  player.hidden = false;
  draw(false);
}

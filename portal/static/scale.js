// The rating: the number field becomes a line to touch. It has no position until the participant chooses one, so
// nobody's rating is the middle by default. Without this script the number field itself is used.
"use strict";

const form = document.querySelector("form.scale");
const field = form.querySelector("#value");
const chosen = form.querySelector(".chosen");
const mistake = form.querySelector("#mistake");
const KEYS = ["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "Home", "End", "PageUp", "PageDown", " "];
let set = false;

field.type = "range";
field.required = false;
field.value = 0;
show();

function show() {
  field.classList.toggle("unset", !set);
  field.setAttribute("aria-valuetext", set ? field.value : form.dataset.none);
  // Chromium tells assistive technology a line's number whatever its text is, so that none is chosen is its description, too.
  field.setAttribute("aria-describedby", set ? "hint low high" : "chosen hint low high");
  chosen.textContent = set ? field.value : form.dataset.none;
}

function choose() {
  set = true;
  mistake.textContent = "";
  show();
}

field.addEventListener("input", choose);
// A touch on the very end changes no value there, so the browser sends no input event for it.
for (const kind of ["click", "pointerup"]) {
  field.addEventListener(kind, () => {
    if (!set) {
      field.dispatchEvent(new Event("input", { bubbles: true }));
    }
  });
}
// The first key puts the mark at the low end, whichever arrow it is; only End puts it at the other one. Enter on an
// untouched line must not send anything.
field.addEventListener("keydown", (event) => {
  if (!set && KEYS.includes(event.key)) {
    event.preventDefault();
    field.value = event.key === "End" ? 100 : 0;
    field.dispatchEvent(new Event("input", { bubbles: true }));
  }
});

form.addEventListener("submit", (event) => {
  if (!set) {
    event.preventDefault();
    mistake.textContent = form.dataset.missing;
    field.focus();
  }
});

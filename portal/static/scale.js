// The rating: the number field becomes a line to touch. It has no position until the participant chooses one, so
// nobody's rating is the middle by default. Without this script the number field itself is used.
"use strict";

const form = document.querySelector("form.scale");
const field = form.querySelector("#value");
const chosen = form.querySelector(".chosen");
const mistake = form.querySelector("#mistake");
let set = false;

field.type = "range";
field.required = false;
field.value = 50;
show();

function show() {
  field.classList.toggle("unset", !set);
  field.setAttribute("aria-valuetext", set ? field.value : form.dataset.none);
  chosen.textContent = set ? field.value : form.dataset.none;
}

function choose() {
  set = true;
  mistake.textContent = "";
  show();
}

field.addEventListener("input", choose);
// A touch on the very middle changes no value, so the browser sends no input event for it.
field.addEventListener("click", choose);
// The first key shows where one starts; Enter on an untouched line must not send the middle.
field.addEventListener("keydown", (event) => {
  if (["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "Home", "End", "PageUp", "PageDown", " "].includes(event.key)) {
    choose();
  }
});

let sending = false;
form.addEventListener("submit", (event) => {
  if (!set || sending) {
    event.preventDefault();
    if (!set) {
      mistake.textContent = form.dataset.missing;
      field.focus();
    }
    return;
  }
  sending = true;
});

// "Back" shows a page from the browser's memory: let the record say what is due instead.
window.addEventListener("pageshow", (event) => {
  if (event.persisted) {
    location.reload();
  }
});

// The robot's page follows the visit by itself: whether a robot is there, who has the visit, and at which step it is.
"use strict";

const line = document.querySelector("#robot");
const steps = Array.from(document.querySelectorAll(".steps li"));
const ORDER = ["before", "exercise", "after"];
const PAUSE = 2000; // milliseconds between two looks

function say(element, text) {
  if (element.textContent !== text) {
    element.textContent = text; // only when it is news: a screen reader says it again
  }
}

function show(visit) {
  const at = ORDER.indexOf(visit.state);
  steps.forEach((step, place) => {
    step.classList.toggle("done", place < at);
    if (place === at) {
      step.setAttribute("aria-current", "step");
    } else {
      step.removeAttribute("aria-current");
    }
  });
  const exercise = steps[1];
  say(
    exercise,
    visit.step ? exercise.dataset.at.replace("{step}", visit.step).replace("{steps}", visit.steps) : exercise.dataset.name,
  );
  say(line, visit.said);
}

async function look() {
  try {
    const answer = await fetch("visit", { headers: { Accept: "application/json" } });
    if (answer.ok) {
      const visit = await answer.json();
      if (visit.visit === null || !ORDER.includes(visit.state)) {
        location.reload(); // the record says what comes next: questions, thanks, or the people to call
        return;
      }
      show(visit);
    }
  } catch {
    // No connection: the next look tries again.
  }
  setTimeout(look, PAUSE);
}

look();

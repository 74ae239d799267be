// The robot's page: says whether the robot has the visit, and moves on when the visit does.
"use strict";

const line = document.querySelector("#robot");
const ended = new Set(["done", "stopped"]);

async function look() {
  try {
    const answer = await fetch("visit", { headers: { Accept: "application/json" } });
    if (answer.ok) {
      const visit = await answer.json();
      if (visit.visit === null || ended.has(visit.state)) {
        location.reload();
        return;
      }
      const said = visit.claimed ? line.dataset.ready : line.dataset.waiting;
      if (line.textContent !== said) {
        line.textContent = said;
      }
    }
  } catch {
    // No connection: the next look tries again.
  }
  setTimeout(look, 2000);
}

setTimeout(look, 2000);

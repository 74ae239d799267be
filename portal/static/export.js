// Shows how far an export is, and the page anew when it is made. Without it, "Look again" does.
"use strict";

const box = document.querySelector("#export");
const bar = document.querySelector("#export-bar");
const said = document.querySelector("#export-said");

async function look() {
  try {
    const answer = await fetch(box.dataset.state, { headers: { "X-Bedside-Live": "1" } });
    if (!answer.ok || answer.redirected) {
      location.reload();
      return;
    }
    const now = await answer.json();
    if (now.state !== "waiting" && now.state !== "running") {
      location.reload();
      return;
    }
    bar.max = now.of || 1;
    bar.value = now.done;
    if (now.state === "running") {
      said.textContent = now.what === "packing" ? "Packing." : "Being made. You can leave this page and come back.";
    }
  } catch {
    said.textContent = "The server cannot be reached just now; this page tries again.";
  }
  setTimeout(look, 1000);
}

look();

// Filters the transcripts by suite and persona. Without it all of them stand on the page.
"use strict";

const filters = document.getElementById("filters");
const samples = [...document.querySelectorAll(".sample")];

function filtered() {
  const { suite, persona } = Object.fromEntries(new FormData(filters));
  let shown = 0;
  for (const one of samples) {
    one.hidden = Boolean((suite && one.dataset.suite !== suite) || (persona && one.dataset.persona !== persona));
    shown += one.hidden ? 0 : 1;
  }
  document.getElementById("counted").value = `${shown} of ${samples.length}`;
}

filters.hidden = false;
filters.addEventListener("change", filtered);
filters.addEventListener("submit", (event) => event.preventDefault());
filtered();

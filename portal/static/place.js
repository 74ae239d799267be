// Where an answer stands that waits until the model is free, in words. A screen reader says the line whenever it
// changes, so it changes only now and then, and at once when it is our turn.
"use strict";

const place = (() => {
  const { single, many, begun } = document.querySelector("#place").dataset;
  const CALM = 5000; // milliseconds between two numbers

  let shown = 0; // when the last one was shown; 0 when none was
  let due = null;

  function words(before) {
    return before > 1 ? many.replace("{count}", before) : before === 1 ? single : begun;
  }

  return {
    // So many answers come `before` ours; `say` is given the sentence.
    show(before, say) {
      clearTimeout(due);
      const left = before === 0 ? 0 : Math.max(0, shown + CALM - Date.now());
      due = setTimeout(() => {
        shown = Date.now();
        say(words(before));
      }, left);
    },
    // The answer has begun, or the line is cut; whether a place had been shown.
    over() {
      clearTimeout(due);
      const was = shown > 0;
      shown = 0;
      return was;
    },
  };
})();

// Copying a link, and printing: shown where the browser can do it.
"use strict";

for (const button of document.querySelectorAll("[data-copy]")) {
  button.hidden = !navigator.clipboard;
  button.addEventListener("click", async () => {
    const said = document.querySelector("#copied");
    const name = button.textContent;
    try {
      await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent.trim());
      button.textContent = "Copied";
      if (said) {
        said.textContent = "The link is copied.";
      }
    } catch {
      button.textContent = "It could not be copied: mark it and copy it yourself";
    }
    setTimeout(() => (button.textContent = name), 3000);
  });
}

for (const button of document.querySelectorAll("[data-print]")) {
  button.hidden = false;
  button.addEventListener("click", () => window.print());
}

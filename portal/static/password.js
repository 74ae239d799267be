// A button beside each password that shows what was typed, and hides it again before it is sent.
"use strict";

for (const input of document.querySelectorAll("input[data-show]")) {
  const row = document.createElement("div");
  row.className = "with-show";
  input.before(row);
  const button = document.createElement("button");
  button.type = "button";
  button.className = "quiet";
  button.setAttribute("aria-controls", input.id);
  const say = () => {
    const hidden = input.type === "password";
    button.textContent = hidden ? "Show" : "Hide";
    button.setAttribute("aria-label", `${hidden ? "Show" : "Hide"}: ${document.querySelector(`label[for="${input.id}"]`).textContent}`);
  };
  button.addEventListener("click", () => {
    input.type = input.type === "password" ? "text" : "password";
    say();
  });
  input.form.addEventListener("submit", () => {
    input.type = "password";
  });
  say();
  row.append(input, button);
}

// Forms that ask something. What is chosen stays in this tab until the server has it, through a reload as well, and is
// sent again when the line was cut. A form says what it was drawn for, so what arrives twice counts once. Of a form with
// data-private, which asks who somebody is, nothing is written into the browser's storage.
"use strict";

const LONGEST = 8000; // milliseconds between two attempts, at most

function begin() {
  document.querySelectorAll("form[data-sent]").forEach(keepAndSend);
  (document.querySelector("[aria-invalid=true], .wrong input") ?? document.querySelector(".mistakes a"))?.focus();
}

function keepAndSend(form) {
  // The code alone opens nothing; the rest of the address does, so it is not written into the browser's storage.
  const [place, code] = location.pathname.split("/").slice(1);
  const KEPT = `kept ${place === "p" ? code : ""} ${form.dataset.sent}`;
  const isPrivate = "private" in form.dataset;
  const status = form.querySelector(".status");
  let kept = isPrivate ? {} : JSON.parse(sessionStorage.getItem(KEPT) ?? "{}");
  let wait = 500;
  let timer = null;
  let sending = false;

  function keep(change) {
    kept = { ...kept, ...change };
    if (!isPrivate) {
      sessionStorage.setItem(KEPT, JSON.stringify(kept));
    }
  }

  function forget() {
    kept = {};
    sessionStorage.removeItem(KEPT);
    window.removeEventListener("online", again);
  }

  function restore() {
    for (const [name, value] of kept.fields ?? []) {
      for (const control of form.querySelectorAll(`[name="${CSS.escape(name)}"]`)) {
        if (control.type === "radio" || control.type === "checkbox") {
          control.checked ||= control.value === value;
        } else {
          control.value = value;
          control.dispatchEvent(new Event("input"));
        }
      }
    }
  }

  async function deliver() {
    clearTimeout(timer);
    if (sending || kept.body == null) {
      return;
    }
    sending = true;
    const slow = setTimeout(() => (status.textContent = form.dataset.sending), 400);
    let answer = null;
    try {
      answer = await fetch(form.action, {
        method: "POST",
        headers: { "Content-Type": "application/x-www-form-urlencoded", Accept: "text/html" },
        body: kept.body,
        redirect: "manual", // the next page is opened once, and not read here first
      });
    } catch {
      // No connection, or the server is away.
    }
    clearTimeout(slow);
    if (answer?.type === "opaqueredirect") {
      forget();
      location.assign(form.dataset.next); // `sending` stays, so that a second click sends nothing
      return;
    }
    sending = false;
    if (answer === null || [502, 503, 504].includes(answer.status)) {
      status.textContent = form.dataset.offline;
      timer = setTimeout(deliver, wait);
      wait = Math.min(wait * 2, LONGEST);
    } else if (answer.status === 507) {
      keep({ body: null });
      status.textContent = form.dataset.full;
    } else if (answer.status === 429 || answer.status >= 500) {
      // Not taken this time: the form stays as it is, and can be sent again.
      keep({ body: null });
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      status.textContent = page.querySelector("main p")?.textContent ?? form.dataset.offline;
    } else {
      // Something is to be put right, or cannot be taken now: the server's page says it. What was chosen is kept for
      // when the same is due again.
      keep({ body: null });
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      document.title = page.title;
      document.querySelector("main").replaceWith(page.querySelector("main"));
      window.scrollTo(0, 0);
      begin();
    }
  }

  function again() {
    deliver();
  }

  form.addEventListener("input", () => {
    const hidden = new Set(Array.from(form.querySelectorAll("input[type=hidden]"), (field) => field.name));
    keep({ fields: Array.from(new FormData(form)).filter(([name]) => !hidden.has(name)) });
  });
  form.addEventListener("submit", (event) => {
    if (event.defaultPrevented) {
      return; // the page's own script has something to say first
    }
    event.preventDefault();
    if (sending) {
      return;
    }
    const body = new URLSearchParams(new FormData(form));
    if (event.submitter?.name) {
      body.set(event.submitter.name, event.submitter.value);
    }
    keep({ body: body.toString() });
    deliver();
  });
  window.addEventListener("online", again);

  restore();
  deliver();
}

// "Back" shows a page from the browser's memory: let the record say what is due instead.
window.addEventListener("pageshow", (event) => {
  if (event.persisted) {
    location.reload();
  }
});

begin();

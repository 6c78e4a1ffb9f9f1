// What pages do beyond HTML: copy, count down, send a form once. Every page works without it.
(() => {
  "use strict";

  // Buttons that copy are hidden until there is somebody who can.
  const showCopies = (root) => {
    for (const button of root.querySelectorAll("[data-copy]")) button.hidden = false;
  };

  const copy = async (button) => {
    const source = document.getElementById(button.dataset.copy);
    const text = source.value ?? source.textContent;
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      const range = document.createRange();
      range.selectNodeContents(source);
      const selection = getSelection();
      selection.removeAllRanges();
      selection.addRange(range);
      return false;
    }
    return true;
  };

  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    const done = await copy(button);
    const next = button.dataset.next;
    if (done && next) {
      location.assign(next);
      return;
    }
    const label = (button.dataset.label ??= button.textContent);
    button.textContent = done ? "Copied" : "Press Ctrl+C";
    setTimeout(() => (button.textContent = label), 2000);
  });

  // <span data-ends="2026-01-01T00:15:00Z">: how long is left.
  const countDown = () => {
    for (const element of document.querySelectorAll("[data-ends]")) {
      const left = Math.max(0, Math.round((Date.parse(element.dataset.ends) - Date.now()) / 1000));
      const clock = `${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")}`;
      element.textContent = left === 0 ? "ended" : `${clock} left`;
    }
  };

  // A form that must not be left by accident, or sent twice.
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.dataset.sent) {
      event.preventDefault();
      return;
    }
    if (form.method === "post" && !form.hasAttribute("hx-post")) {
      form.dataset.sent = "1";
      setTimeout(() => delete form.dataset.sent, 5000);
    }
  });

  const begin = () => {
    document.documentElement.classList.add("scripted");
    showCopies(document);
    countDown();
    setInterval(countDown, 1000);
    document.querySelector(".errors")?.focus();
  };
  document.addEventListener("htmx:load", (event) => showCopies(event.detail.elt));
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", begin);
  else begin();
})();

// What pages do beyond HTML: copy, count down, tell how far a file is, send a form once. Every page works without it.
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

  // <a data-export="1200">: a file of so many lines is fetched with a bar that tells how far it is. Small ones come as any
  // link does.
  const LARGE = 2000;
  const fetchFile = async (link, progress, status) => {
    const total = Number(link.dataset.export);
    const answer = await fetch(link.href);
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    const parts = [];
    let lines = 0;
    for (const reader = answer.body.getReader(); ; ) {
      const { done, value } = await reader.read();
      if (done) break;
      parts.push(value);
      for (const byte of value) lines += byte === 10;
      progress.value = Math.min(99, (100 * lines) / total);
    }
    progress.value = 100;
    status.textContent = "The file is ready.";
    const name = /filename="([^"]+)"/.exec(answer.headers.get("content-disposition") ?? "");
    const file = document.createElement("a");
    file.href = URL.createObjectURL(new Blob(parts, { type: answer.headers.get("content-type") }));
    file.download = name ? name[1] : "export";
    file.click();
    setTimeout(() => URL.revokeObjectURL(file.href), 60_000);
  };
  document.addEventListener("click", async (event) => {
    const link = event.target.closest("[data-export]");
    if (!link || Number(link.dataset.export) < LARGE) return;
    event.preventDefault();
    const bar = document.querySelector("[data-export-progress]");
    const status = bar.querySelector("[data-export-status]");
    const progress = bar.querySelector("progress");
    bar.hidden = false;
    progress.value = 0;
    status.textContent = "";
    try {
      await fetchFile(link, progress, status);
    } catch {
      status.textContent = "The file did not come as a whole. Try again.";
    }
  });

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

// A form that was sent: its button says what is going on, keeps its width and cannot be hit again.
import { attach } from "./attach.js";

function begin(button) {
  if (!button?.dataset.busy || button.disabled) return;
  button.dataset.idle = button.innerHTML;
  button.style.minInlineSize = `${button.offsetWidth}px`; // through the object model, so CSP allows it
  button.textContent = button.dataset.busy;
  button.disabled = true;
}

function end(button) {
  if (button?.dataset.idle === undefined) return;
  button.innerHTML = button.dataset.idle;
  delete button.dataset.idle;
  button.disabled = false;
}

attach("form[method=post]", (form) => {
  const button = form.querySelector("[data-busy]");
  let soon = 0;
  // After the form's own data was read; a disabled button would be left out of it.
  form.addEventListener("submit", () => (soon = setTimeout(begin, 0, button)));
  form.addEventListener("htmx:afterRequest", () => {
    clearTimeout(soon); // an answer may be faster than the timer
    end(button);
  });
});

// Back to a page the browser kept: its buttons work again.
addEventListener("pageshow", () => document.querySelectorAll("[data-busy]:disabled").forEach(end));

// Filters send themselves when one of them changes; without script their button does it.
attach("[data-submit-on-change]", (form) => {
  form.addEventListener("change", (event) => {
    if (event.target.matches("select")) form.requestSubmit();
  });
});

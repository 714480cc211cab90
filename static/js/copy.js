// `data-copy="<id>"` copies that element's text.
import { attach } from "./attach.js";
import { announce } from "./announce.js";

attach("[data-copy]", (button) => {
  button.addEventListener("click", async () => {
    const text = document.getElementById(button.dataset.copy)?.textContent ?? "";
    try {
      await navigator.clipboard.writeText(text);
      announce("Copied");
      button.lastChild.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(document.getElementById(button.dataset.copy));
    }
  });
});

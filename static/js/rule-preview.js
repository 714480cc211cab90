// Keeps what stands beside a rule's form up to what is typed; the form's button does so without it.
const WAIT_MS = 400;
const aside = document.getElementById("rule-preview");
const form = aside?.closest("form");
const button = aside?.querySelector("[name=_preview]");

if (form && button) {
  let waiting = 0;
  let asked = null;

  async function refresh() {
    asked?.abort();
    asked = new AbortController();
    const body = new FormData(form);
    body.set("_preview", "1");
    try {
      const answer = await fetch(location.href, {
        method: "POST", body, signal: asked.signal, headers: { "X-Preview": "1" },
      });
      if (!answer.ok) return;
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      for (const id of ["rule-preview-title", "rule-preview-body"]) {
        const fresh = page.getElementById(id);
        if (fresh) document.getElementById(id).replaceChildren(...fresh.childNodes);
      }
    } catch (error) {
      if (error.name !== "AbortError") throw error;
    }
  }

  form.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(refresh, WAIT_MS);
  });
  form.addEventListener("change", () => {
    clearTimeout(waiting);
    waiting = setTimeout(refresh, WAIT_MS);
  });
  button.addEventListener("click", (event) => {
    event.preventDefault();
    clearTimeout(waiting);
    refresh();
  });
}

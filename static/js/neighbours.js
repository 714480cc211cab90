// `[` and `]` lead to the previous and the next of the list one came from, in its order and filter
// as they were then; at its foot, on to the list's next page. Kept for this tab alone.
import { attach } from "./attach.js";

const KEY = "awf:list";
const OPEN = "[data-key-list] [data-key-open]";

function hrefs(root) {
  return [...root.querySelectorAll(OPEN)].map((link) => link.getAttribute("href"));
}

function kept() {
  try {
    return JSON.parse(sessionStorage.getItem(KEY)) ?? { hrefs: [] };
  } catch {
    return { hrefs: [] };
  }
}

document.addEventListener("click", ({ target }) => {
  const link = target.closest?.(OPEN);
  if (!link || link.closest("#main") === null) return;
  const older = document.querySelector("a[rel=next]")?.href ?? "";
  sessionStorage.setItem(KEY, JSON.stringify({ hrefs: hrefs(document), older }));
});

async function longer(list) {
  const answer = await fetch(list.older, { credentials: "same-origin" });
  if (!answer.ok || answer.redirected) return list;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const older = page.querySelector("a[rel=next]")?.getAttribute("href");
  const all = { hrefs: [...list.hrefs, ...hrefs(page)], older: older ? new URL(older, list.older).href : "" };
  sessionStorage.setItem(KEY, JSON.stringify(all));
  return all;
}

function lead(link, href) {
  if (!href) return;
  link.href = href;
  link.hidden = false;
}

attach("[data-neighbours]", async (place) => {
  let list = kept();
  const at = list.hrefs.indexOf(location.pathname);
  if (at < 0) return;
  if (at === list.hrefs.length - 1 && list.older) list = await longer(list).catch(() => list);
  lead(place.querySelector("[data-key='[']"), list.hrefs[at - 1]);
  lead(place.querySelector("[data-key=']']"), list.hrefs[at + 1]);
});

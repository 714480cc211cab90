// A banner that comes or goes while a page is read must not move it. One that comes stands in the bar
// on top until the page is shown anew; one that goes leaves its place empty.
import { replace } from "./swap.js";

const barOf = (id) => document.getElementById(`late-${id}`);

export function takeLate(old, next) {
  if (old.childElementCount) {
    if (next.childElementCount) return replace(old, next);
    return [...old.children].forEach((banner) => banner.classList.add("is-gone"));
  }
  const bar = barOf(old.id);
  if (!next.childElementCount) return bar?.remove();
  next.id = `late-${old.id}`;
  for (const { name } of [...next.attributes]) if (name !== "id") next.removeAttribute(name);
  if (bar) replace(bar, next);
  else document.getElementById("late").append(next);
}

// The page was shown anew, by what the reader did: now the banner has its place in it.
document.addEventListener("htmx:afterSettle", () => {
  for (const place of document.querySelectorAll("[data-live-late]")) if (place.childElementCount) barOf(place.id)?.remove();
});

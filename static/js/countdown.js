// `data-countdown="<instant>"` shows the time left, each second; the ring beside it gets shorter.
// Read out only at 5 min, 1 min and 10 s, and only for the card that has the focus.
import { alarm } from "./announce.js";
import { markStale } from "./refetch.js";

const LIVE = "[data-live-refetch], [data-live-merge]";
const GRACE_MS = 1500;
const over = new Set();
const SPOKEN = new Set([300, 60, 10]);
const RING = 2 * Math.PI * 9;

function words(seconds) {
  const two = (number) => String(number).padStart(2, "0");
  const hours = Math.floor(seconds / 3600);
  const minutes = Math.floor(seconds / 60) % 60;
  return hours ? `${hours}:${two(minutes)}:${two(seconds % 60)}` : `${minutes}:${two(seconds % 60)}`;
}

function ring(holder, left) {
  const arc = holder.querySelector("[data-ring]");
  const share = Math.min(1, left / Number(holder.dataset.expiry));
  arc?.setAttribute("stroke-dasharray", `${(RING * share).toFixed(1)} ${RING.toFixed(1)}`);
  holder.dataset.tone = left < 300 ? "yellow" : "slate";
}

// What ends by the clock alone is not pushed: the part of the page it stands in is fetched again, once.
function ended(element) {
  const part = element.closest(LIVE);
  const key = `${part?.id} ${element.dataset.countdown}`;
  if (!part || over.has(key)) return;
  over.add(key);
  const [topic] = (part.dataset.liveRefetch ?? part.dataset.liveMerge).split(" ");
  setTimeout(markStale, GRACE_MS, topic);
}

function tick() {
  for (const element of document.querySelectorAll("[data-countdown]")) {
    const left = Math.max(0, Math.floor((Date.parse(element.dataset.countdown) - Date.now()) / 1000));
    const text = words(left);
    if (element.textContent !== text) element.textContent = text;
    if (left === 0) ended(element);
    const holder = element.closest("[data-expiry]");
    if (holder) ring(holder, left);
    const card = element.closest("[data-key-item]");
    if (SPOKEN.has(left) && card?.contains(document.activeElement)) alarm(`Expires in ${text}`);
    if (left === 0 && card && !card.dataset.over) {
      card.dataset.over = "";
      card.dispatchEvent(new CustomEvent("countdown:over", { bubbles: true }));
    }
  }
}

setInterval(tick, 1000);
tick();

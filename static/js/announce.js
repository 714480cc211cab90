// What screen readers are told: politely at most every 10 s (the last message wins), or at once.

const GAP_MS = 10_000;
let last = -GAP_MS;
let timer = 0;

function say(id, text) {
  const place = document.getElementById(id);
  if (place) place.textContent = text;
}

export function announce(text) {
  clearTimeout(timer);
  const wait = Math.max(0, last + GAP_MS - performance.now());
  timer = setTimeout(() => {
    last = performance.now();
    say("announce", text);
  }, wait);
}

export function alarm(text) {
  say("alert", text);
}

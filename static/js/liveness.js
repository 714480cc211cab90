// How live the page says that it is: the rail's foot, the bar on top, the age of what is shown.
let state = "connecting";
let barName = "";

export const WORDS = {
  connecting: ["slate", "Connecting"],
  live: ["green", "Live"],
  lost: ["yellow", "Not live, trying again"],
  "signed-out": ["yellow", "Signed out"],
  refused: ["yellow", "Not live, reload to update"],
};

export function show(next = state) {
  state = next;
  document.documentElement.dataset.live = state;
  const [tone, text] = WORDS[state];
  for (const line of document.querySelectorAll("[data-live-status]")) {
    line.dataset.tone = tone;
    line.querySelector("[data-live-text]").textContent = text;
  }
  for (const dot of document.querySelectorAll("[data-live-dot]")) {
    dot.dataset.tone = tone;
    dot.classList.toggle("dot--live", state === "live");
  }
}

export function bar(name = barName) {
  barName = name;
  for (const one of document.querySelectorAll("[data-net]")) one.hidden = one.dataset.net !== name;
}

export function tellAge(heardAt) {
  const age = Math.round((performance.now() - heardAt) / 1000);
  for (const one of document.querySelectorAll("[data-net-age]")) one.textContent = ` ${age} s ago`;
}

// Behaviour follows markup: `attach(selector, start)` calls `start(element)` once for every element
// that matches, now and whenever one appears, whoever put it there (htmx, a push, a refetch).

const behaviours = [];

function run(root, { selector, start, seen }) {
  const found = root.matches?.(selector) ? [root] : [];
  for (const element of [...found, ...root.querySelectorAll(selector)]) {
    if (seen.has(element)) continue;
    seen.add(element);
    start(element);
  }
}

export function attach(selector, start) {
  const behaviour = { selector, start, seen: new WeakSet() };
  behaviours.push(behaviour);
  run(document, behaviour);
}

new MutationObserver((records) => {
  for (const { addedNodes } of records)
    for (const node of addedNodes)
      if (node.nodeType === Node.ELEMENT_NODE) for (const one of behaviours) run(node, one);
}).observe(document.documentElement, { childList: true, subtree: true });

// Plotly charts, drawn from the page's tokens and again when the theme changes. Plotly is fetched
// only when a chart comes near the view. Its style sheets are given to it as <link>s, for a strict CSP
// refuses the style elements it would make. New figures wait while the chart is being read.
import { attach } from "./attach.js";
import { curve } from "./chart-curve.js";
import { days } from "./chart-days.js";
import { rate } from "./chart-rate.js";
import { recovery } from "./chart-recovery.js";
import { saved } from "./chart-saved.js";
import { THEME_EVENT } from "./theme.js";

const KINDS = { curve, days, rate, recovery, saved };
const PAPER = 660; // px: what an upright page has room for
const NEAR = "240px";
const drawn = new Set();
const waiting = new Set(); // has new figures, and a reader
let library = null;
let printing = false;

function link(id, href) {
  return new Promise((done) => {
    const element = document.createElement("link");
    element.id = id;
    if (!href) return document.head.append(element), done();
    element.rel = "stylesheet";
    element.href = href;
    element.addEventListener("load", done);
    element.addEventListener("error", done);
    document.head.append(element);
  });
}

async function load({ plotly, plotlyCss, plotlyStyles }) {
  const [sheet, ...others] = plotlyStyles.split(" ");
  await Promise.all([link(sheet, plotlyCss), ...others.map((id) => link(id, ""))]);
  await new Promise((done, failed) => {
    const script = document.createElement("script");
    script.src = plotly;
    script.addEventListener("load", done);
    script.addEventListener("error", () => failed(new Error("Plotly could not be loaded")));
    document.head.append(script);
  });
  return window.Plotly;
}

function tokens() {
  // light-dark() is resolved only in a real property, not in a custom one.
  const probe = document.createElement("span");
  probe.style.forcedColorAdjust = "none"; // the tokens themselves, not what the browser makes of text
  document.body.append(probe);
  const read = (name) => {
    probe.style.color = `var(--${name})`;
    return getComputedStyle(probe).color;
  };
  const names = ["line", "line-strong", "text", "text-2", "text-3", "surface-1", "surface-3"];
  const hues = ["red", "orange", "yellow", "green", "blue", "violet", "slate"];
  const found = Object.fromEntries(names.map((name) => [name, read(name)]));
  for (const hue of hues) for (const role of ["fg", "bg", "bd"]) found[`${hue}-${role}`] = read(`${hue}-${role}`);
  probe.remove();
  found.font = getComputedStyle(document.body).fontFamily;
  return found;
}

async function draw(element) {
  const source = document.getElementById(element.dataset.source);
  const data = source && JSON.parse(source.textContent);
  if (!data || !(data.points ?? data.days).length) return; // its words are all there is to show
  try {
    library ??= load(element.dataset);
    const Plotly = await library;
    if (!element.isConnected) return;
    const { clientHeight, clientWidth } = element;
    const size = { clientHeight, clientWidth: printing ? Math.min(PAPER, clientWidth) : clientWidth };
    const { traces, layout } = KINDS[element.dataset.chart](data, tokens(), size);
    if (printing) Object.assign(layout, { autosize: false, width: size.clientWidth });
    for (const first of element.querySelectorAll("[data-chart-first]")) first.remove();
    await Plotly.react(element, traces, layout, { displayModeBar: false, responsive: true, scrollZoom: false, doubleClick: false });
    if (!drawn.has(element)) element.addEventListener("mouseleave", () => waiting.delete(element) && draw(element));
    drawn.add(element);
  } catch (error) {
    console.warn("chart", error); // the sentence and the table are still there
  }
}

const near = new IntersectionObserver((entries) => {
  for (const { isIntersecting, target } of entries) if (isIntersecting) near.unobserve(target), draw(target);
}, { rootMargin: NEAR });

attach("[data-chart]", (element) => near.observe(element));
attach("script[id$='-data'][type='application/json']", (source) => {
  const element = document.querySelector(`[data-source="${source.id}"]`);
  if (!element) return;
  const { finding } = JSON.parse(source.textContent);
  element.setAttribute("aria-label", finding);
  const note = element.querySelector(".chart__note");
  if (note && note.textContent !== finding) note.textContent = finding;
  if (!drawn.has(element)) near.unobserve(element), near.observe(element);
  else if (element.matches(":hover")) waiting.add(element);
  else draw(element);
});

function redraw() {
  for (const element of drawn) if (element.isConnected) draw(element);
    else drawn.delete(element), waiting.delete(element);
}
document.addEventListener(THEME_EVENT, redraw);

// Paper is white, and as wide as paper.
let theme = "";
addEventListener("beforeprint", () => {
  const root = document.documentElement.dataset;
  [printing, theme, root.theme] = [true, root.theme, "light"];
  redraw();
});
addEventListener("afterprint", () => {
  printing = false;
  document.documentElement.dataset.theme = theme;
  redraw();
});

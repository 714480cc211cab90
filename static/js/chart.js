// Plotly charts, drawn from the page's tokens and again when the theme changes. Plotly is fetched
// only where a chart is. Its style sheets are given to it as <link>s, for a strict CSP refuses the
// style elements it would make.
import { attach } from "./attach.js";
import { days } from "./chart-days.js";
import { rate } from "./chart-rate.js";
import { THEME_EVENT } from "./theme.js";

const KINDS = { days, rate };
const drawn = new Set();
let library = null;

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
  if (!source) return;
  try {
    library ??= load(element.dataset);
    const Plotly = await library;
    if (!element.isConnected) return;
    const { traces, layout } = KINDS[element.dataset.chart](JSON.parse(source.textContent), tokens(), element);
    element.querySelector(".chart__note")?.remove();
    await Plotly.react(element, traces, layout, { displayModeBar: false, responsive: true, scrollZoom: false, doubleClick: false });
    drawn.add(element);
  } catch (error) {
    console.warn("chart", error); // the sentence and the table are still there
  }
}

attach("[data-chart]", draw);
attach("script[id$='-data'][type='application/json']", (source) => {
  const element = document.querySelector(`[data-source="${source.id}"]`);
  if (element && drawn.has(element)) {
    element.setAttribute("aria-label", JSON.parse(source.textContent).finding ?? "");
    draw(element);
  }
});
document.addEventListener(THEME_EVENT, () => {
  for (const element of drawn) if (element.isConnected) draw(element);
    else drawn.delete(element);
});

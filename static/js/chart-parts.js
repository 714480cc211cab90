// What charts share: the sheet they are drawn on, axes, lines, words at the right end, and flags.
import { wallClock } from "./local-time.js";

const FLAG_LETTER = 5.8; // px a letter of a flag is wide, about
const FLAG_EDGE = 10;
const LANE = 19;
const LANES = 3;
const NARROW = 520;
const TOP = 26;

// `points` to times as the axis, which knows no zones, is to write them.
export function times(points) {
  return points.map(({ at }) => wallClock(at));
}

export function isNarrow({ clientWidth }) {
  return clientWidth < NARROW;
}

export function axis(t, domain, more) {
  return {
    domain, fixedrange: true, zeroline: false, showline: false, gridcolor: t.line, nticks: 4,
    tickfont: { color: t["text-3"], size: 11 }, rangemode: "tozero", ...more,
  };
}

export function line(t, x, y, hue, name, more) {
  return { x, y, name, type: "scatter", mode: "lines", line: { color: t[`${hue}-fg`], width: 1.5, shape: "linear" }, ...more };
}

export function fade(colour, share) {
  return colour.replace("rgb(", "rgba(").replace(")", `, ${share})`);
}

// Two plain texts: markup in a text would become style attributes, which the CSP refuses.
export function endLabel(t, y, ref, figure, word) {
  const place = { x: 1, xref: "paper", xanchor: "left", xshift: 8, y, yref: ref, showarrow: false };
  return [
    { ...place, yshift: 14, text: figure, font: { size: 11, weight: 600, color: t.text } },
    { ...place, yshift: 1, text: word, font: { size: 11, color: t["text-3"] } },
  ];
}

export function inTheMiddle(t, text) {
  return { x: 0.5, y: 0.5, xref: "paper", yref: "paper", showarrow: false, text, font: { size: 12, color: t["text-3"] } };
}

// Where each flag stands so that none lies on another: `{lane, shift}` in px, or null where all lanes
// are taken. `marks` are {px, label}, from left to right.
export function placed(marks, width) {
  const ends = Array(LANES).fill(-Infinity);
  return marks.map(({ px, label }) => {
    const half = (label.length * FLAG_LETTER + FLAG_EDGE) / 2;
    const centre = Math.max(half - 30, Math.min(px, width + 60 - half)); // the margins have room too
    const lane = ends.findIndex((end) => end <= centre - half);
    if (lane < 0) return null;
    ends[lane] = centre + half + 2;
    return { lane, shift: centre - px };
  });
}

// Dotted verticals through all panes with worded flags; without words where there is no room for any.
// `markers` [{at, label, tone}]; `from` and `until` are the ends of the time axis, as `times` has them.
export function flags(t, markers, { from, until, width, narrow }) {
  const found = markers.map((one) => ({ ...one, x: wallClock(one.at) })).filter(({ x }) => x >= from && x <= until);
  found.sort((a, b) => (a.x < b.x ? -1 : 1));
  const span = Date.parse(until) - Date.parse(from) || 1;
  const px = (x) => ((Date.parse(x) - Date.parse(from)) / span) * width;
  const places = narrow ? [] : placed(found.map(({ x, label }) => ({ px: px(x), label })), width);
  const shapes = found.map(({ x, tone }) => ({
    type: "line", x0: x, x1: x, yref: "paper", y0: 0, y1: 1, line: { color: t[`${tone}-fg`], width: 1, dash: "2px,3px" },
  }));
  const annotations = found.flatMap(({ x, label, tone }, index) => {
    const place = places[index];
    if (!place) return [];
    return [{
      x, y: 1, yref: "paper", yanchor: "bottom", xshift: place.shift, yshift: 2 + LANE * place.lane, text: escape(label), showarrow: false,
      borderpad: 3, font: { size: 10, color: t[`${tone}-fg`] }, bgcolor: t[`${tone}-bg`], bordercolor: t[`${tone}-bd`], borderwidth: 1,
    }];
  });
  const lanes = Math.max(0, ...places.map((place) => (place ? place.lane : 0)));
  return { shapes, annotations, top: narrow ? 12 : TOP + LANE * lanes };
}

// Plotly reads a few HTML tags in texts; a sender's words are shown as they are.
export function escape(text) {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

// Everything of a layout that is the same for all charts; `more` goes over it.
export function sheet(t, { clientHeight: height }, { right, left = 38, top = TOP }, more) {
  return {
    height, margin: { l: left, r: right, t: top, b: 22 }, showlegend: false, autosize: true, dragmode: false,
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", font: { family: t.font, size: 11, color: t["text-3"] },
    hovermode: "x unified", hoversubplots: "axis",
    hoverlabel: { bgcolor: t["surface-3"], bordercolor: t["line-strong"], font: { color: t.text, size: 11 } }, ...more,
  };
}

export function timeAxis(t, { from, until, days, narrow, ...more }) {
  return {
    fixedrange: true, showgrid: false, zeroline: false, showline: false, range: [from, until], nticks: narrow ? 5 : 8,
    tickformat: days ? "%-d %b" : "%H:%M", hoverformat: "%-d %b %H:%M", ticklabelstandoff: 4, tickfont: { color: t["text-3"], size: 11 },
    spikecolor: t["text-3"], spikethickness: 1, spikedash: "2px,2px", ...more,
  };
}

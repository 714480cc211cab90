// Two panes on one time axis: events per minute above, the share that failed below. The last values
// are written at the right end; incidents and changes are dotted verticals with a worded flag.
import { wallClock } from "./local-time.js";

const dash = { green: "1px,3.5px" };

function axis(t, domain, ticks) {
  return {
    domain, fixedrange: true, zeroline: false, showline: false, gridcolor: t.line, nticks: 4,
    tickfont: { color: t["text-3"], size: 11 }, rangemode: "tozero", ...ticks,
  };
}

function line(t, x, y, hue, name, more) {
  return { x, y, name, type: "scatter", mode: "lines", line: { color: t[`${hue}-fg`], width: 1.5, shape: "linear" }, ...more };
}

function fade(colour, share) {
  return colour.replace("rgb(", "rgba(").replace(")", `, ${share})`);
}

// Two plain texts: markup in a text would become style attributes, which the CSP refuses.
function endLabel(t, y, ref, figure, word) {
  const place = { x: 1, xref: "paper", xanchor: "left", xshift: 8, y, yref: ref, showarrow: false };
  return [
    { ...place, yshift: 14, text: figure, font: { size: 11, weight: 600, color: t.text } },
    { ...place, yshift: 1, text: word, font: { size: 11, color: t["text-3"] } },
  ];
}

function flags(t, markers) {
  const shapes = markers.map(({ at, tone }) => ({
    type: "line", x0: at, x1: at, yref: "paper", y0: 0, y1: 1, line: { color: t[`${tone}-fg`], width: 1, dash: "2px,3px" },
  }));
  const annotations = markers.map(({ at, label, tone }) => ({
    x: at, y: 1, yref: "paper", yanchor: "bottom", yshift: 2, text: label, showarrow: false, borderpad: 3,
    font: { size: 10, color: t[`${tone}-fg`] }, bgcolor: t[`${tone}-bg`], bordercolor: t[`${tone}-bd`], borderwidth: 1,
  }));
  return { shapes, annotations };
}

// `points` [{at, events, failed, recovered}] and `markers` as the page's JSON has them; `t` the tokens.
export function rate({ points: all, markers: told, step_seconds: step }, t, { clientWidth: width, clientHeight: height }) {
  // A step that is not over yet would show as a fall.
  const whole = all.filter(({ at }) => Date.parse(at) + step * 1000 <= Date.now());
  const points = whole.length > 1 ? whole : all;
  const x = points.map(({ at }) => wallClock(at));
  const minutes = step / 60;
  const perMinute = points.map(({ events }) => events / minutes);
  const share = points.map(({ events, failed }) => (events ? (100 * failed) / events : 0));
  const recovered = points.map(({ events, recovered: own }) => (events ? (100 * own) / events : 0));
  const markers = told.map((marker) => ({ ...marker, at: wallClock(marker.at) }));
  const narrow = width < 520;
  const shown = narrow ? [] : markers;
  const { shapes, annotations } = flags(t, shown);
  const last = points.length - 1;
  if (last >= 0 && !narrow) {
    annotations.push(...endLabel(t, perMinute[last], "y", Math.round(perMinute[last]).toLocaleString("en"), "events"));
    annotations.push(...endLabel(t, share[last], "y2", `${share[last].toFixed(1)}%`, "failing"));
  }
  const hover = { hovertemplate: "%{y:,.0f} a minute<extra>%{fullData.name}</extra>" };
  const percent = { yaxis: "y2", hovertemplate: "%{y:.1f}%<extra>%{fullData.name}</extra>" };
  const traces = [
    line(t, x, perMinute, "blue", "Events", { ...hover, fill: "tozeroy", fillcolor: fade(t["blue-fg"], 0.1) }),
    line(t, x, share, "red", "Share failing", { ...percent, fill: "tozeroy", fillcolor: fade(t["red-fg"], 0.2) }),
    line(t, x, recovered, "green", "Recovered by itself", { ...percent, line: { color: t["green-fg"], width: 1.5, dash: dash.green } }),
  ];
  const layout = {
    height, margin: { l: 38, r: narrow ? 12 : 74, t: 26, b: 22 }, showlegend: false, autosize: true,
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", font: { family: t.font, size: 11, color: t["text-3"] },
    hovermode: "x unified", hoverlabel: { bgcolor: t["surface-3"], bordercolor: t["line-strong"], font: { color: t.text, size: 11 } },
    xaxis: { fixedrange: true, showgrid: false, zeroline: false, showline: false, anchor: "y2", range: [x[0], x[last]], nticks: narrow ? 5 : 8, tickformat: step * points.length > 172_800 ? "%-d %b" : "%H:%M", hoverformat: "%-d %b %H:%M", tickfont: { color: t["text-3"], size: 11 }, spikecolor: t["text-3"], spikethickness: 1, spikedash: "2px,2px" },
    yaxis: axis(t, [0.42, 1], { tickformat: "~s", ticksuffix: " " }), yaxis2: axis(t, [0, 0.3], { ticksuffix: "% ", nticks: 3, range: [0, Math.max(5, ...share) * 1.1] }),
    shapes, annotations, dragmode: false,
  };
  return { traces, layout };
}

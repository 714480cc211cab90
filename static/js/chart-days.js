// Two bars a day: how many incidents as the rules are, and with the draft.
import { axis, sheet } from "./chart-parts.js";

function bars(t, days, key, hue, name) {
  return {
    x: days.map(({ day }) => day), y: days.map((day) => day[key]), name, type: "bar",
    marker: { color: t[`${hue}-fg`] }, hovertemplate: "%{y:,.0f}<extra>%{fullData.name}</extra>",
  };
}

// `days` [{day, now, draft}] as the page's JSON has them; `t` the tokens.
export function days({ days: all }, t, element) {
  const layout = sheet(t, element, { right: 12, top: 8 }, {
    barmode: "group", bargap: 0.35, yaxis: axis(t, [0, 1], {}),
    xaxis: { type: "category", fixedrange: true, showgrid: false, zeroline: false, tickfont: { color: t["text-3"], size: 11 }, nticks: 8 },
  });
  return { traces: [bars(t, all, "now", "slate", "Now"), bars(t, all, "draft", "blue", "Draft")], layout };
}

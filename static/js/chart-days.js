// Two bars a day: how many incidents as the rules are, and with the draft.

function bars(t, days, key, hue, name) {
  return {
    x: days.map(({ day }) => day), y: days.map((day) => day[key]), name, type: "bar",
    marker: { color: t[`${hue}-fg`] }, hovertemplate: "%{y:,.0f}<extra>%{fullData.name}</extra>",
  };
}

// `days` [{day, now, draft}] as the page's JSON has them; `t` the tokens.
export function days({ days: all }, t, { clientHeight: height }) {
  const ticks = { color: t["text-3"], size: 11 };
  const layout = {
    height, margin: { l: 38, r: 12, t: 8, b: 22 }, showlegend: false, autosize: true, barmode: "group", bargap: 0.35,
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", font: { family: t.font, size: 11, color: t["text-3"] },
    hovermode: "x unified", hoverlabel: { bgcolor: t["surface-3"], bordercolor: t["line-strong"], font: { color: t.text, size: 11 } },
    xaxis: { type: "category", fixedrange: true, showgrid: false, zeroline: false, tickfont: ticks, nticks: 8 },
    yaxis: { fixedrange: true, zeroline: false, gridcolor: t.line, nticks: 4, rangemode: "tozero", tickfont: ticks },
    dragmode: false,
  };
  return { traces: [bars(t, all, "now", "slate", "Now"), bars(t, all, "draft", "blue", "Draft")], layout };
}

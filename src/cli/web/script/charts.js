// Drawing: charts that share one time axis, and a histogram.
const RIGHT = 10;
const left = (width) => width < 500 ? 70 : 84;

// Seconds since the start to pixels. All charts of a page have the same axis.
function timeAxis(from, to, width) {
  const x0 = left(width), span = width - x0 - RIGHT;
  const step = [1, 2, 5, 10, 15, 30, 60, 120, 300].find((s) => (to - from) / s <= span / 70) ?? 600;
  const ticks = [];
  for (let t = Math.ceil(from / step) * step; t <= to; t += step) ticks.push(t);
  const at = (t) => x0 + (t - from) / (to - from) * span;
  return { from, to, width, at, ticks };
}

function verticals(axis, bottom) {
  return axis.ticks.map((t) => `<path class="grid" d="M${axis.at(t).toFixed(1)},0V${bottom}"/>`).join("");
}

function timeLabels(axis, y) {
  return axis.ticks.map((t) => {
    const x = axis.at(t), anchor = x > axis.width - 24 ? "end" : "middle";
    return `<text x="${x.toFixed(1)}" y="${y}" text-anchor="${anchor}">${clock(t)}</text>`;
  }).join("");
}

// Linear from 0 in round steps, whole ones for counts; or logarithmic over whole decades.
function valueAxis(values, top, bottom, { steps = 4, whole = false, log = false } = {}) {
  const most = Math.max(...values, 0);
  if (!log || !most) {
    const step = whole ? roundUp(Math.max(1, most / steps), [1, 2, 5, 10]) : roundUp((most || 1) / steps);
    const high = step * Math.max(1, Math.ceil(most / step - 1e-9));
    const ticks = Array.from({ length: Math.round(high / step) + 1 }, (_, k) => k * step);
    return { at: (v) => bottom - (bottom - top) * v / high, ticks };
  }
  const least = values.reduce((a, b) => b > 0 && b < a ? b : a, most);
  const low = Math.floor(Math.log10(least)), high = Math.max(low + 1, Math.ceil(Math.log10(most)));
  const ticks = Array.from({ length: high - low + 1 }, (_, k) => Math.pow(10, low + k));
  const at = (v) => bottom - (bottom - top) * (Math.log10(Math.max(v, ticks[0])) - low) / (high - low);
  return { at, ticks };
}

function horizontals(axis, width, text) {
  const x0 = left(width);
  return axis.ticks.map((v) => {
    const y = axis.at(v).toFixed(1);
    return `<path class="grid" d="M${x0},${y}H${width - RIGHT}"/>` +
      `<text x="${x0 - 6}" y="${+y + 4}" text-anchor="end">${text(v)}</text>`;
  }).join("");
}

const tidy = (v, unit) => +v.toPrecision(3) + unit;

// A dot for each bin; where a bin stands for several probes a bar from their mean to the slowest.
function drawRtt(svg, state, axis, log) {
  const bottom = 236, seen = state.bins.filter((bin) => bin.mean != null && bin.at >= axis.from);
  const values = seen.flatMap((bin) => [bin.mean / 1000, bin.slowest / 1000]);
  const y = valueAxis(values, 8, bottom, { log });
  const place = (bin) => `M${axis.at(bin.at).toFixed(1)},${y.at(bin.mean / 1000).toFixed(1)}`;
  const slowest = state.stride > 1
    ? seen.map((bin) => place(bin) + `V${y.at(bin.slowest / 1000).toFixed(1)}`).join("") : "";
  svg.innerHTML = verticals(axis, bottom) + horizontals(y, axis.width, (v) => tidy(v, " ms")) +
    `<path class="slowest" d="${slowest}"/>` +
    `<path class="dots" d="${seen.map((bin) => place(bin) + "h0").join("")}"/>`;
}

const LANE = 20;

// A mark for each bin with a probe that was lost or late, in the lane of the place where it happened.
// Injected losses are half as high, so that colour is not the only difference.
function drawLosses(svg, state, axis) {
  const width = axis.width, x0 = left(width), bottom = state.lanes.length * LANE + 4;
  svg.setAttribute("height", bottom);
  const wide = Math.max(2, Math.min(8, (width - x0) / Math.max(state.bins.length, 60) * 0.8));
  let inside = verticals(axis, bottom);
  state.lanes.forEach(({ name, reasons }, row) => {
    const y = 2 + row * LANE;
    inside += `<text x="${x0 - 6}" y="${y + 14}" text-anchor="end">${name}</text>` +
      `<path class="grid" d="M${x0},${y + LANE}H${width - RIGHT}"/>`;
    if (!reasons.length) inside += `<text x="${x0 + 6}" y="${y + 14}">unknown in this dialect</text>`;
    for (const bin of state.bins) {
      if (!bin.not_on_time || bin.at < axis.from) continue;
      const counted = reasons.filter(([label]) => bin.not_on_time[label]);
      const [most] = counted.sort((a, b) => bin.not_on_time[b[0]] - bin.not_on_time[a[0]]);
      if (!most) continue;
      const high = most[2] === "injected" ? (LANE - 5) / 2 : LANE - 5;
      inside += `<rect class="${most[2]}" x="${(axis.at(bin.at) - wide / 2).toFixed(1)}" ` +
        `y="${y + LANE - 2 - high}" width="${wide.toFixed(1)}" height="${high}"/>`;
    }
  });
  svg.innerHTML = inside;
}

// Events second by second, each at its time: a bar or, as a `level`, a line as wide as a bar.
function drawSeconds(svg, seconds, axis, series, text, whole) {
  const bottom = 96, x0 = left(axis.width);
  const seen = seconds.filter((second) => second.second - 1 >= axis.from);
  const y = valueAxis(seen.flatMap((second) => series.map(({ of }) => of(second))), 8, bottom, { steps: 2, whole });
  const wide = Math.max(1, (axis.at(1) - axis.at(0)) * 0.85);
  const mark = (value, second, kind) => {
    const x = Math.max(x0, axis.at(second.second - 1)).toFixed(1), top = y.at(value).toFixed(1);
    return kind === "level" ? `<path class="level" d="M${x},${top}h${wide.toFixed(1)}"/>`
      : `<rect class="${kind}" x="${x}" y="${top}" width="${wide.toFixed(1)}" height="${(bottom - top).toFixed(1)}"/>`;
  };
  const drawn = series.flatMap(({ of, kind }) => seen.map((second) => of(second) ? mark(of(second), second, kind) : ""));
  svg.innerHTML = verticals(axis, bottom) + horizontals(y, axis.width, text) + drawn.join("") + timeLabels(axis, bottom + 16);
}

// Returns where the middle of each bar is.
function drawHistogram(svg, histogram, width) {
  const x0 = left(width), bottom = 176, bars = histogram.bars;
  if (!bars.length) {
    svg.innerHTML = `<text x="${width / 2}" y="90" text-anchor="middle">no reply on time yet</text>`;
    return [];
  }
  const y = valueAxis(bars.map((bar) => bar[2]), 8, bottom, { whole: true }), step = (width - x0 - RIGHT) / bars.length;
  const x = (k) => x0 + k * step;
  const ends = [[bars[0][0], x0, "start"], [bars[bars.length >> 1][0], x(bars.length >> 1), "middle"],
    [bars[bars.length - 1][1], width - RIGHT, "end"]];
  svg.innerHTML = horizontals(y, width, (v) => tidy(v, "")) + bars.map((bar, k) => bar[2]
    ? `<rect class="bar" x="${x(k).toFixed(1)}" y="${y.at(bar[2]).toFixed(1)}" width="${(step * 0.9).toFixed(1)}" ` +
      `height="${(bottom - y.at(bar[2])).toFixed(1)}"/>` : "").join("") +
    ends.map(([us, at, anchor]) => `<text x="${at}" y="${bottom + 16}" text-anchor="${anchor}">${ms(us)}</text>`).join("");
  return bars.map((_, k) => x(k) + step / 2);
}

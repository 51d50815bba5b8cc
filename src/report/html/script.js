"use strict";
// Shows what is pointed at: the nearest probe, the second, the share, the bar.
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const chart = document.getElementById("chart");
  const line = document.getElementById("line");
  const tip = document.getElementById("tip");
  const [viewLeft, viewTop, viewWidth, viewHeight] = data.view;
  const clock = (ns) => (ns / 1e9).toFixed(3) + " s";
  const time = (ns) => ns === null ? "–" : ns < 1e6 ? (ns / 1e3).toFixed(1) + " µs" : (ns / 1e6).toFixed(2) + " ms";
  const rate = (bits) => bits >= 1e6 ? (bits / 1e6).toFixed(2) + " Mbit/s" : (bits / 1e3).toFixed(2) + " kbit/s";
  const place = (x) => data.axis === "time" ? "sent at " + clock(x) : "probe " + x;

  // The row whose first number is nearest; rows ascend by it.
  const nearest = (rows, x) => {
    let low = 0, high = rows.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (rows[middle][0] < x) low = middle + 1; else high = middle;
    }
    return low > 0 && x - rows[low - 1][0] < rows[low][0] - x ? low - 1 : low;
  };

  // Among replies that lie close together the one nearest to the pointer in both directions.
  const nearestReply = (panel, x, at) => {
    const [left, right, top, bottom, [x0, x1], [y0, y1]] = panel;
    const rows = data.replies, middle = nearest(rows, x);
    const px = (v) => left + (v - x0) / (x1 - x0) * (right - left);
    const py = (v) => Math.max(top, bottom - (v - y0) / (y1 - y0) * (bottom - top));
    let best = middle, least = Infinity;
    for (const step of [-1, 1]) {
      for (let k = step > 0 ? middle : middle - 1; k >= 0 && k < rows.length; k += step) {
        const dx = px(rows[k][0]) - at.x;
        if (k !== middle && Math.abs(dx) > 24) break;
        const distance = Math.hypot(dx, py(rows[k][1]) - at.y);
        if (distance < least) { least = distance; best = k; }
      }
    }
    return rows[best];
  };

  const column = (x) => {
    const k = Math.floor(x / data.columns.width), row = data.columns.rows[k];
    if (!row) return null;
    const [sent, missed, p50, p99, max] = row;
    const from = k * data.columns.width, to = from + data.columns.width;
    const title = data.axis === "time" ? clock(from) + " to " + clock(to) : "probes " + from + " to " + (to - 1);
    return { x: from + data.columns.width / 2,
      text: title + "\n" + sent + " sent, " + missed + " not in time\nRTT p50 " + time(p50) + "\nRTT p99 " + time(p99) + "\nslowest " + time(max) };
  };
  const found = {
    rtt: (panel, x, at) => {
      if (!data.replies) return column(x);
      if (!data.replies.length) return null;
      const [sent, rtt, late] = nearestReply(panel, x, at);
      return { x: sent, text: place(sent) + "\nRTT " + time(rtt) + (late ? "\nlate" : "") };
    },
    loss: (panel, x) => {
      if (!data.losses) return column(x);
      if (!data.losses.length) return null;
      const [sent, miss] = data.losses[nearest(data.losses, x)];
      return { x: sent, text: place(sent) + "\nnot in time: " + data.names[miss] };
    },
    second: (panel, x) => {
      const width = data.seconds.width, k = Math.floor(x / 1e9 / width), row = data.seconds.rows[k];
      if (!row) return null;
      const [sent, missed, bits, delay] = row;
      const title = width === 1 ? "second " + (k + 1) : "seconds " + (k * width + 1) + " to " + (k + 1) * width;
      return { x: (k + .5) * width * 1e9,
        text: title + "\n" + sent + " sent, " + missed + " not in time\n" + rate(bits) + "\nmean delay " + time(delay) };
    },
  };
  found.throughput = found.delay = found.second;
  found.cdf = (panel, x) => {
    if (!data.shares.length) return null;
    const row = data.shares.findLast(([rtt]) => rtt <= x);
    return { x, text: "within " + time(Math.round(x)) + "\n" + ((row ? row[1] : 0) * 100).toFixed(2) + " % answered" };
  };
  found.histogram = (panel, x) => {
    const bar = data.bars.find(([from, to]) => x >= from && (to === null || x < to));
    if (!bar) return null;
    const [from, to, count] = bar;
    return { x, text: (to === null ? time(from) + " and more" : time(from) + " to " + time(to)) + "\nreplies in time: " + count };
  };

  // Between a panel's values and its width from 0 to 1.
  const valueAt = ([, , , , [x0, x1], , log], part) => log ? x0 * (x1 / x0) ** part : x0 + part * (x1 - x0);
  const partAt = ([, , , , [x0, x1], , log], x) => log ? Math.log(x / x0) / Math.log(x1 / x0) : (x - x0) / (x1 - x0);

  const hide = () => { line.hidden = tip.hidden = true; };
  const show = (event) => {
    const box = chart.getBoundingClientRect();
    const scale = box.width / viewWidth;
    const at = { x: viewLeft + (event.clientX - box.left) / scale, y: viewTop + (event.clientY - box.top) / scale };
    const hit = Object.entries(data.panels).find(([, [left, right, top, bottom]]) =>
      at.x >= left && at.x <= right && at.y >= top && at.y <= bottom);
    if (!hit) return hide();
    const [name, panel] = hit, [left, right, top, bottom] = panel;
    const result = found[name](panel, valueAt(panel, (at.x - left) / (right - left)), at);
    if (!result) return hide();
    const x = (left + partAt(panel, result.x) * (right - left) - viewLeft) * scale;
    line.style.left = x + "px";
    line.style.top = (top - viewTop) * scale + "px";
    line.style.height = (bottom - top) * scale + "px";
    tip.textContent = result.text;
    line.hidden = tip.hidden = false;
    const beside = x + 12 + tip.offsetWidth > box.width ? x - 12 - tip.offsetWidth : x + 12;
    tip.style.left = beside + "px";
    tip.style.top = Math.max(0, event.clientY - box.top - tip.offsetHeight - 12) + "px";
  };
  chart.addEventListener("pointermove", show);
  chart.addEventListener("pointerdown", show);
  chart.addEventListener("pointerleave", hide);
})();

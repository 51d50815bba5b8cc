"use strict";
// Shows the values under the pointer: the nearest point or mark, or the step that holds there.
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const chart = document.getElementById("chart");
  const line = document.getElementById("line");
  const tip = document.getElementById("tip");
  const [viewLeft, viewTop, viewWidth] = data.view;

  // Between a panel's values and its width from 0 to 1.
  const valueAt = ({ x: [x0, x1], log }, part) => log ? x0 * (x1 / x0) ** part : x0 + part * (x1 - x0);
  const partAt = ({ x: [x0, x1], log }, x) => log ? Math.log(x / x0) / Math.log(x1 / x0) : (x - x0) / (x1 - x0);

  // The first row at or after x; rows ascend.
  const atOrAfter = (rows, x) => {
    let low = 0, high = rows.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (rows[middle][0] < x) low = middle + 1; else high = middle;
    }
    return low;
  };
  const nearest = (rows, x) => {
    const k = atOrAfter(rows, x);
    return k === rows.length || (k > 0 && x - rows[k - 1][0] < rows[k][0] - x) ? k - 1 : k;
  };

  const found = {
    // Among points that lie close together the one nearest to the pointer in both directions.
    points: (panel, x, at) => {
      const [left, right, top, bottom] = panel.box, { rows, y: [y0, y1] } = panel.hover;
      const px = (row) => left + partAt(panel, row[0]) * (right - left);
      const py = (row) => Math.max(top, bottom - (row[2] - y0) / (y1 - y0) * (bottom - top));
      const middle = nearest(rows, x);
      let best = middle, least = Infinity;
      for (const step of [-1, 1]) {
        for (let k = step > 0 ? middle : middle - 1; k >= 0 && k < rows.length; k += step) {
          const dx = px(rows[k]) - at.x;
          if (k !== middle && Math.abs(dx) > 24) break;
          const distance = Math.hypot(dx, py(rows[k]) - at.y);
          if (distance < least) { least = distance; best = k; }
        }
      }
      return rows[best] && [rows[best][0], rows[best][1]];
    },
    marks: (panel, x) => panel.hover.rows[nearest(panel.hover.rows, x)],
    steps: (panel, x) => {
      const { rows } = panel.hover, k = atOrAfter(rows, x);
      const row = rows[k] && rows[k][0] === x ? rows[k] : rows[k - 1];
      return row && x < row[2] && [panel.log ? x : (row[0] + row[2]) / 2, row[1]];
    },
  };

  const hide = () => { line.hidden = tip.hidden = true; };
  const show = (event) => {
    const box = chart.getBoundingClientRect();
    const scale = box.width / viewWidth;
    const at = { x: viewLeft + (event.clientX - box.left) / scale, y: viewTop + (event.clientY - box.top) / scale };
    const panel = data.panels.find(({ box: [left, right, top, bottom] }) =>
      at.x >= left && at.x <= right && at.y >= top && at.y <= bottom);
    if (!panel) return hide();
    const [left, right, top, bottom] = panel.box;
    const result = found[panel.hover.kind](panel, valueAt(panel, (at.x - left) / (right - left)), at);
    if (!result) return hide();
    const x = (left + partAt(panel, result[0]) * (right - left) - viewLeft) * scale;
    line.style.left = x + "px";
    line.style.top = (top - viewTop) * scale + "px";
    line.style.height = (bottom - top) * scale + "px";
    tip.textContent = result[1];
    line.hidden = tip.hidden = false;
    const beside = x + 12 + tip.offsetWidth > box.width ? x - 12 - tip.offsetWidth : x + 12;
    tip.style.left = beside + "px";
    tip.style.top = Math.max(0, event.clientY - box.top - tip.offsetHeight - 12) + "px";
  };
  chart.addEventListener("pointermove", show);
  chart.addEventListener("pointerdown", show);
  chart.addEventListener("pointerleave", hide);
})();

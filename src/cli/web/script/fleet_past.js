// The past of one target: the spread of its round trips, and its losses by cause, over an hour, a day or a week.
const past = {
  SPANS: ["hour", "day", "week"],
  LANES: [["up", "network_up", ["up"]], ["down", "network_down", ["down"]], ["injected", "injected", ["injected_up", "injected_down"]],
    ["hosts", "host", ["refused", "server_overflow", "client_overflow"]], ["late", "late", ["late"]], ["unknown", "unknown", ["unknown"]]],
  span: "hour",
  chosen: null,
  data: null,

  layout: () => `<section id="past" hidden><h2 id="past-title"></h2><p id="past-now"></p>
<div class="spans" role="group" aria-label="how far back">${past.SPANS.map((span) => `<button type="button" data-span="${span}">${span}</button>`).join("")}</div>
${explorable("past-charts", "Round trips and losses", chart("smoke", "Round-trip time: least to largest, 10 to 90 %, median", 176) +
    chart("lanes", "Lost or late by cause: the height is the share of the period's probes", 60))}</section>`,

  start() {
    past.explorer = new Explorer($("past-charts"), $("past-charts-readout"), "Point at a chart, or use the arrow keys, for the values of a period.");
    $("past").querySelector(".spans").addEventListener("click", (event) => {
      if (event.target.dataset.span) { past.span = event.target.dataset.span; past.load(); }
    });
    setInterval(() => last.over || past.load(), 10000);
  },

  choose(group, target) {
    past.chosen = { group, target };
    past.data = null;
    past.load();
  },

  async load() {
    if (!past.chosen) return;
    const { group, target } = past.chosen, { span } = past;
    for (const button of $("past").querySelectorAll("[data-span]")) button.setAttribute("aria-pressed", button.dataset.span === span);
    const answer = await fetch(`/api/past/${encodeURIComponent(group)}/${encodeURIComponent(target)}/${span}`).catch(() => null);
    // Something else may have been chosen meanwhile.
    if (past.chosen.target !== target || past.chosen.group !== group || past.span !== span) return;
    past.data = answer?.ok ? await answer.json() : null;
    past.at = Date.now();
    past.draw();
  },

  // Local time, with as much of the day as the span needs.
  time(ago) {
    const date = new Date(past.at - ago * 1000), two = (x) => String(x).padStart(2, "0");
    const hour = `${two(date.getHours())}:${two(date.getMinutes())}`;
    return past.span === "week" ? `${["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"][date.getDay()]} ${hour}` : hour;
  },

  axis(data, width) {
    const x0 = left(width), at = (t) => x0 + (1 - t / data.length) * (width - x0 - RIGHT);
    const step = { hour: 600, day: 4 * 3600, week: 86400 }[past.span] * (width < 500 ? 2 : 1), ticks = [];
    // At round local times.
    const now = past.at / 1000 - new Date(past.at).getTimezoneOffset() * 60;
    for (let ago = now % step; ago <= data.length; ago += step) ticks.push(ago);
    return { at, width, ticks };
  },

  draw() {
    const { data, chosen } = past;
    if (!chosen) return;
    $("past").hidden = false;
    const { group, target } = chosen, known = last.targets.find((one) => one.group === group && one.target === target);
    $("past-title").textContent = visible(`${fleet.nameOf(known ?? chosen)} (${group}): the past ${past.span}`);
    const [smoke, width] = sized("smoke"), [lanes] = sized("lanes");
    if (!data?.periods.length) {
      smoke.innerHTML = `<text x="${width / 2}" y="90" text-anchor="middle">no probe yet</text>`;
      lanes.innerHTML = "";
      return past.explorer.update([], [], () => "");
    }
    const axis = past.axis(data, width), wide = Math.max(1.5, axis.at(0) - axis.at(data.period));
    // The open period ends now.
    const seen = data.periods.map((period) => ({ ...period, x: Math.max(left(width), axis.at(period.ago)), wide: Math.max(1.5, Math.min(wide, axis.at(0) - axis.at(period.ago))) }));
    past.drawSmoke(smoke, seen, axis);
    past.drawLanes(lanes, seen, axis);
    past.explorer.update(seen.map((period) => period.x + period.wide / 2), seen.map((period) => Math.round(past.at / 1000 - period.ago)), (k) => past.words(seen[k]));
  },

  drawSmoke(svg, seen, axis) {
    const bottom = 168, answered = seen.filter((period) => period.rtt_us);
    const y = valueAxis(answered.map((period) => period.rtt_us[4] / 1000), 8, bottom);
    const band = (period, low, high, kind) => {
      const [top, end] = [y.at(period.rtt_us[high] / 1000), y.at(period.rtt_us[low] / 1000)];
      return `<rect class="${kind}" x="${period.x.toFixed(1)}" y="${top.toFixed(1)}" width="${period.wide.toFixed(1)}" height="${Math.max(1, end - top).toFixed(1)}"/>`;
    };
    const median = answered.map((period) => `M${period.x.toFixed(1)},${y.at(period.rtt_us[2] / 1000).toFixed(1)}h${period.wide.toFixed(1)}`).join("");
    svg.innerHTML = verticals(axis, bottom) + horizontals(y, axis.width, (v) => tidy(v, " ms")) +
      answered.map((period) => band(period, 0, 4, "smoke") + band(period, 1, 3, "smoke")).join("") + `<path class="median" d="${median}"/>`;
  },

  drawLanes(svg, seen, axis) {
    const count = (period, causes) => causes.reduce((sum, cause) => sum + (period.not_on_time[cause] ?? 0), 0);
    const used = past.LANES.filter(([name, , causes]) => ["up", "down"].includes(name) || seen.some((period) => count(period, causes)));
    const bottom = used.length * LANE + 4, x0 = left(axis.width);
    svg.setAttribute("height", bottom + 18);
    svg.innerHTML = verticals(axis, bottom) + used.map(([name, colour, causes], row) => {
      const y = 2 + row * LANE;
      const marks = seen.map((period) => {
        const lost = count(period, causes);
        if (!lost) return "";
        // One loss is visible, and half of the probes fill the lane.
        const high = Math.max(3, Math.min(1, Math.sqrt(2 * lost / period.sent)) * (LANE - 4));
        return `<rect class="${colour}" x="${period.x.toFixed(1)}" y="${(y + LANE - 2 - high).toFixed(1)}" width="${Math.max(2, period.wide).toFixed(1)}" height="${high.toFixed(1)}"/>`;
      }).join("");
      return `<text x="${x0 - 6}" y="${y + 14}" text-anchor="end">${name}</text><path class="grid" d="M${x0},${y + LANE}H${axis.width - RIGHT}"/>${marks}`;
    }).join("") + axis.ticks.map((ago) => `<text x="${axis.at(ago).toFixed(1)}" y="${bottom + 14}" text-anchor="middle">${past.time(ago)}</text>`).join("");
  },

  words(period) {
    const lost = past.LANES.flatMap(([, , causes]) => causes).filter((cause) => period.not_on_time[cause]).map((cause) => `${period.not_on_time[cause]} ${cause.replace("_", " ")}`);
    const rtt = period.rtt_us?.map(ms);
    return `${past.time(period.ago)}: ${period.sent} probes, ${lost.length ? lost.join(", ") : "none lost or late"}` +
      (rtt ? `; RTT ${rtt[0]} to ${rtt[4]}, median ${rtt[2]}` : "");
  },
};

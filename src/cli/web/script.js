"use strict";
const $ = (id) => document.getElementById(id);
const NONE = "–";

// Three figures and a unit, as everywhere else in udpecho.
const fixed = (x) => x.toFixed(x >= 99.95 ? 0 : x >= 9.995 ? 1 : x >= 0.9995 ? 2 : 3);
const ms = (us) => us == null ? NONE : fixed(us / 1000) + " ms";
const percent = (share) => share == null ? NONE
  : String(+(share * 100).toFixed(share >= 0.1 ? 1 : share >= 0.01 ? 2 : share >= 0.001 ? 3 : 4)) + " %";
const rate = (bits) => {
  const [scaled, unit] = bits >= 999.5e6 ? [bits / 1e9, "G"] : bits >= 999.5e3 ? [bits / 1e6, "M"]
    : bits >= 999.5 ? [bits / 1e3, "k"] : [bits, ""];
  return scaled.toFixed(scaled >= 99.95 || scaled === 0 ? 0 : scaled >= 9.995 ? 1 : 2) + " " + unit + "bit/s";
};
const clock = (s) => {
  const two = (x) => String(x).padStart(2, "0"), t = Math.ceil(s);
  return t >= 3600 ? `${Math.floor(t / 3600)}:${two(Math.floor(t / 60) % 60)}:${two(t % 60)}`
    : `${Math.floor(t / 60)}:${two(t % 60)}`;
};
const escape = (text) => String(text).replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`);

// A figure, its exact value beside the text for whoever wants it.
function card(name, value, text, alarm) {
  return `<div><dt>${name}</dt><dd data-name="${name}" data-value="${value ?? ""}"${alarm ? ' class="alarm"' : ""}>` +
    `${text ?? value ?? NONE}</dd></div>`;
}

// The least round number at least as large.
function round(x) {
  const ten = Math.pow(10, Math.floor(Math.log10(x)));
  return [1, 2, 2.5, 5, 10].map((k) => k * ten).find((k) => k >= x * 0.9999) ?? 10 * ten;
}

const LEFT = 78, RIGHT = 12;

function frame(id, title, hint, width, height, inside) {
  return `<section><h2>${title}</h2><svg id="${id}" viewBox="0 0 ${width} ${height}" height="${height}" role="img" ` +
    `aria-label="${escape(title)}">${inside}</svg><p class="hint">${hint}</p></section>`;
}

// Horizontal lines with their values.
function scale(most, top, bottom, width, text) {
  let out = "";
  for (let k = 0; k <= 4; k++) {
    const y = bottom - (bottom - top) * k / 4;
    out += `<line class="grid" x1="${LEFT}" x2="${width - RIGHT}" y1="${y}" y2="${y}"/>` +
      `<text x="${LEFT - 6}" y="${y + 4}" text-anchor="end">${text(most * k / 4)}</text>`;
  }
  return out;
}

// A line for each unbroken stretch; what is missing has no value. A stretch of one is a point.
function stretches(bins, of, x, y, kind) {
  let out = "", stretch = [];
  const flush = () => {
    if (stretch.length === 1) out += `<circle class="reply" cx="${stretch[0][0]}" cy="${stretch[0][1]}" r="2"/>`;
    if (stretch.length > 1) out += `<polyline class="${kind}" points="${stretch.map((p) => p.join(",")).join(" ")}"/>`;
    stretch = [];
  };
  bins.forEach((bin, k) => {
    if (of(bin) == null) flush();
    else stretch.push([x(k).toFixed(1), y(of(bin)).toFixed(1)]);
  });
  flush();
  return out;
}

function rtt(state, width) {
  const bins = state.bins, height = 260, top = 10, bottom = height - 24;
  const most = round(Math.max(1, ...bins.map((b) => b.slowest ?? 0)) / 1000);
  const step = (width - LEFT - RIGHT) / Math.max(bins.length, 60);
  const x = (k) => width - RIGHT - (bins.length - k - 0.5) * step;
  const y = (us) => bottom - (bottom - top) * us / 1000 / most;
  let inside = scale(most, top, bottom, width, (v) => v === 0 ? "0 ms" : +v.toPrecision(3) + " ms");
  if (state.stride > 1) inside += stretches(bins, (b) => b.slowest, x, y, "slowest");
  inside += stretches(bins, (b) => b.mean, x, y, "mean");
  if (bins.length) {
    const ago = (b) => "−" + Math.max(0, state.elapsed - b.at).toFixed(0) + " s";
    inside += `<text x="${x(0)}" y="${height - 6}">${ago(bins[0])}</text>` +
      `<text x="${width - RIGHT}" y="${height - 6}" text-anchor="end">now</text>`;
  }
  const hint = state.stride > 1 ? `The mean of ${state.stride} probes each, above it the slowest.` : "A probe each.";
  let out = frame("rtt", "Round-trip time", hint + " Where nothing came back in time, the line is broken.",
    width, height, inside);
  const lane = 20, lanes = state.lanes.length * lane + 4;
  inside = "";
  state.lanes.forEach(({ name, reasons }, row) => {
    const y0 = 2 + row * lane;
    inside += `<text x="${LEFT - 6}" y="${y0 + 14}" text-anchor="end">${name}</text>` +
      `<line class="grid" x1="${LEFT}" x2="${width - RIGHT}" y1="${y0 + lane}" y2="${y0 + lane}"/>`;
    bins.forEach((bin, k) => {
      const reason = reasons.find(([label]) => bin.not_on_time[label]);
      if (reason) inside += `<rect class="${reason[2]}" x="${(x(k) - Math.max(step, 2) / 2).toFixed(1)}" y="${y0 + 3}" ` +
        `width="${Math.max(step * 0.8, 2).toFixed(1)}" height="${lane - 5}"><title>${reason[1]}</title></rect>`;
    });
  });
  return out + frame("losses", "Not answered in time", "By where it happened; what was done on purpose is purple.",
    width, lanes, inside);
}

function bars(id, title, hint, values, text, width) {
  const height = 150, top = 10, bottom = height - 10, most = round(Math.max(1, ...values));
  const step = (width - LEFT - RIGHT) / Math.max(values.length, 60);
  let inside = scale(most, top, bottom, width, text);
  values.forEach((value, k) => {
    const h = (bottom - top) * value / most;
    inside += `<rect class="bar" x="${(width - RIGHT - (values.length - k) * step).toFixed(1)}" ` +
      `y="${(bottom - h).toFixed(1)}" width="${(step * 0.8).toFixed(1)}" height="${h.toFixed(1)}"/>`;
  });
  return frame(id, title, hint, width, height, inside);
}

function table(title, head, rows) {
  if (!rows.length) return "";
  const cells = (row, tag) => row.map((cell) => `<${tag}>${escape(cell ?? NONE)}</${tag}>`).join("");
  return `<section><h2>${title}</h2><div class="scroll"><table><thead><tr>${cells(head, "th")}</tr></thead><tbody>` +
    rows.map((row) => `<tr>${cells(row, "td")}</tr>`).join("") + "</tbody></table></div></section>";
}

const VIEWS = {
  ping(state, width) {
    const s = state.summary, r = s.rtt_us ?? {};
    $("cards").innerHTML =
      card("sent", s.sent) + card("in time", s.ok) + card("late", s.late, s.late, s.late) +
      card("lost", s.lost, s.lost, s.lost) + card("not in time", s.loss_share, percent(s.loss_share), s.loss_share) +
      card("in flight", state.in_flight) + card("p50", r.p50, ms(r.p50)) + card("p99", r.p99, ms(r.p99)) +
      card("slowest", r.max, ms(r.max)) + card("jitter", s.rtp_jitter_us, ms(s.rtp_jitter_us)) +
      card("duplicates", s.duplicates) + card("reordered", s.reordered);
    $("charts").innerHTML = rtt(state, width) + bars("throughput", "Throughput per second",
      "Replies in time, there and back, by the second in which the probe was sent.",
      state.seconds.map((second) => second.throughput_bps), rate, width);
    $("tables").innerHTML =
      table("Losses by cause", ["cause", "probes"], Object.entries(s.causes)) +
      table("Last seconds", ["second", "sent", "in time", "late", "lost", "throughput (both ways)", "mean delay"],
        state.seconds.slice(-10).reverse().map((x) =>
          [x.second, x.sent, x.ok, x.late, x.lost, rate(x.throughput_bps), ms(x.delay_mean_us)])) +
      table("What happened", ["at", "what", ""], state.events.map((e) => [ms(e.at_us), e.kind, e.text]));
  },
  serve(state, width) {
    const c = state.counters;
    $("cards").innerHTML =
      card("clients", Object.values(c.dialects).reduce((sum, of) => sum + of.clients, 0)) + card("probes a second", state.rate) + card("held", c.held) +
      card("dropped on purpose", c.dropped) + card("refused", c.refused, c.refused, c.refused) + card("loop guard", c.loop_guard) +
      card("received", c.received) + card("sent", c.sent) + card("full buffer", c.overflows, c.overflows, c.overflows);
    $("charts").innerHTML = bars("probes", "Probes per second", "Of all dialects.", state.seconds, (v) => +v.toPrecision(3), width);
    $("tables").innerHTML = table("Clients", ["client", "speaks", "size", "probes", "each second",
      "lost up", "dropped", "silent"], state.clients.map((x) => [x.remote, x.dialect, x.size, x.probes, x.rate,
      x.missing == null ? null : percent(x.missing), x.dropped, ms(x.silent_us)]));
    $("record").href = "/api/server.json";
    $("record").textContent = "/api/server.json";
  },
};

let last = null;

function show(state) {
  last = state;
  document.title = state.title + " · udpecho";
  document.body.dataset.version = state.version;
  $("title").textContent = state.title;
  $("about").textContent = state.about;
  $("injects").textContent = state.injects;
  const left = state.left == null ? "" : `, ${clock(state.left)} left`;
  $("state").textContent = state.over ? "the run is over" : `live, ${clock(state.elapsed)} so far${left}`;
  $("state").className = state.over ? "" : "live";
  VIEWS[state.kind](state, Math.max(300, $("charts").clientWidth));
}

show(JSON.parse($("first").textContent));
addEventListener("resize", () => show(last));
if (!last.over) {
  const events = new EventSource("/events");
  events.onmessage = (event) => show(JSON.parse(event.data));
  events.addEventListener("end", (event) => { show(JSON.parse(event.data)); events.close(); });
  events.onerror = () => {
    $("state").textContent = "no connection any more; these are the last figures";
    $("state").className = "gone";
  };
}

// The page of a run.
const ping = {
  record: "/api/run.json",
  longest: 600,

  layout: () => `<dl class="cards" id="cards"></dl>
<div class="pair">
<div>
${tablePart("percentiles", "Round-trip times", ["", "p50", "p90", "p99", "max", "n"])}
${tablePart("causes", "Losses by cause", ["cause", "probes"])}
</div>
<section><h2>Histogram</h2>${explorable("spread", "Histogram of round-trip times", chart("histogram", "Replies on time, by RTT", 200, " "))}</section>
</div>
<section><h2>Over time</h2>
<label class="option"><input type="checkbox" id="log"> logarithmic RTT</label>
${explorable("timeline", "RTT, losses and throughput over time", chart("rtt", "Round-trip time", 240, " ") +
    chart("losses", "Lost or late, by place", 104, LEGEND) +
    chart("throughput", "Throughput of replies on time, both ways", 116))}
</section>
${tablePart("seconds", "Last seconds", ["second", "sent", "on time", "late", "lost", "throughput (both ways)", "mean RTT"])}
${tablePart("events", "Events", ["at", "kind", ""])}`,

  start(redraw) {
    this.timeline = new Explorer($("timeline"), $("timeline-readout"), "point at a chart, or use the arrow keys, for values");
    this.spread = new Explorer($("spread"), $("spread-readout"), "point at a bar for its count");
    $("log").addEventListener("change", redraw);
  },

  show(state) {
    const s = state.summary, r = s.rtt_us ?? {};
    $("cards").innerHTML =
      card("sent", s.sent) + card("on time", s.ok) + card("late", s.late, s.late, s.late) +
      card("lost", s.lost, s.lost, s.lost) + card("lost or late", s.loss_share, percent(s.loss_share), s.loss_share) +
      card("in flight", state.in_flight) + card("p50", r.p50, ms(r.p50)) + card("p99", r.p99, ms(r.p99)) +
      card("max", r.max, ms(r.max)) + card("jitter (RFC 3550)", s.rtp_jitter_us, ms(s.rtp_jitter_us)) +
      card("duplicates", s.duplicates) + card("reordered", s.reordered);
    fillTable("percentiles", [["on time", s.rtt_us], ["all replies", s.rtt_all_us], ["network", s.net_rtt_us]]
      .map(([name, of]) => [name, ...["p50", "p90", "p99", "max"].map((p) => ms(of?.[p])), of?.n]));
    this.charts(state);
    const names = Object.fromEntries(state.lanes.flatMap(({ reasons }) => reasons.map(([label, name]) => [label, name])));
    fillTable("causes", Object.entries(s.causes).map(([label, probes]) => [names[label] ?? label, probes]));
    fillTable("seconds", state.seconds.slice(-10).reverse().map((x) =>
      [x.second, x.sent, x.ok, x.late, x.lost, bitRate(x.throughput_bps), ms(x.delay_mean_us)]));
    fillTable("events", state.events.map((e) => [clock(e.at_us / 1e6), e.kind, e.text]));
  },

  charts(state) {
    const [rtt, width] = sized("rtt"), to = Math.max(state.elapsed, 10);
    const first = Math.min(state.bins[0]?.at ?? 0, to - 10);
    const axis = timeAxis(Math.max(0, first, to - this.longest), to, width);
    drawRtt(rtt, state, axis, $("log").checked);
    drawLosses(sized("losses")[0], state, axis);
    drawSeconds(sized("throughput")[0], state.seconds, axis, [{ of: (x) => x.throughput_bps, kind: "bar" }], bitRate);
    $("rtt-hint").textContent = state.stride > 1
      ? `A dot is the mean of ${state.stride} probes, the line above it reaches to the slowest.` : "A dot is one probe.";
    const seen = state.bins.filter((bin) => bin.at >= axis.from);
    this.timeline.update(seen.map((bin) => axis.at(bin.at)), seen.map((bin) => bin.seq), (k) => this.moment(state, seen[k]));
    const [histogram, wide] = sized("histogram"), bars = state.histogram.bars;
    $("histogram-hint").textContent = state.histogram.log ? "The axis of time is logarithmic." : "";
    const all = bars.reduce((sum, bar) => sum + bar[2], 0);
    this.spread.update(drawHistogram(histogram, state.histogram, wide), bars.map((_, k) => k), (k) =>
      `${ms(bars[k][0])} to ${ms(bars[k][1])}: ${bars[k][2] === 1 ? "1 reply" : bars[k][2] + " replies"}, ${percent(bars[k][2] / all)}`);
  },

  // All that is known of one moment: the probes there and their second.
  moment(state, bin) {
    const several = state.stride > 1;
    const parts = [`${clock(Math.floor(bin.at))} probe ${bin.seq}` + (several ? ` to ${bin.seq + state.stride - 1}` : "")];
    if (bin.mean != null) parts.push(several ? `mean RTT ${ms(bin.mean)}, slowest ${ms(bin.slowest)}` : `RTT ${ms(bin.mean)}`);
    for (const { reasons } of state.lanes) {
      for (const [label, name] of reasons) {
        const probes = bin.not_on_time?.[label];
        if (probes) parts.push(several ? `${probes} ${name}` : name);
      }
    }
    const second = state.seconds.find((x) => x.second === Math.floor(bin.at) + 1);
    if (second) parts.push(bitRate(second.throughput_bps));
    return parts.join(" · ");
  },
};

const LEGEND = legend([["network_up", "lost on the way up"], ["network_down", "lost on the way down"],
  ["injected", "injected (half as high)"], ["host", "full buffer or limit"], ["late", "late"],
  ["unknown", "cause not known (yet)"]]);

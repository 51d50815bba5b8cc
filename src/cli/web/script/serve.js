// The page of a server.
const serve = {
  record: "/api/server.json",
  longest: 600,

  layout: () => `<dl class="cards five" id="cards"></dl>
<section><h2>Over time</h2>
${explorable("timeline", "Probes, bit rate and missing replies over time", chart("probes", "Probes per second, all dialects", 116) +
    chart("bits", "Received and sent", 116, legend([["bar", "received"], ["line", "sent"]])) +
    chart("unanswered", "Datagrams without a reply, per second", 116, legend([["host", "limits, buffers, keys"], ["injected", "injected"]])))}
</section>
${tablePart("clients", "Clients", ["client", "dialect", "size", "probes", "per second", "lost up", "dropped (injected)", "silent for"])}
${tablePart("reasons", "Datagrams without a reply", ["reason", "datagrams"])}`,

  start() {
    this.timeline = new Explorer($("timeline"), $("timeline-readout"), "point at a chart, or use the arrow keys, for values");
  },

  show(state) {
    const c = state.counters;
    $("cards").innerHTML =
      card("clients", Object.values(c.dialects).reduce((sum, of) => sum + of.clients, 0)) + card("probes per second", state.rate) + card("held", c.held) +
      card("dropped (injected)", c.dropped) + card("refused", c.refused, c.refused, c.refused) + card("loop guard", c.loop_guard) +
      card("sessions opened", c.opened) +
      card("received", c.received) + card("sent", c.sent) + card("full buffer", c.overflows, c.overflows, c.overflows);
    const [probes, width] = sized("probes"), to = Math.max(state.elapsed, 60);
    const axis = timeAxis(Math.max(0, to - 60, ...state.seconds.slice(0, 1).map((x) => Math.min(x.second - 1, to - 60))), to, width);
    const plain = (v) => tidy(v, "");
    drawSeconds(probes, state.seconds, axis, [{ of: (x) => x.probes, kind: "bar" }], plain, true);
    drawSeconds(sized("bits")[0], state.seconds, axis, [{ of: (x) => x.received_bps, kind: "bar" },
      { of: (x) => x.sent_bps, kind: "level" }], bitRate);
    drawSeconds(sized("unanswered")[0], state.seconds, axis, [{ of: (x) => x.refused + x.dropped, kind: "host" },
      { of: (x) => x.dropped, kind: "injected" }], plain, true);
    const seen = state.seconds.filter((x) => x.second - 1 >= axis.from);
    this.timeline.update(seen.map((x) => axis.at(x.second - 0.5)), seen.map((x) => x.second), (k) => {
      const x = seen[k];
      return [`second ${x.second}`, count(x.probes, "probe"), `received ${bitRate(x.received_bps)}`, `sent ${bitRate(x.sent_bps)}`,
        ...(x.load_up_bps + x.load_down_bps ? [`of it load: ${bitRate(x.load_up_bps)} up, ${bitRate(x.load_down_bps)} down`] : []),
        `${x.dropped} dropped (injected)`, `${x.refused} refused`].join(" · ");
    });
    fillTable("clients", state.clients.map((x) => [x.remote, x.dialect, x.size, x.probes, x.rate,
      x.missing == null ? null : percent(x.missing), x.dropped, ms(x.silent_us)]));
    fillTable("reasons", state.reasons.filter(([, datagrams]) => datagrams).map(([label, datagrams]) => [label.replaceAll("_", " "), datagrams]));
  },
};

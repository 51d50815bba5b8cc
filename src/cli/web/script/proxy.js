// The page of a proxy.
const proxy = {
  record: "/api/proxy.json",
  longest: 600,

  layout: () => `<dl class="cards five" id="cards"></dl>
<section><h2>Over time</h2>
${explorable("timeline", "Datagrams, losses and queues over time", chart("up", "Up: datagrams per second toward the server", 116,
    legend([["bar", "arrived"], ["injected", "not passed"]])) +
    chart("down", "Down: datagrams per second toward the client", 116, legend([["bar", "arrived"], ["injected", "not passed"]])) +
    chart("queues", "Wait at the bottleneck", 116, legend([["bar", "up"], ["line", "down"]])))}
</section>
${tablePart("mappings", "Mappings", ["mapping", "line", "arrived", "passed", "lost", "queue", "outage", "other", "held", "queue now"])}
${tablePart("flows", "Flows", ["client", "mapping", "port to the server", "up", "down", "silent for"])}`,

  start() {
    this.timeline = new Explorer($("timeline"), $("timeline-readout"), "point at a chart, or use the arrow keys, for values");
  },

  show(state) {
    const error = state.release_error_us;
    $("cards").innerHTML =
      card("flows", state.flows_now) + card("passed up", state.up.passed) +
      card("lost up", state.lost[0], null, state.lost[0]) +
      card("passed down", state.down.passed) + card("lost down", state.lost[1], null, state.lost[1]) +
      card("held now", state.up.held + state.down.held) + card("release error p50", ms(error.p50)) +
      card("release error p99", ms(error.p99)) + card("release error max", ms(error.max)) +
      card("full buffer", state.up.overflows + state.down.overflows, null, state.up.overflows + state.down.overflows) +
      card("send errors", state.up.send_errors + state.down.send_errors, null, state.up.send_errors + state.down.send_errors);
    const [up, width] = sized("up"), to = Math.max(state.elapsed, 60);
    const axis = timeAxis(Math.max(0, to - 60, ...state.seconds.slice(0, 1).map((x) => Math.min(x.second - 1, to - 60))), to, width);
    const plain = (v) => tidy(v, "");
    for (const [svg, way] of [[up, "up"], [sized("down")[0], "down"]])
      drawSeconds(svg, state.seconds, axis, [{ of: (x) => x[way].arrived, kind: "bar" }, { of: (x) => x[way].lost, kind: "injected" }], plain, true);
    drawSeconds(sized("queues")[0], state.seconds, axis, [{ of: (x) => x.up.queue_us / 1000, kind: "bar" },
      { of: (x) => x.down.queue_us / 1000, kind: "level" }], (v) => tidy(v, " ms"));
    const seen = state.seconds.filter((x) => x.second - 1 >= axis.from);
    this.timeline.update(seen.map((x) => axis.at(x.second - 0.5)), seen.map((x) => x.second), (k) => {
      const x = seen[k];
      const words = (way) => `${way} ${x[way].arrived} arrived, ${x[way].lost} not passed, ${bitRate(x[way].bps)} passed`;
      return [`second ${x.second}`, words("up"), words("down")].join(" · ");
    });
    fillTable("mappings", state.mappings.flatMap((x) => ["up", "down"].map((way) => {
      const { line, arrived, passed, dropped, held, queue_us } = x[way];
      const { lost, queue, outage, ...rest } = dropped;
      const other = Object.values(rest).reduce((sum, count) => sum + count, x[way].send_errors);
      return [`${x.name} ${way}${x.state === "down" ? " (down)" : ""}`, line, arrived, passed, lost, queue, outage, other, held, ms(queue_us)];
    })));
    fillTable("flows", state.flows.map((x) => [x.client, x.mapping, x.port, x.up, x.down, ms(x.idle_us)]));
  },
};

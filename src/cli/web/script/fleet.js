// The page of many targets: the worst first.
const fleet = {
  record: "/api/targets.json",

  layout: () => `<dl class="cards five" id="cards"></dl>
${tablePart("targets", "Targets", ["target", "group", "state", "lost", "of", "loss", "up", "down", "other", "late", "last RTT", "mean RTT", "largest"])}`,

  start() {},

  show(state) {
    const sum = (of) => state.targets.reduce((total, target) => total + of(target), 0);
    const silent = state.targets.filter((target) => target.state !== "measuring").length;
    const lost = sum((target) => target.lost), sent = sum((target) => target.sent);
    $("cards").innerHTML = card("targets", state.targets.length) + card("not answering", silent, silent, silent) +
      card("probes", sent) + card("lost", lost, lost, lost) + card("loss", percent(sent ? lost / sent : null));
    const worst = [...state.targets].sort((a, b) => (b.state !== "measuring") - (a.state !== "measuring") || (b.loss ?? 0) - (a.loss ?? 0));
    fillTable("targets", worst.map((x) => [x.target, x.group, x.state, x.lost, x.sent, percent(x.loss), x.causes.up, x.causes.down,
      x.lost - x.causes.up - x.causes.down, x.late, ms(x.last_us), ms(x.rtt_us?.[1]), ms(x.rtt_us?.[2])]));
  },
};

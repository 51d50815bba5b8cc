// The page of many targets: whose fault it is, all paths, the past of one, the worst.
const fleet = {
  record: "/api/targets.json",
  MOST: 40,
  asked: 0,

  layout: () => `<section id="verdict" aria-live="polite"></section><dl class="cards five" id="cards"></dl>
${matrix.layout()}${past.layout()}
${tablePart("worst", "The worst paths of the last two minutes", ["from", "to", "loss", "lost", "of", "full buffer", "unknown", "median RTT"])}
${tablePart("targets", "Targets", ["target", "group", "state", "lost", "of", "loss", "up", "down", "other", "late", "last RTT", "mean RTT", "largest"])}`,

  start() {
    past.start();
    matrix.start(fleet.choosePath);
    $("targets").querySelector("tbody").addEventListener("click", (event) => {
      const row = event.target.closest("tr");
      if (!row) return;
      const { group, target } = fleet.worst[row.rowIndex - 1];
      fleet.path = null;
      fleet.byHand = true;
      $("past-now").textContent = "";
      past.choose(group, target);
    });
    addEventListener("resize", () => past.draw());
  },

  // A path of this monitor has a past here; that of others has it on the page of its own.
  choosePath(from, to) {
    const { hosts } = matrix.mesh;
    fleet.byHand = true;
    fleet.path = [hosts[from].name, hosts[to].name];
    const target = fleet.sayPath();
    $("past").hidden = false;
    if (target) past.choose(target.group, target.target);
  },

  // Its counts of the last two minutes, again with each new mesh; the target whose past is here, if there is one.
  sayPath() {
    const { hosts } = matrix.mesh, at = (name) => hosts.findIndex((host) => host.name === name);
    const [from, to] = fleet.path.map(at), self = at(last.source), other = from === self ? to : from;
    if (from < 0 || to < 0) return null;
    const [there, back] = [matrix.path(from, to), matrix.path(to, from)], names = [from, to].map((at) => escape(hosts[at].name));
    const target = from === self || to === self ? fleet.targetOf(hosts[other].name) : null;
    const pages = [from, to].filter((at) => !target && hosts[at].page).map((at) => `<a href="${escape(hosts[at].page)}">${escape(hosts[at].name)}</a>`);
    $("past-now").innerHTML = `${names.join(" to ")}: ${paths.words(there)}. Back: ${paths.words(back)}. ` +
      (pages.length ? `Its past is on the page of ${pages.join(" or ")}.` : "");
    return target;
  },

  // The target listed under this name, or else the only one whose server tells it.
  targetOf(name) {
    const named = last.targets.filter((one) => one.host?.name === name);
    return last.targets.find((one) => fleet.hostOf(one.target) === name) ?? (named.length === 1 ? named[0] : null);
  },

  hostOf: (target) => target.startsWith("[") ? target.slice(1).split("]")[0]
    : target.split(":").length === 2 ? target.split(":")[0] : target,

  // With the name that its server tells, where it is listed otherwise.
  nameOf: ({ target, host }) => host?.name && host.name !== fleet.hostOf(target) ? `${host.name} · ${target}` : target,

  async readMesh(version) {
    if (version <= fleet.asked) return;
    fleet.asked = version;
    const answer = await fetch("/api/mesh.json").catch(() => null);
    if (!answer?.ok) return;
    const mesh = await answer.json();
    matrix.show(mesh, last.source);
    if (fleet.path) fleet.sayPath();
    const name = (at) => mesh.hosts[at].short;
    const worst = mesh.list.filter(fleet.isBad).sort((a, b) => fleet.weight(b) - fleet.weight(a)).slice(0, 20);
    fillTable("worst", worst.map((path) => [name(path.from), name(path.to), path.sent ? percent(paths.loss(path)) : "silent", path.lost, path.sent, path.overflow, path.unknown, ms(path.median)]));
  },

  // Until somebody chooses: the past of the first target that loses.
  chooseWorst(target) {
    if (!target || fleet.byHand || fleet.hasLoss) return;
    fleet.hasLoss = target.lost > 0;
    if (!past.chosen || fleet.hasLoss) past.choose(target.group, target.target);
  },

  // Without an answer both directions are silent: one row for either pair, below those with a share.
  isBad: (path) => path.sent ? path.lost || path.unknown : path.unknown && (path.from < path.to || matrix.path(path.to, path.from).sent),
  weight: (path) => path.sent ? path.lost / path.sent : -1,

  show(state) {
    $("verdict").className = state.found ? "found" : "";
    const lines = (texts, kind) => texts.map((line) => `<p class="${kind}">${escape(line)}</p>`).join("");
    const verdict = lines(state.verdict, "") + lines(state.unmeasured, "hint");
    if (fleet.said !== verdict) $("verdict").innerHTML = fleet.said = verdict;
    const sum = (of) => state.targets.reduce((total, target) => total + of(target), 0);
    const silent = state.targets.filter((target) => target.state !== "measuring").length;
    const lost = sum((target) => target.lost), sent = sum((target) => target.sent);
    $("cards").innerHTML = card("targets", state.targets.length) + card("not answering", silent, silent, silent) +
      card("probes", sent) + card("lost", lost, lost, lost) + card("loss", percent(sent ? lost / sent : null));
    const worst = [...state.targets].sort((a, b) => (b.state !== "measuring") - (a.state !== "measuring") || (b.loss ?? 0) - (a.loss ?? 0));
    fleet.worst = worst.slice(0, fleet.MOST);
    const hidden = worst.length - fleet.worst.length;
    $("targets").querySelector("h2").textContent = hidden ? `Targets since the start: the ${fleet.MOST} with the most loss of ${worst.length}` : "Targets since the start";
    fillTable("targets", fleet.worst.map((x) => [fleet.nameOf(x), x.group, x.state, x.lost, x.sent, percent(x.loss), x.causes.up, x.causes.down,
      x.lost - x.causes.up - x.causes.down, x.late, ms(x.last_us), ms(x.rtt_us?.[1]), ms(x.rtt_us?.[2])]));
    fleet.chooseWorst(worst[0]);
    fleet.readMesh(state.mesh);
  },
};

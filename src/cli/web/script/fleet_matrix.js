// All directed paths at once: a matrix of the hosts that monitor each other, or of their racks where there are many;
// for one monitor alone a tile for each target.
const matrix = {
  MOST: 80,
  mesh: null,
  opened: null,

  layout: () => `<section id="mesh" hidden><h2 id="mesh-title"></h2><div class="scroll" tabindex="0" role="region" aria-label="loss by path">` +
    `<div id="mesh-body"></div></div>${paths.legend()}</section>`,

  start(choose) {
    matrix.choose = choose;
    $("mesh-body").addEventListener("click", (event) => {
      const cell = event.target.closest("[data-from]");
      if (!cell) return;
      const [from, to] = [cell.dataset.from, cell.dataset.to];
      if (cell.dataset.group) { matrix.opened = [from, to]; matrix.draw(); } else choose(+from, +to);
    });
    $("mesh-title").addEventListener("click", (event) => {
      if (event.target.closest("button")) { matrix.opened = null; matrix.draw(); }
    });
  },

  show(mesh, source) {
    mesh.list = mesh.paths.map(paths.of);
    const names = new Set(mesh.hosts.map((host) => host.name)), shared = matrix.sharedDomain([...names]);
    for (const host of mesh.hosts) {
      const short = host.name.endsWith(shared) ? host.name.slice(0, host.name.length - shared.length) : host.name;
      host.short = names.has(short) ? host.name : short;
    }
    mesh.between = new Map(mesh.list.map((path) => [path.from * mesh.hosts.length + path.to, path]));
    Object.assign(matrix, { mesh, source });
    matrix.draw();
  },

  // The domain that all names with a domain end in; addresses have none.
  sharedDomain(names) {
    const [first, ...others] = names.filter((name) => /\.[^.]*[a-z][^.]*$/i.test(name)), labels = first?.split(".").slice(1) ?? [];
    const domains = labels.map((_, at) => "." + labels.slice(at).join("."));
    return domains.find((domain) => others.every((name) => name.endsWith(domain))) ?? "";
  },

  path: (from, to) => matrix.mesh.between.get(from * matrix.mesh.hosts.length + to) ?? paths.NONE,

  // By zone, rack and name; n2 before n10.
  sorted() {
    const { hosts } = matrix.mesh, order = new Intl.Collator("en", { numeric: true }).compare;
    const key = (host) => [host.zone, host.rack, host.name];
    return hosts.map((_, at) => at).sort((a, b) => {
      const [one, other] = [key(hosts[a]), key(hosts[b])], at = one.findIndex((part, k) => part !== other[k]);
      return at < 0 ? 0 : order(one[at], other[at]);
    });
  },

  draw() {
    const { mesh } = matrix;
    if (!mesh) return;
    $("mesh").hidden = !mesh.list.length;
    const sorted = matrix.sorted(), group = (at) => mesh.hosts[at].rack || mesh.hosts[at].zone;
    const groups = [...new Set(sorted.map(group))];
    if (mesh.monitors < 2) return matrix.tiles(sorted);
    if (sorted.length <= matrix.MOST) return matrix.table("Loss by path: row sends, column receives", sorted, sorted);
    if (groups.length < 2) return matrix.worst(sorted);
    if (!matrix.opened || !groups.includes(matrix.opened[0])) return matrix.racks(groups, group, sorted);
    const [from, to] = matrix.opened.map((name) => sorted.filter((at) => group(at) === name));
    matrix.table(`Loss from ${matrix.opened.join(" to ")}: row sends, column receives`, from, to, true);
  },

  title(text, back) {
    $("mesh-title").innerHTML = escape(text) + (back ? ' <button type="button">all racks</button>' : "");
  },

  // A host with many targets and no other monitor: what goes there and what comes back.
  tiles(sorted) {
    const { mesh } = matrix, self = mesh.hosts.findIndex((host) => host.name === matrix.source), targets = sorted.filter((at) => at !== self);
    const shown = matrix.mostLoss(targets), title = "Targets: loss on the way there ↑ and back ↓";
    matrix.title(shown.length < targets.length ? `${title}; the ${shown.length} of ${targets.length} with the most loss` : title);
    $("mesh-body").innerHTML = '<div class="tiles">' + shown.map((at) => {
      const [there, back] = [matrix.path(self, at), matrix.path(at, self)];
      const words = escape(`${mesh.hosts[at].name}: there ${paths.words(there)}; back ${paths.words(back)}`);
      return `<button type="button" class="tile" data-from="${self}" data-to="${at}" title="${words}" aria-label="${words}"><span>${escape(mesh.hosts[at].short)}</span>` +
        `<b class="sign ${paths.colour(there)}">↑${paths.glyph(there)}</b><b class="sign ${paths.colour(back)}">↓${paths.glyph(back)}</b></button>`;
    }).join("") + "</div>";
  },

  cell(path, from, to, words, group) {
    if (from === to && !group) return '<td class="self"></td>';
    return `<td class="${paths.colour(path)}" data-from="${escape(from)}" data-to="${escape(to)}"${group ? ' data-group="1"' : ""} ` +
      `title="${escape(words)}: ${paths.words(path)}">${paths.glyph(path)}</td>`;
  },

  // Of these paths, those with a loss.
  lossy(list) {
    const seen = list.filter((path) => path.sent || path.unknown), bad = seen.filter((path) => path.lost || !path.sent).length;
    return `<td class="count${bad ? " alarm" : ""}">${seen.length ? `${bad}/${seen.length}` : ""}</td>`;
  },

  // The last row and column count the paths with a loss. `first` says where a rack begins.
  grid(rows, columns, name, first, cell, between) {
    const begins = (list, k) => first(list, k) ? ' class="first"' : "";
    const head = columns.map((to, k) => `<th scope="col"${begins(columns, k)}><span>${name(to)}</span></th>`).join("");
    const body = rows.map((from, k) => `<tr${begins(rows, k)}><th scope="row">${name(from)}</th>${columns.map((to) => cell(from, to)).join("")}` +
      matrix.lossy(columns.flatMap((to) => between(from, to))) + "</tr>").join("");
    const foot = columns.map((to) => matrix.lossy(rows.flatMap((from) => between(from, to)))).join("");
    $("mesh-body").innerHTML = `<table class="matrix${columns.length > 40 ? " dense" : ""}"><thead><tr><th></th>${head}<th scope="col"><span>lossy</span></th></tr></thead>` +
      `<tbody>${body}</tbody><tfoot><tr><th scope="row">lossy</th>${foot}<td></td></tr></tfoot></table>`;
  },

  table(title, rows, columns, back) {
    const { hosts } = matrix.mesh;
    matrix.title(title, back);
    const first = (list, k) => k > 0 && hosts[list[k]].rack !== hosts[list[k - 1]].rack;
    const cell = (from, to) => matrix.cell(matrix.path(from, to), from, to, `${hosts[from].name} to ${hosts[to].name}`);
    matrix.grid(rows, columns, (at) => escape(hosts[at].short), first, cell, matrix.path);
  },

  racks(groups, group, sorted) {
    const { mesh } = matrix, of = new Map(sorted.map((at) => [at, group(at)])), between = new Map();
    for (const path of mesh.list) {
      const key = JSON.stringify([of.get(path.from), of.get(path.to)]);
      between.set(key, [...between.get(key) ?? [], path]);
    }
    const list = (from, to) => between.get(JSON.stringify([from, to])) ?? [];
    matrix.title(`Loss by rack: row sends, column receives; choose one to see its hosts (${sorted.length} hosts)`);
    const cell = (from, to) => matrix.cell(paths.sum(list(from, to)), from, to, `${from} to ${to}`, true);
    matrix.grid(groups, groups, (name) => escape(name || NONE), () => false, cell, list);
  },

  // At most as many as are shown, in the order of the list.
  mostLoss(sorted) {
    const lost = new Map();
    for (const path of matrix.mesh.list) {
      for (const end of [path.from, path.to]) lost.set(end, (lost.get(end) ?? 0) + path.lost + path.unknown);
    }
    const bad = new Set([...sorted].sort((a, b) => (lost.get(b) ?? 0) - (lost.get(a) ?? 0)).slice(0, matrix.MOST));
    return sorted.filter((at) => bad.has(at));
  },

  // Many hosts without racks or zones.
  worst(sorted) {
    const kept = matrix.mostLoss(sorted);
    matrix.table(`Loss by path: row sends, column receives; the ${kept.length} of ${sorted.length} hosts with the most loss`, kept, kept);
  },
};

// Directed paths of a mesh: their loss, as a glyph with a colour and in words.
const paths = {
  NONE: { sent: 0, lost: 0, overflow: 0, unknown: 0, median: null },
  of: ([from, to, sent, lost, overflow, unknown, median]) => ({ from, to, sent, lost, overflow, unknown, median }),

  loss: (path) => path.sent ? path.lost / path.sent : null,

  // 0 for no loss, 1 below 1 %, 2 below 10 %, 3 from there on, 4 for silence; none without a probe.
  severity(path) {
    if (!path.sent) return path.unknown ? 4 : null;
    const loss = path.lost / path.sent;
    return !path.lost ? 0 : loss < 0.01 ? 1 : loss < 0.1 ? 2 : 3;
  },

  // Full receive buffers have a sign of their own, as have losses whose direction is unknown.
  glyph(path) {
    const severity = paths.severity(path);
    if (severity == null) return "";
    if (severity && severity < 4 && path.overflow * 2 > path.lost) return "◆";
    if (severity < 4 && path.unknown > path.lost) return "?";
    return ["·", "▂", "▄", "█", "×"][severity];
  },

  colour: (path) => ["s0", "s1", "s2", "s3", "s4"][paths.severity(path)] ?? "none",

  words(path) {
    if (!path.sent) return path.unknown ? `no answer to ${path.unknown} probes` : "not measured";
    const parts = [path.lost ? `${percent(path.lost / path.sent)} lost (${path.lost} of ${path.sent})` : `none of ${path.sent} lost`];
    if (path.overflow) parts.push(`${path.overflow} in the receiver's full buffer`);
    if (path.unknown) parts.push(`${path.unknown} more in a direction that is unknown`);
    return parts.join(", ");
  },

  sum(list) {
    const sum = { ...paths.NONE };
    for (const path of list) for (const of of ["sent", "lost", "overflow", "unknown"]) sum[of] += path[of];
    return sum;
  },

  // The meaning of the signs.
  legend: () => `<p class="hint signs">${[["s0", "·", "none"], ["s1", "▂", "below 1 %"], ["s2", "▄", "below 10 %"], ["s3", "█", "10 % or more"],
    ["s2", "◆", "in the receiver's full buffer"], ["s2", "?", "direction unknown"], ["s4", "×", "silent"]].map(([colour, glyph, words]) =>
    `<span class="meaning"><span class="sign ${colour}">${glyph}</span> ${words}</span>`).join(" ")}</p>`,
};

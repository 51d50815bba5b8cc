// Numbers as everywhere else in udpecho: three figures and a unit.
const NONE = "–";
const $ = (id) => document.getElementById(id);
const fixed = (x) => x.toFixed(x >= 99.95 ? 0 : x >= 9.995 ? 1 : x >= 0.9995 ? 2 : 3);
const ms = (us) => us == null ? NONE : fixed(us / 1000) + " ms";
const percent = (share) => share == null ? NONE
  : String(+(share * 100).toFixed(share >= 0.1 ? 1 : share >= 0.01 ? 2 : share >= 0.001 ? 3 : 4)) + " %";
const bitRate = (bits) => {
  const [scaled, unit] = bits >= 999.5e6 ? [bits / 1e9, "G"] : bits >= 999.5e3 ? [bits / 1e6, "M"]
    : bits >= 999.5 ? [bits / 1e3, "k"] : [bits, ""];
  return scaled.toFixed(scaled >= 99.95 || scaled === 0 ? 0 : scaled >= 9.995 ? 1 : 2) + " " + unit + "bit/s";
};
const clock = (s) => {
  const two = (x) => String(x).padStart(2, "0"), t = Math.ceil(s);
  return t >= 3600 ? `${Math.floor(t / 3600)}:${two(Math.floor(t / 60) % 60)}:${two(t % 60)}`
    : `${Math.floor(t / 60)}:${two(t % 60)}`;
};
// Names come from other hosts: controls, changes of direction and letters without width are seen.
const visible = (text) => String(text).replace(/[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g, (c) => `\\u{${c.charCodeAt(0).toString(16)}}`);
const escape = (text) => visible(text).replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`);
const count = (n, one) => `${n} ${one}${n === 1 ? "" : "s"}`;

// The least round number at least as large.
function roundUp(x, steps = [1, 2, 2.5, 5, 10]) {
  const ten = Math.pow(10, Math.floor(Math.log10(x)));
  return steps.map((k) => k * ten).find((k) => k >= x * 0.9999) ?? 10 * ten;
}

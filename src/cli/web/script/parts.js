// The parts of a page: cards, tables, groups of charts.
function card(name, value, text, alarm) {
  return `<div><dt>${name}</dt><dd data-name="${name}" data-value="${value ?? ""}"${alarm ? ' class="alarm"' : ""}>` +
    `${text ?? value ?? NONE}</dd></div>`;
}

const chart = (id, title, height, hint) => `<figure><figcaption>${title}</figcaption>` +
  `<svg id="${id}" height="${height}" role="img" aria-label="${escape(title)}"></svg>` +
  (hint ? `<p class="hint" id="${id}-hint">${hint}</p>` : "") + "</figure>";

const explorable = (id, label, charts) => `<div class="explorable" id="${id}" tabindex="0" role="group" ` +
  `aria-label="${escape(label)}; the arrow keys move a cursor">` +
  `<output id="${id}-readout" class="readout" aria-live="polite"></output>${charts}</div>`;

const tablePart = (id, title, head) => `<section id="${id}" hidden><h2>${title}</h2><div class="scroll" tabindex="0" role="region" ` +
  `aria-label="${escape(title)}"><table><thead><tr>` +
  head.map((cell) => `<th scope="col">${escape(cell)}</th>`).join("") + "</tr></thead><tbody></tbody></table></div></section>";

// Only the rows are replaced, so that the reader's place in a table stays.
// A long name breaks before its port.
function fillTable(id, rows) {
  $(id).hidden = !rows.length;
  $(id).querySelector("tbody").innerHTML = rows.map(([first, ...rest]) =>
    `<tr><th scope="row">${escape(first ?? NONE).replace(/:\d+$/, "<wbr>$&")}</th>` +
    rest.map((cell) => `<td>${escape(cell ?? NONE)}</td>`).join("") + "</tr>").join("");
}

// A unit is a pixel, so that text has its size on every screen.
function sized(id) {
  const svg = $(id), width = Math.max(280, svg.parentNode.clientWidth);
  svg.setAttribute("width", width);
  return [svg, width];
}

// The meaning of each colour.
const legend = (keys) => keys.map(([group, words]) => `<span class="meaning"><span class="key ${group}"></span>${words}</span>`).join(" ");

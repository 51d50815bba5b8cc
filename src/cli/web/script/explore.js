// Values under the pointer or the arrow keys: a cursor through the charts of a group, and a line of
// text that says what is there.
class Explorer {
  constructor(group, readout, hint) {
    Object.assign(this, { group, readout, hint, places: [], describe: () => "", chosen: null });
    readout.textContent = hint;
    group.addEventListener("pointermove", (event) => this.point(event));
    group.addEventListener("pointerdown", (event) => this.point(event));
    group.addEventListener("pointerleave", () => group === document.activeElement || this.choose(null));
    group.addEventListener("keydown", (event) => this.press(event));
    group.addEventListener("blur", () => this.choose(null));
  }

  // The places to choose from: `places` in pixels from the left, each with a name that stays while
  // the charts move on.
  update(places, names, describe) {
    Object.assign(this, { places, names, describe });
    if (this.chosen != null && !names.includes(this.chosen)) this.chosen = null;
    this.show();
  }

  choose(index) {
    this.chosen = index == null ? null : this.names[index];
    this.show();
  }

  point(event) {
    const svg = event.target.closest("svg");
    if (!svg || !this.places.length) return;
    const x = event.clientX - svg.getBoundingClientRect().left;
    let best = 0;
    this.places.forEach((place, k) => { if (Math.abs(place - x) < Math.abs(this.places[best] - x)) best = k; });
    this.choose(best);
  }

  press(event) {
    const last = this.places.length - 1, now = this.names.indexOf(this.chosen);
    const to = { ArrowLeft: now < 0 ? last : now - 1, ArrowRight: now < 0 ? last : now + 1, PageUp: now - 10,
      PageDown: now + 10, Home: 0, End: last }[event.key];
    if (event.key === "Escape") this.choose(null);
    if (to == null || last < 0) return;
    event.preventDefault();
    this.choose(Math.max(0, Math.min(last, to)));
  }

  show() {
    const k = this.chosen == null ? -1 : this.names.indexOf(this.chosen);
    const text = k < 0 ? this.hint : this.describe(k);
    if (this.readout.textContent !== text) this.readout.textContent = text;
    this.readout.classList.toggle("hint", k < 0);
    for (const svg of this.group.querySelectorAll("svg")) {
      svg.querySelector(".cursor")?.remove();
      if (k < 0) continue;
      const line = document.createElementNS(svg.namespaceURI, "path");
      line.setAttribute("class", "cursor");
      line.setAttribute("d", `M${this.places[k]},0V${svg.getAttribute("height")}`);
      svg.append(line);
    }
  }
}

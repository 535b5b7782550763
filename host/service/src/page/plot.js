// The rate of an export over time, as a small curve.

import { rate } from "./words.js";

/** How much of the past is drawn, in milliseconds. */
const SPAN = 60_000;

/** Over how long the rate is taken, in milliseconds: parts are written at once, and what lies between them is no rest. */
const WINDOW = 2_000;

const WIDTH = 300;
const HEIGHT = 56;

export class Plot {
  /** `figure` holds an svg with an area and a curve, and a caption. */
  constructor(figure) {
    this.figure = figure;
    this.seen = [];
    this.rates = [];
  }

  /** The rate of the last moments, in bytes a second; none where too little was seen. */
  get latest() {
    return this.rates.length > 1 ? this.rates.at(-1).rate : null;
  }

  /** So many bytes were written by now. */
  add(bytes, now = performance.now()) {
    const last = this.seen.at(-1);
    if (last && bytes < last.bytes) {
      // It has begun anew.
      this.seen = [];
      this.rates = [];
    }
    if (last && now - last.now < 250) return;
    this.seen.push({ now, bytes });
    while (this.seen.length > 2 && now - this.seen[1].now >= WINDOW) this.seen.shift();
    const first = this.seen[0];
    if (now - first.now >= WINDOW / 2) {
      this.rates.push({ now, rate: ((bytes - first.bytes) * 1000) / (now - first.now) });
    }
    while (this.rates.length > 2 && now - this.rates[1].now > SPAN) this.rates.shift();
    this.draw();
  }

  draw() {
    const { rates, figure } = this;
    figure.hidden = rates.length < 3;
    if (figure.hidden) return;
    const [first, last] = [rates[0].now, rates.at(-1).now];
    // A short past is drawn over the whole width, and shrinks as it grows.
    const span = Math.max(last - first, 1);
    const top = Math.max(...rates.map((point) => point.rate), 1);
    const points = rates.map(({ now, rate }) => {
      const x = (WIDTH * (now - first)) / span;
      const y = HEIGHT - 2 - ((HEIGHT - 6) * rate) / top;
      return `${x.toFixed(1)} ${y.toFixed(1)}`;
    });
    const curve = `M${points.join("L")}`;
    figure.querySelector(".curve").setAttribute("d", curve);
    figure.querySelector(".area").setAttribute("d", `${curve}L${WIDTH} ${HEIGHT}L0 ${HEIGHT}Z`);
    const seconds = Math.round((last - first) / 1000);
    const text = `Rate over the last ${seconds} s, at most ${rate(top)}`;
    figure.querySelector("svg").setAttribute("aria-label", text);
    figure.querySelector("figcaption").textContent = text;
  }
}

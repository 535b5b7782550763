// The rate of an export over time, as a small curve.

import { rate } from "./format.js";

/** How much of the past is drawn, in milliseconds. */
const HISTORY = 60_000;

/** The time over which the rate is averaged, in milliseconds: bytes come a part at a time, with gaps in between. */
const AVERAGING_TIME = 2_000;

const WIDTH = 300;
const HEIGHT = 56;

export class Plot {
  /** `figure` holds an svg with an area and a curve, and a caption. */
  constructor(figure) {
    this.figure = figure;
    this.samples = [];
    this.rates = [];
  }

  /** The latest rate, in bytes a second; null where too little was seen. */
  get latest() {
    return this.rates.length > 1 ? this.rates.at(-1).rate : null;
  }

  /** Adds how many bytes are written by now. */
  add(bytes, now = performance.now()) {
    const last = this.samples.at(-1);
    if (last && bytes < last.bytes) {
      // The export has started over.
      this.samples = [];
      this.rates = [];
    }
    if (last && now - last.now < 250) return;
    this.samples.push({ now, bytes });
    while (this.samples.length > 2 && now - this.samples[1].now >= AVERAGING_TIME) this.samples.shift();
    const first = this.samples[0];
    if (now - first.now >= AVERAGING_TIME / 2) {
      this.rates.push({ now, rate: ((bytes - first.bytes) * 1000) / (now - first.now) });
    }
    while (this.rates.length > 2 && now - this.rates[1].now > HISTORY) this.rates.shift();
    this.draw();
  }

  draw() {
    const { rates, figure } = this;
    figure.hidden = rates.length < 3;
    if (figure.hidden) return;
    const [first, last] = [rates[0].now, rates.at(-1).now];
    // The curve always has the whole width, however short the history.
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
    const text = `Rate over the last ${seconds} s, up to ${rate(top)}`;
    figure.querySelector("svg").setAttribute("aria-label", text);
    figure.querySelector("figcaption").textContent = text;
  }
}

// One export on the page. Its parts are made once and changed in place, so that nobody loses their place in it.

import { download, hasToken } from "./client.js";
import { Plot } from "./plot.js";
import * as words from "./words.js";

const template = document.getElementById("export");

/** Puts text in, and touches nothing where it is there already. */
function put(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function show(element, isShown) {
  if (element.hidden === isShown) element.hidden = !isShown;
}

export class Card {
  /** `acts` has what happens on a press: cancel(card), failed(error). */
  constructor(status, acts) {
    this.acts = acts;
    this.isUnwanted = false;
    this.element = template.content.firstElementChild.cloneNode(true);
    this.element.dataset.id = status.exportId;
    this.at = (selector) => this.element.querySelector(selector);
    this.plot = new Plot(this.at(".plot"));
    this.at("h3").id = `name-${status.exportId}`;
    this.element.setAttribute("aria-labelledby", this.at("h3").id);
    this.at(".bar").setAttribute("aria-labelledby", this.at("h3").id);
    this.update(status);
  }

  /** Shows how the export is doing; true where it has come into another state. */
  update(status) {
    const before = this.status?.status;
    this.status = status;
    const finished = words.isFinished(status);
    const moves = status.status === "running" || status.status === "completing";
    if (finished) this.isUnwanted = false;
    const state = this.isUnwanted ? "cancelling" : status.prunedAt ? "deleted" : status.status;

    this.element.dataset.state = state;
    put(this.at("h3"), words.title(status));
    put(this.at(".about"), `${status.database} · ${status.scheduled ? "by schedule" : "asked for"} at ${words.time(status.createdAt)}`);
    put(this.at(".state"), state);
    this.progress(status, moves);
    this.figures(status, finished);
    if (status.status === "running") this.plot.add(status.bytes);
    else show(this.at(".plot"), false);
    this.trouble(status, finished);
    this.details(status);
    if (this.shownActions !== state + hasToken()) {
      this.shownActions = state + hasToken();
      this.actions(status, finished);
    }
    return before !== undefined && before !== status.status;
  }

  progress(status, moves) {
    const bar = this.at(".bar");
    show(this.at(".progress"), !words.isFinished(status));
    const { done, expected } = status.rows;
    const share = status.status === "completing" ? 1 : expected > 0 ? done / expected : 0;
    // All rows are read before all is written.
    const percent = Math.min(Math.floor(share * 100), status.status === "completing" ? 100 : 99);
    bar.setAttribute("aria-valuenow", percent);
    bar.setAttribute("aria-valuetext", moves ? words.percent(percent) : status.status);
    put(this.at(".percent"), moves ? words.percent(percent) : "");
    this.at(".fill").style.width = `${Math.min(share, 1) * 100}%`;
    this.percent = percent;
  }

  figures(status, finished) {
    const figure = (name) => this.at(`[data-figure="${name}"]`);
    const set = (name, text) => {
      show(figure(name), text !== null);
      if (text !== null) put(figure(name).querySelector("dd"), text);
    };
    const { done, expected } = status.rows;
    const begun = status.status === "running" || status.bytes > 0 || done > 0;
    const rows = finished || !(expected > done) ? words.count(done) : `${words.count(done)} of about ${words.count(expected)}`;
    set("rows", begun ? rows : null);
    set("bytes", begun ? words.bytes(status.bytes) : null);
    const rate = status.status === "running" ? this.plot.latest ?? status.bytesPerSecond : status.bytesPerSecond;
    set("rate", rate > 0 && (status.status === "done" || !finished) ? words.rate(rate) : null);
    const [label, text] = this.end(status, finished);
    set("end", text);
    put(figure("end").querySelector("dt"), label);
  }

  end(status, finished) {
    if (finished) return ["Ended", status.finishedAt && words.time(status.finishedAt)];
    if (status.nextTryAt) return ["Tried again", `in ${words.until(status.nextTryAt)}`];
    if (status.expectedEnd) return ["Expected end", `${words.time(status.expectedEnd)}, in ${words.until(status.expectedEnd)}`];
    return ["", null];
  }

  trouble(status, finished) {
    const error = this.at(".error");
    show(error, status.error !== null && status.status !== "cancelled");
    let text = status.error ?? "";
    if (!finished && status.attempts > 0) text = `Failed ${words.several(status.attempts, "time", "times")}: ${text}`;
    put(error, text);

    const lines = [
      ...status.damaged.map((table) => `The table ${table} could not be read to its end.`),
      ...status.warnings,
    ];
    const warnings = this.at(".warnings");
    show(warnings, lines.length > 0);
    put(warnings.querySelector("summary"), words.several(lines.length, "warning", "warnings"));
    const list = warnings.querySelector("ul");
    if (list.children.length !== lines.length) {
      list.replaceChildren(...lines.map((line) => Object.assign(document.createElement("li"), { textContent: line })));
    }
  }

  details(status) {
    const list = this.at(".more dl");
    for (const [name, text] of [
      ["Where", status.location],
      ["SHA-256", status.sha256],
      ["Tables", `${words.count(status.tables.done)} of ${words.count(status.tables.expected)}`],
      ["Parts", words.count(status.parts)],
      ["Slices", words.count(status.slices)],
      ["Callback", words.callback(status.callback)],
      ["Deleted", status.prunedAt && words.time(status.prunedAt)],
      ["Last moved", words.time(status.movedAt)],
      ["Id", status.exportId],
    ]) {
      let entry = list.querySelector(`[data-name="${name}"]`);
      if (!entry) {
        entry = document.createElement("div");
        entry.dataset.name = name;
        entry.append(document.createElement("dt"), document.createElement("dd"));
        put(entry.firstChild, name);
        list.append(entry);
      }
      show(entry, text !== null);
      put(entry.lastChild, text ?? "");
    }
  }

  actions(status, finished) {
    const place = this.at(".actions");
    const had = place.contains(document.activeElement);
    const described = (element, text, name) => {
      element.textContent = text;
      element.className = name;
      element.setAttribute("aria-describedby", this.at("h3").id);
      return element;
    };
    const button = (text, name, act) => {
      const made = described(document.createElement("button"), text, name);
      made.type = "button";
      made.addEventListener("click", act);
      return made;
    };
    place.replaceChildren();
    const isThere = status.status === "done" && !status.prunedAt;
    if (isThere && hasToken()) {
      place.append(button("Download", "download", () => download(status.downloadUrl).catch(this.acts.failed)));
    } else if (isThere) {
      const link = described(document.createElement("a"), "Download", "button download");
      link.href = status.downloadUrl;
      link.download = "";
      place.append(link);
    } else if (!finished && !this.isUnwanted && !["failing", "cancelling"].includes(status.status)) {
      place.append(button("Cancel", "cancel", () => this.acts.cancel(this)));
    }
    // Who was here is not sent back to the top of the page.
    if (had) (place.querySelector("button, a") ?? this.at(".more summary")).focus();
  }

  /** Somebody has cancelled it: it shows before the service comes to it. */
  unwanted() {
    this.isUnwanted = true;
    this.update(this.status);
  }
}

// One export on the page. Its elements are made once and changed in place, so that they keep focus and selection.

import { download, hasToken } from "./client.js";
import { Plot } from "./plot.js";
import * as format from "./format.js";

const template = document.getElementById("export");

/** Sets a text, unless it is there already. */
function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function setShown(element, isShown) {
  if (element.hidden === isShown) element.hidden = !isShown;
}

export class Card {
  /** `handlers` are called on a click: cancel(card), and on an error: fail(error). */
  constructor(status, handlers) {
    this.handlers = handlers;
    this.isCancelRequested = false;
    this.element = template.content.firstElementChild.cloneNode(true);
    this.element.dataset.id = status.exportId;
    this.at = (selector) => this.element.querySelector(selector);
    this.plot = new Plot(this.at(".plot"));
    this.at("h3").id = `name-${status.exportId}`;
    this.element.setAttribute("aria-labelledby", this.at("h3").id);
    this.at(".bar").setAttribute("aria-labelledby", this.at("h3").id);
    this.update(status);
  }

  /** Shows a status. Returns whether the state has changed. */
  update(status) {
    const before = this.status?.status;
    this.status = status;
    const finished = format.isFinished(status);
    const isMoving = status.status === "running" || status.status === "completing";
    if (finished) this.isCancelRequested = false;
    const state = this.isCancelRequested ? "cancelling" : status.prunedAt ? "deleted" : status.status;

    this.element.dataset.state = state;
    setText(this.at("h3"), format.title(status));
    setText(this.at(".about"), `${status.database} · ${status.scheduled ? "started by a schedule" : "requested"} at ${format.time(status.createdAt)}`);
    setText(this.at(".state"), state);
    this.progress(status, isMoving);
    this.figures(status, finished);
    if (status.status === "running") this.plot.add(status.bytes);
    else setShown(this.at(".plot"), false);
    this.trouble(status, finished);
    this.details(status);
    if (this.shownActions !== state + hasToken()) {
      this.shownActions = state + hasToken();
      this.actions(status, finished);
    }
    return before !== undefined && before !== status.status;
  }

  progress(status, isMoving) {
    const bar = this.at(".bar");
    setShown(this.at(".progress"), !format.isFinished(status));
    const share = status.status === "completing" ? 1 : status.progress ?? 0;
    // All rows are read before everything is written.
    const percent = Math.min(Math.floor(share * 100), status.status === "completing" ? 100 : 99);
    bar.setAttribute("aria-valuenow", percent);
    bar.setAttribute("aria-valuetext", isMoving ? format.percent(percent) : status.status);
    setText(this.at(".percent"), isMoving ? format.percent(percent) : "");
    this.at(".fill").style.width = `${Math.min(share, 1) * 100}%`;
    this.percent = percent;
  }

  figures(status, finished) {
    const figure = (name) => this.at(`[data-figure="${name}"]`);
    const set = (name, text) => {
      setShown(figure(name), text !== null);
      if (text !== null) setText(figure(name).querySelector("dd"), text);
    };
    const { done, expected } = status.rows;
    const hasStarted = status.status === "running" || status.bytes > 0 || done > 0;
    const rows = finished || !(expected > done) ? format.count(done) : `${format.count(done)} of about ${format.count(expected)}`;
    set("rows", hasStarted ? rows : null);
    set("bytes", hasStarted ? format.bytes(status.bytes) : null);
    const rate = status.status === "running" ? this.plot.latest ?? status.bytesPerSecond : status.bytesPerSecond;
    set("rate", rate > 0 && (format.hasMadeObject(status) || !finished) ? format.rate(rate) : null);
    const [label, text] = this.end(status, finished);
    set("end", text);
    setText(figure("end").querySelector("dt"), label);
  }

  end(status, finished) {
    if (finished) return ["Ended", status.finishedAt && format.time(status.finishedAt)];
    if (status.nextTryAt) return ["Next attempt", `in ${format.until(status.nextTryAt)}`];
    if (status.expectedEnd) return ["Expected end", `${format.time(status.expectedEnd)}, in ${format.until(status.expectedEnd)}`];
    return ["", null];
  }

  trouble(status, finished) {
    const error = this.at(".error");
    setShown(error, status.error !== null && status.status !== "cancelled");
    let text = status.error ?? "";
    if (!finished && status.attempts > 0) text = `Failed ${format.plural(status.attempts, "time", "times")}: ${text}`;
    setText(error, text);

    const lines = [
      ...status.damaged.map((table) => `The table ${table} could not be read to the end.`),
      ...status.warnings,
    ];
    const warnings = this.at(".warnings");
    setShown(warnings, lines.length > 0);
    setText(warnings.querySelector("summary"), format.plural(lines.length, "warning", "warnings"));
    const list = warnings.querySelector("ul");
    if (list.children.length !== lines.length) {
      list.replaceChildren(...lines.map((line) => Object.assign(document.createElement("li"), { textContent: line })));
    }
  }

  details(status) {
    const list = this.at(".more dl");
    for (const [name, text] of [
      ["Location", status.location],
      ["SHA-256", status.sha256],
      ["Tables", `${format.count(status.tables.done)} of ${format.count(status.tables.expected)}`],
      ["Parts", format.count(status.parts)],
      ["Slices", format.count(status.slices)],
      ["Callback", format.callback(status.callback)],
      ["Deleted", status.prunedAt && format.time(status.prunedAt)],
      ["Last progress", format.time(status.movedAt)],
      ["Id", status.exportId],
    ]) {
      let entry = list.querySelector(`[data-name="${name}"]`);
      if (!entry) {
        entry = document.createElement("div");
        entry.dataset.name = name;
        entry.append(document.createElement("dt"), document.createElement("dd"));
        setText(entry.firstChild, name);
        list.append(entry);
      }
      setShown(entry, text !== null);
      setText(entry.lastChild, text ?? "");
    }
  }

  actions(status, finished) {
    const place = this.at(".actions");
    const hadFocus = place.contains(document.activeElement);
    const label = (element, text, name) => {
      element.textContent = text;
      element.className = name;
      element.setAttribute("aria-describedby", this.at("h3").id);
      return element;
    };
    const button = (text, name, handler) => {
      const made = label(document.createElement("button"), text, name);
      made.type = "button";
      made.addEventListener("click", handler);
      return made;
    };
    place.replaceChildren();
    const isDownloadable = format.hasMadeObject(status) && !status.prunedAt;
    if (isDownloadable && hasToken()) {
      place.append(button("Download", "download", () => download(status.downloadUrl).catch(this.handlers.fail)));
    } else if (isDownloadable) {
      const link = label(document.createElement("a"), "Download", "button download");
      link.href = status.downloadUrl;
      link.download = "";
      place.append(link);
    } else if (!finished && !this.isCancelRequested && !["failing", "cancelling"].includes(status.status)) {
      place.append(button("Cancel", "cancel", () => this.handlers.cancel(this)));
    }
    // Keep the focus here: without its element it would go to the top of the page.
    if (hadFocus) (place.querySelector("button, a") ?? this.at(".more summary")).focus();
  }

  /** Shows that it is being cancelled, before the service does. */
  requestCancel() {
    this.isCancelRequested = true;
    this.update(this.status);
  }
}

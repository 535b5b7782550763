// The page: lists exports, and starts and cancels them.

import { Card } from "./card.js";
import { ask, download, hasToken, listen, setToken } from "./client.js";
import { announcement, isFinished, percent, title } from "./format.js";

/** How many exports are shown. */
const MAX_SHOWN = 50;

/** How often the list is requested, in milliseconds: with an unfinished export, without one, and in a hidden tab. */
const [BUSY_INTERVAL, IDLE_INTERVAL, HIDDEN_INTERVAL] = [2_000, 10_000, 30_000];

/** How many exports are watched by event streams. A browser opens six connections to a server for all of its tabs. */
const MAX_STREAMS = 2;

const at = (id) => document.getElementById(id);
const cards = new Map();
const streams = new Map();
let databases = null;
let timer = null;
let isRefreshing = false;
let isStale = false;

/** Has screen readers say it. */
function announce(text) {
  at("announcement").textContent = text;
}

/** Shows an error until the next success with the same topic. */
function showError(text, topic) {
  at("notice").textContent = text;
  at("notice").dataset.topic = topic;
  at("notice").hidden = false;
}

function clearError(topic) {
  if (at("notice").dataset.topic === topic) at("notice").hidden = true;
}

function handleError(error) {
  if (error.name === "AbortError") return;
  if (error.status === 401) signIn();
  else showError(error.message, "action");
}

function showConnection(isThere, text) {
  at("line").dataset.there = isThere;
  at("line").textContent = text;
}

// Tokens

function signIn() {
  const wasRefused = hasToken();
  clearTimeout(timer);
  closeStreams();
  setToken(null);
  for (const id of ["start", "exports", "streamed", "leave"]) at(id).hidden = true;
  if (wasRefused) showError("The service does not know this token, or no longer accepts it.", "token");
  showConnection(true, "");
  const isNew = at("sign-in").hidden;
  at("sign-in").hidden = false;
  if (isNew) at("token").focus();
}

at("sign-in").addEventListener("submit", async (event) => {
  event.preventDefault();
  clearError("token");
  setToken(at("token").value.trim());
  at("token").value = "";
  databases = null;
  await refresh();
  if (hasToken() && databases) {
    at("sign-in").hidden = true;
    (databases.keepsExports ? at("begin") : at("dumps").querySelector("button"))?.focus();
  }
});

at("leave").addEventListener("click", () => {
  setToken(null);
  for (const card of cards.values()) card.element.remove();
  cards.clear();
  signIn();
});

// Databases and exports

async function setUp() {
  databases = await ask("GET", "/databases");
  at("sign-in").hidden = true;
  at("leave").hidden = !hasToken();
  at("start").hidden = at("exports").hidden = !databases.keepsExports;
  at("streamed").hidden = databases.keepsExports;
  at("database").replaceChildren(...databases.databases.map((name) => new Option(name, name)));
  if (databases.keepsExports) return;
  at("dumps").replaceChildren(...databases.databases.map((name) => {
    const path = `/export/dump?database=${encodeURIComponent(name)}`;
    const entry = document.createElement("li");
    const control = document.createElement(hasToken() ? "button" : "a");
    control.className = "button";
    control.textContent = `Download the dump of ${name}`;
    if (hasToken()) {
      control.type = "button";
      control.addEventListener("click", () => download(path).catch(handleError));
    } else {
      control.href = path;
      control.download = "";
    }
    entry.append(control);
    return entry;
  }));
}

/** Requests the exports and shows them, again and again. */
async function refresh() {
  clearTimeout(timer);
  // A response that is on its way may not include what has just happened.
  isStale = isRefreshing;
  if (isRefreshing) return;
  isRefreshing = true;
  let next = IDLE_INTERVAL;
  try {
    if (!databases) await setUp();
    if (databases.keepsExports) {
      // One more shows whether there are more.
      const all = await ask("GET", `/exports?limit=${MAX_SHOWN + 1}`);
      show(all);
      if (all.some((status) => !isFinished(status))) next = BUSY_INTERVAL;
    }
    clearError("connection");
    showConnection(true, "connected");
  } catch (error) {
    if (error.status === 401) {
      isRefreshing = false;
      return signIn();
    }
    showConnection(false, "not connected");
    showError(`${error.message} The page will try again in a moment.`, "connection");
    next = BUSY_INTERVAL;
    // It may come back with other databases, or without tokens.
    databases = null;
  }
  isRefreshing = false;
  refreshIn(isStale ? 0 : next);
  isStale = false;
}

function refreshIn(next) {
  clearTimeout(timer);
  timer = setTimeout(refresh, document.hidden ? HIDDEN_INTERVAL : next);
}

function show(all) {
  const shown = all.slice(0, MAX_SHOWN);
  const ids = new Set(shown.map((status) => status.exportId));
  for (const [id, card] of cards) {
    if (ids.has(id)) continue;
    card.element.remove();
    cards.delete(id);
  }
  shown.forEach((status, place) => {
    const known = cards.get(status.exportId);
    if (known) updateCard(known, status);
    const card = known ?? new Card(status, { cancel: confirmCancel, fail: handleError });
    if (!known) cards.set(status.exportId, card);
    const there = at("list").children[place];
    // A card that is in its place is not moved: that would take the focus out of it.
    if (there !== card.element) at("list").insertBefore(card.element, there ?? null);
  });
  at("empty").hidden = shown.length > 0;
  at("count").textContent = shown.length > 0 && all.length <= MAX_SHOWN ? shown.length : "";
  at("rest").hidden = all.length <= MAX_SHOWN;
  at("rest").textContent = `The newest ${MAX_SHOWN} are shown. GET /exports?limit=1000 lists more.`;
  updateTitle();
  watchRunning(shown);
}

/** Shows the progress in the title of the tab. */
function updateTitle() {
  const running = [...cards.values()].filter((card) => card.status.status === "running");
  document.title = running.length > 0 ? `${percent(running[0].percent)} · Partway` : "Partway";
}

function updateCard(card, status) {
  // An event may overtake the response with the list.
  if (isFinished(card.status) && !isFinished(status)) return;
  if (card.update(status)) announce(announcement(status));
}

// Events

function watchRunning(shown) {
  const wanted = document.hidden ? [] : shown.filter((status) => status.status === "running").slice(0, MAX_STREAMS);
  const ids = wanted.map((status) => status.exportId);
  for (const [id, stop] of streams) {
    if (!ids.includes(id)) stop.abort();
  }
  for (const id of ids) {
    if (streams.has(id)) continue;
    const stop = new AbortController();
    streams.set(id, stop);
    listen(id, stop.signal, (status) => {
      const card = cards.get(id);
      if (!card) return;
      updateCard(card, status);
      updateTitle();
      if (isFinished(status)) refreshIn(200);
    })
      // Without events, the list is still requested again and again.
      .catch(() => {})
      .finally(() => streams.delete(id));
  }
}

function closeStreams() {
  for (const stop of streams.values()) stop.abort();
}

document.addEventListener("visibilitychange", () => {
  if (at("sign-in").hidden) refresh();
});

// Starting and cancelling

at("start").addEventListener("submit", async (event) => {
  event.preventDefault();
  // Not disabled: that would take the focus away.
  if (at("begin").getAttribute("aria-busy") === "true") return;
  at("begin").setAttribute("aria-busy", "true");
  clearError("action");
  const database = at("database").value;
  const tables = at("tables").value.split(",").map((name) => name.trim()).filter((name) => name !== "");
  const compress = at("compress").value || null;
  try {
    await ask("POST", "/export/dump", { database, format: at("format").value, tables, compress });
    announce(`An export of ${database} has been started.`);
    await refresh();
  } catch (error) {
    handleError(error);
  }
  at("begin").setAttribute("aria-busy", "false");
});

/** The card whose export is to be cancelled, once that is confirmed. */
let toCancel = null;

function confirmCancel(card) {
  toCancel = card;
  at("ask-text").textContent = `${title(card.status)} is at ${percent(card.percent)}. What it has written to the store will be deleted.`;
  at("ask").showModal();
}

at("keep").addEventListener("click", () => at("ask").close());

at("cancel").addEventListener("click", async () => {
  at("ask").close();
  const card = toCancel;
  clearError("action");
  try {
    await ask("DELETE", `/export/${card.status.exportId}?if=unfinished`);
    card.requestCancel();
    announce(`${title(card.status)} is being cancelled.`);
    refreshIn(200);
  } catch (error) {
    handleError(error);
    // It may have ended meanwhile.
    if (error.status !== 401) refreshIn(200);
  }
});

refresh();

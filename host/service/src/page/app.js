// The page: asks for the exports, shows them, starts and cancels them.

import { Card } from "./card.js";
import { ask, download, hasToken, listen, setToken } from "./client.js";
import { isFinished, news, percent, title } from "./words.js";

/** How many exports are shown. */
const SHOWN = 50;

/** When to ask again, in milliseconds: while something is unfinished, while nothing is, and while nobody sees it. */
const [BUSY, IDLE, UNSEEN] = [2_000, 10_000, 30_000];

/** How many exports are watched event by event. A browser opens six connections to a server for all of its tabs. */
const WATCHED = 2;

const at = (id) => document.getElementById(id);
const cards = new Map();
const watches = new Map();
let databases = null;
let timer = null;
let isAsking = false;
let isStale = false;

function say(text) {
  at("said").textContent = text;
}

/** Shows what went wrong, until something goes right again. `topic` says of what it speaks. */
function notice(text, topic) {
  at("notice").textContent = text;
  at("notice").dataset.topic = topic;
  at("notice").hidden = false;
}

function settle(topic) {
  if (at("notice").dataset.topic === topic) at("notice").hidden = true;
}

function failed(error) {
  if (error.name === "AbortError") return;
  if (error.status === 401) signIn();
  else notice(error.message, "act");
}

function line(isThere, text) {
  at("line").dataset.there = isThere;
  at("line").textContent = text;
}

// Tokens

function signIn() {
  const wasRefused = hasToken();
  clearTimeout(timer);
  stopWatching();
  setToken(null);
  for (const id of ["start", "exports", "streamed", "leave"]) at(id).hidden = true;
  if (wasRefused) notice("The service does not know this token, or not any more.", "token");
  line(true, "");
  const isNew = at("sign-in").hidden;
  at("sign-in").hidden = false;
  if (isNew) at("token").focus();
}

at("sign-in").addEventListener("submit", async (event) => {
  event.preventDefault();
  settle("token");
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

// What there is

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
    const way = document.createElement(hasToken() ? "button" : "a");
    way.className = "button";
    way.textContent = `Download the dump of ${name}`;
    if (hasToken()) {
      way.type = "button";
      way.addEventListener("click", () => download(path).catch(failed));
    } else {
      way.href = path;
      way.download = "";
    }
    entry.append(way);
    return entry;
  }));
}

/** Asks for the exports and shows them; again and again. */
async function refresh() {
  clearTimeout(timer);
  // What is on its way may not have what has just been done.
  isStale = isAsking;
  if (isAsking) return;
  isAsking = true;
  let next = IDLE;
  try {
    if (!databases) await setUp();
    if (databases.keepsExports) {
      // One more tells whether there are more.
      const all = await ask("GET", `/exports?limit=${SHOWN + 1}`);
      show(all);
      if (all.some((status) => !isFinished(status))) next = BUSY;
    }
    settle("line");
    line(true, "connected");
  } catch (error) {
    if (error.status === 401) {
      isAsking = false;
      return signIn();
    }
    line(false, "not connected");
    notice(`${error.message} It is asked again in a moment.`, "line");
    next = BUSY;
    // It may come back as another: with other databases, or without tokens.
    databases = null;
  }
  isAsking = false;
  again(isStale ? 0 : next);
  isStale = false;
}

function again(next) {
  clearTimeout(timer);
  timer = setTimeout(refresh, document.hidden ? UNSEEN : next);
}

function show(all) {
  const shown = all.slice(0, SHOWN);
  const ids = new Set(shown.map((status) => status.exportId));
  for (const [id, card] of cards) {
    if (ids.has(id)) continue;
    card.element.remove();
    cards.delete(id);
  }
  shown.forEach((status, place) => {
    const known = cards.get(status.exportId);
    if (known) tell(known, status);
    const card = known ?? new Card(status, { cancel: askToCancel, failed });
    if (!known) cards.set(status.exportId, card);
    const there = at("list").children[place];
    // What is in its place stays there, with who may be in it.
    if (there !== card.element) at("list").insertBefore(card.element, there ?? null);
  });
  at("empty").hidden = shown.length > 0;
  at("count").textContent = shown.length > 0 && all.length <= SHOWN ? shown.length : "";
  at("rest").hidden = all.length <= SHOWN;
  at("rest").textContent = `The newest ${SHOWN} are shown. GET /exports?limit=1000 lists more.`;
  head();
  watch(shown);
}

/** What the tab says. */
function head() {
  const running = [...cards.values()].filter((card) => card.status.status === "running");
  document.title = running.length > 0 ? `${percent(running[0].percent)} · Partway` : "Partway";
}

function tell(card, status) {
  // An answer may be overtaken by an event.
  if (isFinished(card.status) && !isFinished(status)) return;
  if (card.update(status)) say(news(status));
}

// Events

function watch(shown) {
  const wanted = document.hidden ? [] : shown.filter((status) => status.status === "running").slice(0, WATCHED);
  const ids = wanted.map((status) => status.exportId);
  for (const [id, stop] of watches) {
    if (!ids.includes(id)) stop.abort();
  }
  for (const id of ids) {
    if (watches.has(id)) continue;
    const stop = new AbortController();
    watches.set(id, stop);
    listen(id, stop.signal, (status) => {
      const card = cards.get(id);
      if (!card) return;
      tell(card, status);
      head();
      if (isFinished(status)) again(200);
    })
      // Without events there are still the answers to what is asked again and again.
      .catch(() => {})
      .finally(() => watches.delete(id));
  }
}

function stopWatching() {
  for (const stop of watches.values()) stop.abort();
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
  settle("act");
  const database = at("database").value;
  try {
    await ask("POST", `/export/dump?database=${encodeURIComponent(database)}`);
    say(`The export of ${database} is asked for.`);
    await refresh();
  } catch (error) {
    failed(error);
  }
  at("begin").setAttribute("aria-busy", "false");
});

let unwanted = null;

function askToCancel(card) {
  unwanted = card;
  at("ask-text").textContent = `${title(card.status)} is at ${percent(card.percent)}. What is in the store of it is thrown away.`;
  at("ask").showModal();
}

at("keep").addEventListener("click", () => at("ask").close());

at("cancel").addEventListener("click", async () => {
  at("ask").close();
  const card = unwanted;
  settle("act");
  try {
    await ask("DELETE", `/export/${card.status.exportId}?if=unfinished`);
    card.unwanted();
    say(`${title(card.status)} is being cancelled.`);
    again(200);
  } catch (error) {
    failed(error);
    // It may have come to its end meanwhile.
    if (error.status !== 401) again(200);
  }
});

refresh();

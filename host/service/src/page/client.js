// Asking the service: JSON, events, downloads; with a token where it wants one.

const KEY = "partway-token";

/** The longest that an answer is waited for, in milliseconds: a large database takes a while to be looked at. */
const PATIENCE = 30_000;

let token = sessionStorage.getItem(KEY);

export const hasToken = () => token !== null;

export function setToken(text) {
  token = text;
  if (text === null) sessionStorage.removeItem(KEY);
  else sessionStorage.setItem(KEY, text);
}

/** What the service has refused, in its own words, or that it can't be reached (`status` is 0 then). */
export class Refused extends Error {
  constructor(status, text) {
    super(text);
    this.status = status;
  }
}

async function send(method, path, signal) {
  const headers = token === null ? {} : { authorization: `Bearer ${token}` };
  let response;
  try {
    response = await fetch(path, { method, headers, signal, cache: "no-store" });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refused(0, "The service does not answer.");
  }
  if (response.ok) return response;
  const body = await response.json().catch(() => null);
  throw new Refused(response.status, body?.error ?? `The service has answered with ${response.status}.`);
}

/** The result of an answer in JSON. */
export async function ask(method, path) {
  const response = await send(method, path, AbortSignal.timeout(PATIENCE));
  try {
    return (await response.json()).result;
  } catch {
    throw new Refused(0, "The service has broken off its answer.");
  }
}

/** Calls `told` with each status of an export, until the last one was sent or `signal` ends it. EventSource would do,
 * but can't send a token. */
export async function listen(id, signal, told) {
  const response = await send("GET", `/export/status/${id}/events`, signal);
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const lines = (rest + value).split("\n");
    rest = lines.pop();
    for (const line of lines) {
      // The service sends each event as one line of data; others are its id, and comments that keep the line open.
      if (line.startsWith("data:")) told(JSON.parse(line.slice(5)));
    }
  }
}

/** Has the browser save what `path` leads to, by an address that is good without a token for a minute. */
export async function download(path) {
  const [address, query] = path.split("?");
  const { url } = await ask("GET", `${address}/ticket${query ? `?${query}` : ""}`);
  const link = document.createElement("a");
  link.href = url;
  link.download = "";
  link.click();
}

// Requests to the service: JSON, events, downloads; with a token where it needs one.

const STORAGE_KEY = "partway-token";

/** The time limit for a response, in milliseconds: the schema of a large database takes a while to read. */
const REQUEST_TIMEOUT = 30_000;

let token = sessionStorage.getItem(STORAGE_KEY);

export const hasToken = () => token !== null;

export function setToken(text) {
  token = text;
  if (text === null) sessionStorage.removeItem(STORAGE_KEY);
  else sessionStorage.setItem(STORAGE_KEY, text);
}

/** An error, in the service's own words. `status` is 0 where there was no response. */
export class RequestError extends Error {
  constructor(status, text) {
    super(text);
    this.status = status;
  }
}

async function send(method, path, signal, body) {
  const headers = token === null ? {} : { authorization: `Bearer ${token}` };
  if (body !== undefined) headers["content-type"] = "application/json";
  let response;
  try {
    response = await fetch(path, { method, headers, signal, body, cache: "no-store" });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new RequestError(0, "The service does not respond.");
  }
  if (response.ok) return response;
  const answer = await response.json().catch(() => null);
  throw new RequestError(response.status, answer?.error ?? `The service responded with status ${response.status}.`);
}

/** The result of a request, from its response in JSON. `body`: what is sent as JSON. */
export async function ask(method, path, body) {
  const text = body === undefined ? undefined : JSON.stringify(body);
  const response = await send(method, path, AbortSignal.timeout(REQUEST_TIMEOUT), text);
  try {
    return (await response.json()).result;
  } catch {
    throw new RequestError(0, "The response of the service was cut off.");
  }
}

/** Calls `onStatus` with each status of an export, until the last one or until `signal` ends it. EventSource would do, but
 * can't send a token. */
export async function listen(id, signal, onStatus) {
  const response = await send("GET", `/export/status/${id}/events`, signal);
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const lines = (rest + value).split("\n");
    rest = lines.pop();
    for (const line of lines) {
      // The service sends each event as one line of data. Other lines are ids, and comments that keep the connection open.
      if (line.startsWith("data:")) onStatus(JSON.parse(line.slice(5)));
    }
  }
}

/** Has the browser save what is at `path`, by a signed URL that needs no token for a minute. */
export async function download(path) {
  const [address, query] = path.split("?");
  const { url } = await ask("GET", `${address}/ticket${query ? `?${query}` : ""}`);
  const link = document.createElement("a");
  link.href = url;
  link.download = "";
  link.click();
}

// Callbacks that report the end of an export, signed by Standard Webhooks 1.0: there are libraries that verify them
// for most languages.

import type { Settings } from './options.js';
import { clientState, type ExportRecord, type State } from './state.js';

const BASE64_PREFIX = 'whsec_';
const MIN_SECRET = 16;

/** How long a receiver may take. */
const TIMEOUT_MS = 15_000;

/** A callback that was not delivered is sent again after 2 s, and each time after twice as long, up to an hour. */
const FIRST_WAIT_MS = 2_000;
const MAX_WAIT_MS = 3_600_000;

/** How long after the end of its export a callback is given up. */
const GIVE_UP_MS = 24 * 3_600_000;

/** When a callback is due whose export has ended. */
export function dueAfterEnd(finishedAt: number): number {
  return finishedAt;
}

/** Why a URL can't be called back; null: it can. */
export function callbackUrlError(text: string): string | null {
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    return 'it is not a URL';
  }
  if (url.protocol !== 'https:') return 'callbacks are sent over https';
  if (url.username !== '' || url.password !== '') return 'it has a user or a password: leave them out, and verify the signature instead';
  return null;
}

/** The secret's bytes. */
export function parseSecret(text: string): Uint8Array {
  const bytes = text.startsWith(BASE64_PREFIX)
    ? Uint8Array.from(atob(text.slice(BASE64_PREFIX.length)), (letter) => letter.charCodeAt(0))
    : new TextEncoder().encode(text);
  if (bytes.length < MIN_SECRET) {
    throw new Error(`the callback secret is too short: give at least ${MIN_SECRET} bytes`);
  }
  return bytes;
}

/** The signature of a message: `v1,` and Base64. */
export async function sign(
  secret: Uint8Array,
  id: string,
  timestamp: number,
  body: string,
): Promise<string> {
  const algorithm = { name: 'HMAC', hash: 'SHA-256' };
  const key = await crypto.subtle.importKey('raw', secret, algorithm, false, ['sign']);
  const message = new TextEncoder().encode(`${id}.${timestamp}.${body}`);
  const signature = new Uint8Array(await crypto.subtle.sign('HMAC', key, message));
  return `v1,${btoa(String.fromCharCode(...signature))}`;
}

/** The body of a callback. */
export function callbackMessage(record: ExportRecord, database: string): Record<string, unknown> {
  const isDone = record.status === 'done';
  return {
    exportId: record.id,
    status: clientState(record),
    database,
    format: record.request.format,
    location: isDone ? `r2:${record.key}` : null,
    r2Key: isDone ? record.key : null,
    name: isDone ? record.name : null,
    bytes: record.bytes,
    sha256: record.sha256,
    tables: record.tables,
    rows: record.rows,
    parts: record.parts,
    slices: record.slices,
    error: record.error,
    damaged: record.damaged,
    warnings: record.warnings,
    createdAt: new Date(record.createdAt).toISOString(),
    finishedAt: record.finishedAt === null ? null : new Date(record.finishedAt).toISOString(),
    statusUrl: `/export/status/${record.id}`,
    downloadUrl: `/export/download/${record.id}`,
  };
}

/** Sends the callbacks that are due, one after another. */
export class Callbacks {
  readonly #state: State;
  readonly #settings: Settings;

  constructor(state: State, settings: Settings) {
    this.#state = state;
    this.#settings = settings;
  }

  nextDue(): number | null {
    if (!this.#state.exists) return null;
    return this.#state.nextCallback()?.callback?.nextTryAt ?? null;
  }

  async send(): Promise<void> {
    if (!this.#state.exists) return;
    for (;;) {
      const record = this.#state.nextCallback();
      const due = record?.callback?.nextTryAt;
      if (record === null || due === null || due === undefined || due > Date.now()) return;
      await this.#send(record);
    }
  }

  async #send(record: ExportRecord): Promise<void> {
    const { status, error } = await this.#deliver(record);
    const saved = this.#state.find(record.id);
    if (saved?.callback === null || saved === null) return;
    const { callback } = saved;
    callback.attempts += 1;
    callback.error = error;
    callback.deliveredAt = error === null ? Date.now() : null;
    callback.nextTryAt = error === null || status === 410 ? null : nextTry(saved, callback.attempts);
    this.#state.save(saved);
  }

  /** The response's status, and why it is not a delivery; null: it is. */
  async #deliver(record: ExportRecord): Promise<{ status: number; error: string | null }> {
    try {
      const body = JSON.stringify(callbackMessage(record, this.#settings.database));
      // The same each time it is sent, so that a receiver can tell a repetition.
      const id = `${record.id}-${record.finishedAt}`;
      const timestamp = Math.floor(Date.now() / 1000);
      const secret = parseSecret(this.#settings.callbackSecret ?? '');
      const response = await fetch(record.request.callbackUrl ?? '', {
        method: 'POST',
        redirect: 'manual',
        signal: AbortSignal.timeout(TIMEOUT_MS),
        headers: {
          'content-type': 'application/json',
          'webhook-id': id,
          'webhook-timestamp': String(timestamp),
          'webhook-signature': await sign(secret, id, timestamp, body),
        },
        body,
      });
      await response.body?.cancel();
      const { status } = response;
      return { status, error: response.ok ? null : `the receiver answered with status ${status}` };
    } catch (error) {
      return { status: 0, error: error instanceof Error ? error.message : String(error) };
    }
  }
}

function nextTry(record: ExportRecord, attempts: number): number | null {
  const at = Date.now() + Math.min(FIRST_WAIT_MS * 2 ** (attempts - 1), MAX_WAIT_MS);
  return at <= (record.finishedAt ?? 0) + GIVE_UP_MS ? at : null;
}

// `/export/status/{id}/events`: the status of an export each time it changes, as server-sent events.

import type { Settings } from '../options.js';
import { isFinished, type ExportRecord } from '../state.js';
import { ApiError } from './responses.js';
import { status } from './status.js';

/** How often the status is looked at. */
const CHECK_MS = 500;

/** A stream is silent for at most so many looks: proxies take a longer silence for a broken connection. */
const SILENT_CHECKS = 30;

/** How many streams an object serves at a time. */
const MAX_STREAMS = 256;

/** The id of the last event: a browser's EventSource that connects again shows by it that it has received everything. */
const LAST_ID = 'final';

const encoder = new TextEncoder();

/** The event streams of an object. */
export class EventStreams {
  #open = 0;

  /** The present status, and then each that differs, until the export has ended. `find`: the export as it is saved. */
  respond(request: Request, find: () => ExportRecord, settings: Settings): Response {
    if (this.#open >= MAX_STREAMS) {
      const text = `${MAX_STREAMS} event streams are already open: request the status instead`;
      throw new ApiError(429, text, { 'retry-after': '10' });
    }
    const isKnown = request.headers.get('last-event-id') === LAST_ID;
    // Which tells a browser's EventSource not to connect again.
    if (isFinished(find()) && isKnown) return new Response(null, { status: 204 });
    const headers = {
      'content-type': 'text/event-stream',
      'cache-control': 'no-cache',
      // Otherwise nginx buffers the events.
      'x-accel-buffering': 'no',
    };
    return new Response(this.#events(find, settings), { headers });
  }

  #events(find: () => ExportRecord, settings: Settings): ReadableStream<Uint8Array> {
    this.#open += 1;
    let last: string | null = null;
    const close = (): void => {
      this.#open -= 1;
    };
    return new ReadableStream<Uint8Array>(
      {
        pull: async (controller) => {
          try {
            const next = await nextEvent(find, settings, last);
            last = next.progress;
            controller.enqueue(encoder.encode(next.text));
            if (!next.isFinal) return;
            controller.close();
          } catch {
            // The export is forgotten: a client that connects again is told so.
            controller.close();
          }
          close();
        },
        cancel: close,
      },
      { highWaterMark: 0 },
    );
  }
}

interface NextEvent {
  readonly text: string;
  /** The status without what changes with time alone. */
  readonly progress: string | null;
  readonly isFinal: boolean;
}

/** Waits for a status that differs from the last one, or for so long that a sign of life is due. */
async function nextEvent(find: () => ExportRecord, settings: Settings, last: string | null): Promise<NextEvent> {
  for (let silent = 0; silent < SILENT_CHECKS; silent++) {
    if (last !== null) await scheduler.wait(CHECK_MS);
    const record = find();
    const now = status(record, settings);
    const progress = JSON.stringify({ ...now, bytesPerSecond: null, expectedEnd: null });
    if (progress === last) continue;
    const isFinal = isFinished(record);
    return { text: `data: ${JSON.stringify(now)}\n${isFinal ? `id: ${LAST_ID}\n` : ''}\n`, progress, isFinal };
  }
  return { text: ':\n\n', progress: last, isFinal: false };
}

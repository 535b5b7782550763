// Without a bucket, a dump is streamed in the response as it is made, and not kept.
//
// The state of the database is kept while it is read, as for an export to R2. If the client goes away or the object is
// evicted, an alarm removes what keeps it.

import { BLOCK_SIZE, Codec } from './codec.js';
import { Component } from './component.js';
import type { Settings } from './options.js';
import type { ScanMemory } from './rows/rows.js';
import { firstCheckpoint, runSlice } from './slice.js';
import { Snapshot } from './snapshot/snapshot.js';
import { optionsOf, type ExportRequest } from './state.js';
import type { Turns } from './turns.js';

/** The size of the pieces that are sent, and how many are made at a time. */
const PART_SIZE = BLOCK_SIZE;
const SLICE_PARTS = 2;

/** How long a client may read nothing. */
const STALL_MS = 60_000;

/** Another dump is being streamed. */
export class StreamIsBusy extends Error {
  override readonly name = 'StreamIsBusy';
}

/** A dump that is being streamed. */
interface Running {
  readonly snapshot: Snapshot;
  readonly component: Component;
  readonly memory: ScanMemory;
  /** What compresses the pieces, if anything does; and how many bytes they had before, and each has after. */
  readonly codec: Codec | null;
  length: number;
  readonly sizes: number[];
  checkpoint: string | null;
  parts: number;
  /** When the client last took something. */
  readAt: number;
}

export class Streams {
  readonly #storage: DurableObjectStorage;
  readonly #settings: Settings;
  readonly #guard: () => void;
  readonly #turns: Turns;
  #running: Running | null = null;

  /** `guard`: throws if no export may start now. */
  constructor(storage: DurableObjectStorage, settings: Settings, guard: () => void, turns: Turns) {
    this.#storage = storage;
    this.#settings = settings;
    this.#guard = guard;
    this.#turns = turns;
  }

  /** When to look whether a dump has been left alone; null: there is none. */
  nextDue(): number | null {
    const query = "SELECT count(*) FROM sqlite_master WHERE name = 'tmp_export_snapshot'";
    if ([...this.#storage.sql.exec(query).raw()][0]?.[0] === 0) return null;
    return this.#running === null ? 0 : this.#running.readAt + STALL_MS;
  }

  /** Removes what a dump has left that nobody reads any more. */
  sweep(): void {
    const due = this.nextDue();
    if (due !== null && due <= Date.now()) this.#end();
  }

  /** The dump of the present state. Its first pieces are made now, so that what fails early is told. */
  open(request: ExportRequest): ReadableStream<Uint8Array> {
    if (this.#running !== null && this.#running.readAt + STALL_MS > Date.now()) {
      throw new StreamIsBusy('a dump is being streamed: try again when it has ended');
    }
    this.#guard();
    const running = this.#storage.transactionSync((): Running => {
      const { sql } = this.#storage;
      const { consistency, maxSnapshotBytes } = this.#settings;
      const snapshot = Snapshot.open(sql, consistency, maxSnapshotBytes, request);
      const checkpoint = firstCheckpoint(sql, snapshot, optionsOf(request, PART_SIZE, sql.databaseSize));
      const codec = request.compress === null ? null : new Codec(request.compress);
      const component = new Component(request.format);
      const reading = { component, memory: { paused: null }, codec, length: 0, sizes: [] };
      return { snapshot, ...reading, checkpoint, parts: 0, readAt: Date.now() };
    });
    this.#running = running;
    const head = running.codec?.start().head ?? new Uint8Array(0);
    let first: Uint8Array[] | null = [head, ...this.#next(running)].filter(({ length }) => length > 0);
    let isCancelled = false;
    return new ReadableStream<Uint8Array>(
      {
        // The stream pulls again only when this has ended.
        pull: async (controller) => {
          let parts = first ?? this.#next(running);
          first = null;
          this.#turns.begin();
          // Nobody pulls again where nothing has come. A look at the rows makes nothing for long.
          while (parts.length === 0 && running.checkpoint !== null) {
            await this.#turns.give(this.#settings.budget);
            if (isCancelled) return;
            parts = this.#next(running);
          }
          for (const part of parts) controller.enqueue(part);
          if (running.checkpoint === null) controller.close();
        },
        cancel: () => {
          isCancelled = true;
          this.#end(running);
        },
      },
      { highWaterMark: 0 },
    );
  }

  /** The next pieces; behind the last ones, the checkpoint is null. */
  #next(running: Running): Uint8Array[] {
    try {
      if (this.#running !== running) throw new Error('the client has read nothing for too long');
      running.readAt = Date.now();
      const loss = running.snapshot.check(this.#settings.maxSnapshotBytes);
      if (loss !== null) throw new Error(`the database was changed while it was streamed (${loss})`);
      const { outcome, parts } = runSlice({
        component: running.component,
        sql: this.#storage.sql,
        view: running.snapshot,
        memory: running.memory,
        checkpoint: running.checkpoint ?? '',
        written: running.parts,
        maxTotalParts: Infinity,
        partSize: PART_SIZE,
        maxParts: SLICE_PARTS,
        budget: this.#settings.budget,
      });
      running.parts += parts.length;
      running.checkpoint = outcome.tag === 'more' ? outcome.val.checkpoint : null;
      if (outcome.tag === 'done') this.#end(running);
      return encoded(running, parts.map(({ bytes }) => bytes));
    } catch (error) {
      this.#end(running);
      throw error;
    }
  }

  #end(running: Running | null = this.#running): void {
    if (running !== this.#running) return;
    this.#running = null;
    Snapshot.remove(this.#storage.sql);
  }
}

/** Pieces of a dump as they are sent, and its end behind the last one. */
function encoded(running: Running, pieces: Uint8Array[]): Uint8Array[] {
  const { codec, sizes } = running;
  if (codec === null) return pieces;
  const blocks = pieces.map((piece) => {
    const block = codec.encode(sizes.length + 1, piece);
    running.length += piece.length;
    sizes.push(block.length);
    return block;
  });
  if (running.checkpoint !== null) return blocks;
  const tail = codec.finish(running.length, sizes);
  return tail.length > 0 ? [...blocks, tail] : blocks;
}

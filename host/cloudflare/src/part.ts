// One part of the object, made of small pieces: each is a slice of its own, and between two of them others in the object
// have their turn. Pieces are the component's parts: their size does not change the object's bytes.

import type { Component, Outcome } from './component.js';
import type { Encoded } from './encoded.js';
import type { Budget } from './pacing.js';
import type { PartBuffers } from './part_buffers.js';
import type { ScanMemory, View } from './rows/rows.js';
import { runSlice } from './slice.js';
import type { Turns } from './turns.js';

/** The longest checkpoint, in characters: it is in a row of the object's database, which takes 2 MB, with some more. */
const MAX_CHECKPOINT = 1_900_000;

/** A checkpoint is longer than what can be saved. */
export class CheckpointIsTooLong extends Error {
  override readonly name = 'CheckpointIsTooLong';
}

/** Where the next part begins. */
export interface Place {
  /** Null: the component has made all. */
  readonly checkpoint: string | null;
  /** How far the object is, if it is compressed. */
  readonly encoded: Encoded | null;
}

export interface MadePart {
  readonly number: number;
  /** Empty only if the object ended with the part before, or if it is compressed. */
  readonly bytes: Uint8Array;
  /** The buffer that they are in, of the size of a part. */
  readonly buffer: Uint8Array;
  /** Of the last slice; null: there was none. */
  readonly outcome: Outcome | null;
  readonly slices: number;
  readonly next: Place;
  /** Whether the object ends with it. */
  readonly isLast: boolean;
  /** How much work it was, in parts that are not compressed. */
  readonly cost: number;
}

/** What a part is made of. */
export interface PartSource {
  readonly component: Component;
  readonly sql: SqlStorage;
  readonly view: View;
  readonly memory: ScanMemory;
  readonly checkpoint: string;
  readonly number: number;
  readonly partSize: number;
  /** The size of the component's parts. */
  readonly pieceSize: number;
  /** How many parts there may be. */
  readonly maxParts: number;
  readonly buffers: PartBuffers;
  readonly budget: Budget;
  readonly turns: Turns;
  /** Whether the export still goes on, asked after others had their turn. */
  readonly isWanted: () => boolean;
}

/** Makes a part; null: it is no longer wanted. Nobody else runs between its last slice and the return. */
export async function makePart(source: PartSource): Promise<MadePart | null> {
  const { component, sql, view, memory, number, partSize, budget, turns } = source;
  const size = source.pieceSize;
  const pieces = partSize / size;
  const maxTotalParts = source.maxParts * pieces;
  const buffer = source.buffers.take(partSize);
  let { checkpoint } = source;
  let [made, length] = [0, 0];
  for (let slices = 1; ; slices++) {
    const maxParts = Math.min(turns.isBusy ? budget.busySlicePieces : budget.slicePieces, pieces - made);
    const written = (number - 1) * pieces + made;
    const { outcome, parts } = runSlice({
      component, sql, view, memory, checkpoint, written, maxTotalParts, partSize: size, maxParts, budget,
    });
    for (const piece of parts) {
      buffer.set(piece.bytes, length);
      length += piece.bytes.length;
      made += 1;
    }
    if (outcome.tag === 'done' || made === pieces) {
      checkLength(outcome);
      const isLast = outcome.tag === 'done';
      const next = { checkpoint: isLast ? null : outcome.val.checkpoint, encoded: null };
      return { number, bytes: buffer.subarray(0, length), buffer, outcome, slices, next, isLast, cost: 1 };
    }
    checkpoint = outcome.val.checkpoint;
    await turns.give(budget);
    if (!source.isWanted()) {
      source.buffers.give(buffer);
      return null;
    }
  }
}

/** The checkpoints of SQL and text are short; those of Parquet name each column of each row group. */
export function checkLength(outcome: Outcome): void {
  if (outcome.tag === 'done' || outcome.val.checkpoint.length <= MAX_CHECKPOINT) return;
  throw new CheckpointIsTooLong(
    `the table has too many columns for its length: after ${outcome.val.progress.rows} rows, what is known of its row groups no longer fits into a row of the object's database; export it as csv or ndjson`,
  );
}

// A compressed object: the component's dump in blocks of 1 MiB, each compressed by itself, and parts of what comes of them.
//
// Between two blocks an export can stop: how far it is are the component's checkpoint, the blocks' number and sizes, and the
// compressed bytes that make no whole part yet, less than one.

import { BLOCK_SIZE, cost, describe, type Codec } from './codec.js';
import { ExportError, type Outcome } from './component.js';
import { makePart, type MadePart, type PartSource } from './part.js';
import type { PartBuffers } from './part_buffers.js';
import { ENCODED_PIECE, MAX_PARTS } from './parts.js';

/** How far a compressed object is. */
export interface Encoded {
  readonly blocks: number;
  /** The bytes in them, before they were compressed. */
  readonly length: number;
  /** The sizes of these blocks, and perhaps of later ones. */
  readonly sizes: readonly number[];
  /** The compressed bytes that are in no part yet. */
  readonly carry: Uint8Array;
  /** Whether all is compressed, and the end is in `carry` or a part. */
  readonly isEnded: boolean;
}

/** Before the first block. */
export function notBegun(compress: string): Encoded {
  return { blocks: 0, length: 0, sizes: [], carry: describe(compress).head, isEnded: false };
}

/** What a part of a compressed object is made of. */
export interface EncodedSource extends Omit<PartSource, 'checkpoint' | 'buffers'> {
  readonly compress: string;
  readonly codec: Codec;
  readonly checkpoint: string | null;
  readonly from: Encoded;
  /** Of parts, and of blocks. */
  readonly buffers: PartBuffers;
  readonly blockBuffers: PartBuffers;
}

/**
 * Makes the next part. It is empty if so many blocks make none: then how far it is can be saved nevertheless. Null: it is
 * no longer wanted.
 */
export async function makeEncodedPart(source: EncodedSource): Promise<MadePart | null> {
  const { compress, codec, from, partSize, budget, turns, number } = source;
  if (number > MAX_PARTS) {
    throw new ExportError({ tag: 'too-large', val: `R2 takes no object of more than ${MAX_PARTS} parts` });
  }
  const maxBlocks = Math.max(1, Math.floor(budget.encodedBlocks / cost(compress)));
  const sizes = from.sizes as number[];
  const ready = [from.carry];
  let { checkpoint } = source;
  let { blocks, length: decoded, isEnded } = from;
  let [readyBytes, slices] = [from.carry.length, 0];
  let outcome: Outcome | null = null;
  const append = (bytes: Uint8Array): void => {
    ready.push(bytes);
    readyBytes += bytes.length;
  };
  for (let made = 0; checkpoint !== null && readyBytes < partSize && made < maxBlocks; made++) {
    const block = await makePart({
      ...source, checkpoint, number: blocks + 1, partSize: BLOCK_SIZE, pieceSize: ENCODED_PIECE, maxParts: Infinity, buffers: source.blockBuffers,
    });
    if (block === null) return null;
    outcome = block.outcome;
    checkpoint = block.next.checkpoint;
    slices += block.slices;
    if (block.bytes.length > 0) {
      // Others had no turn since the last slice: the block takes one more, of some milliseconds.
      await turns.give(budget);
      const encoded = codec.encode(blocks + 1, block.bytes);
      sizes.length = blocks;
      sizes.push(encoded.length);
      [blocks, decoded] = [blocks + 1, decoded + block.bytes.length];
      append(encoded);
    }
    source.blockBuffers.give(block.buffer);
    if (checkpoint !== null) await turns.give(budget);
    if (!source.isWanted()) return null;
  }
  if (checkpoint === null && !isEnded) {
    append(codec.finish(decoded, sizes.slice(0, blocks)));
    isEnded = true;
  }
  const buffer = source.buffers.take(partSize);
  const { bytes, rest } = cut(ready, readyBytes, isEnded || readyBytes >= partSize ? buffer : null);
  const encoded = { blocks, length: decoded, sizes, carry: rest, isEnded };
  const isLast = isEnded && rest.length === 0;
  const share = ((decoded - from.length) * cost(compress)) / partSize;
  return { number, bytes, buffer, outcome, slices, next: { checkpoint, encoded }, isLast, cost: Math.max(share, 0.1) };
}

/** Fills a part, if there is to be one; what is left. */
function cut(chunks: Uint8Array[], length: number, part: Uint8Array | null): { bytes: Uint8Array; rest: Uint8Array } {
  const taken = part === null ? 0 : Math.min(part.length, length);
  const rest = new Uint8Array(length - taken);
  let at = 0;
  for (const chunk of chunks) {
    const inPart = Math.min(Math.max(taken - at, 0), chunk.length);
    if (inPart > 0) part?.set(chunk.subarray(0, inPart), at);
    if (inPart < chunk.length) rest.set(chunk.subarray(inPart), at + inPart - taken);
    at += chunk.length;
  }
  return { bytes: part === null ? new Uint8Array(0) : part.subarray(0, taken), rest };
}

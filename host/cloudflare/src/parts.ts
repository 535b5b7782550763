// The contract's `parts`: bytes out of the component's memory, and on to an R2 multipart upload beside it.

import type { Error as PartsErrorVariant } from './component/interfaces/partway-pipe-parts.js';

/** R2 takes parts of equal size, from 5 MiB to 5 GiB, at most 10,000 of them. */
export const PART_SIZE = 5 * 1024 * 1024;
export const MAX_PARTS = 10_000;

/** How many pieces make up a part: as many as its size allows. */
const PIECES = [80, 40, 20, 10];

/** The size of the pieces that blocks of a compressed object are made of. */
export const ENCODED_PIECE = 64 * 1024;

/** The smallest part of a component. */
const MIN_PIECE = 4096;

/** The size of the pieces that parts of this size are made of. */
export function pieceSize(partSize: number): number {
  const sizes = PIECES.map((pieces) => partSize / pieces);
  return sizes.find((size) => Number.isInteger(size) && size >= MIN_PIECE) ?? partSize;
}

/** The size of the component's parts, for an object in parts of this size. */
export function componentPartSize(compress: string | null, partSize: number): number {
  return compress === null ? pieceSize(partSize) : ENCODED_PIECE;
}

/** What a component imports. */
export interface PartsImports {
  write(number: number, bytes: Uint8Array): void;
}

/** One part of a slice: a copy, the component's memory being used again at once. */
export interface Part {
  readonly number: number;
  readonly bytes: Uint8Array;
}

/** What the import throws. */
class PartsError extends Error {
  readonly payload: PartsErrorVariant;

  constructor(tag: 'refused' | 'full', message: string) {
    super(message);
    this.payload = { tag, val: message };
  }
}

/** The parts of one slice. */
export class SliceParts implements PartsImports {
  readonly parts: Part[] = [];
  #next: number;
  readonly #partSize: number;
  readonly #maxTotalParts: number;

  /** `next`: the number of the first part; `maxTotalParts`: that of the last one there may be. */
  constructor(next: number, partSize: number, maxTotalParts: number) {
    this.#next = next;
    this.#partSize = partSize;
    this.#maxTotalParts = maxTotalParts;
  }

  get imports(): PartsImports {
    return { write: (number, bytes) => this.write(number, bytes) };
  }

  /** jco hands over a copy. */
  write(number: number, bytes: Uint8Array): void {
    if (number !== this.#next || bytes.length === 0 || bytes.length > this.#partSize) {
      const text = `part ${number} of ${bytes.length} bytes is not part ${this.#next} of ${this.#partSize}`;
      throw new PartsError('refused', text);
    }
    if (number > this.#maxTotalParts) {
      throw new PartsError('full', `R2 takes no object of more than ${MAX_PARTS} parts`);
    }
    this.#next += 1;
    this.parts.push({ number, bytes });
  }
}

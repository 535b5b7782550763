// Fills a batch with rows: a struct of arrays, whose memory is used again for each batch.

import type { Batch } from '../component/interfaces/partway-pipe-rows.js';
import {
  BLOB,
  INTEGER,
  KINDS,
  LONG_BLOB,
  LONG_TEXT,
  NULL,
  REAL,
  REPLACEMENT,
  TEXT,
  type Cell,
} from './cell.js';
import type { Place } from './query.js';

/**
 * What a batch takes before it is full: less than it may hold. A slice that ends within a batch reads the rest of it
 * again, and small slices would do so with much of what they read.
 */
const FULL_CELLS = 4096;
const FULL_BYTES = 48 * 1024;

/** Shorter text is written letter by letter: calling the encoder would take longer. */
const SHORT_TEXT = 96;

const encoder = new TextEncoder();

/** What became of a row. */
export const enum Appended {
  /** It is in the batch, which takes more. */
  More,
  /** It is in the batch, and no further row may be. */
  Full,
  /** It does not fit with those before it: it is for the next batch. */
  Later,
  /** Its cells can't be told by what the fast way of reading gives: it must be read in the exact way. */
  Inexact,
}

export class BatchBuilder {
  readonly #maxBytes: number;
  #rows = 0;
  #cells = 0;
  #integers = 0;
  #reals = 0;
  #lengths = 0;
  #bytes = 0;
  #rowBytes = 0;
  #hasLong = false;
  #kindArray = new Uint8Array(FULL_CELLS);
  #integerArray = new Int32Array(2 * 4096);
  #realArray = new Float64Array(4096);
  #lengthArray = new Uint32Array(4096);
  readonly #byteArray: Uint8Array;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
    // A row's bytes, without its long cells, are at most as many again.
    this.#byteArray = new Uint8Array(2 * maxBytes);
  }

  get maxBytes(): number {
    return this.#maxBytes;
  }

  get rows(): number {
    return this.#rows;
  }

  clear(): void {
    this.#rows = this.#cells = this.#integers = this.#reals = this.#lengths = this.#bytes = 0;
    this.#hasLong = false;
  }

  /** The batch. Its arrays are valid until the next row is appended. */
  finish(): Batch {
    return {
      rows: this.#rows,
      kinds: this.#kindArray.subarray(0, this.#cells),
      integers: new BigInt64Array(this.#integerArray.buffer as ArrayBuffer, 0, this.#integers),
      reals: this.#realArray.subarray(0, this.#reals),
      lengths: this.#lengthArray.subarray(0, this.#lengths),
      bytes: this.#byteArray.subarray(0, this.#bytes),
    };
  }

  /** Appends a row of the fast way of reading, or of the exact one. */
  append(row: readonly Cell[], places: readonly Place[], isExact: boolean): Appended {
    const { length } = places;
    const cells = this.#cells;
    const bytes = this.#bytes;
    if (this.#rows > 0 && (cells + length > FULL_CELLS || bytes >= Math.min(FULL_BYTES, this.#maxBytes))) {
      return Appended.Later;
    }
    const integers = this.#integers;
    const reals = this.#reals;
    const lengths = this.#lengths;
    this.#grow(length);
    this.#rowBytes = 0;
    this.#hasLong = false;
    const isKnown = isExact ? this.#appendExact(row, places) : this.#appendFast(row, places);
    if (!isKnown || (this.#rows > 0 && this.#bytes > this.#maxBytes)) {
      this.#cells = cells;
      this.#integers = integers;
      this.#reals = reals;
      this.#lengths = lengths;
      this.#bytes = bytes;
      return isKnown ? Appended.Later : Appended.Inexact;
    }
    this.#rows += 1;
    // A row with long cells ends its batch, so that only one row's long values are in memory.
    return this.#hasLong ? Appended.Full : Appended.More;
  }

  #grow(cells: number): void {
    const most = this.#cells + cells;
    if (most > this.#kindArray.length) this.#kindArray = grown(this.#kindArray, most);
    if (most > this.#realArray.length) this.#realArray = grown(this.#realArray, most);
    if (most > this.#lengthArray.length) this.#lengthArray = grown(this.#lengthArray, most);
    if (2 * most > this.#integerArray.length) {
      this.#integerArray = grown(this.#integerArray, 2 * most);
    }
  }

  #appendFast(row: readonly Cell[], places: readonly Place[]): boolean {
    const kinds = this.#kindArray;
    for (const place of places) {
      const cell = row[place.index];
      if (typeof cell === 'number') {
        const isInteger =
          !place.isReal &&
          Number.isInteger(cell) &&
          (place.mask < 0 || ((row[place.mask] as number) & place.bit) !== 0);
        if (!isInteger) {
          kinds[this.#cells++] = REAL;
          this.#realArray[this.#reals++] = cell;
        } else if (Number.isSafeInteger(cell)) {
          kinds[this.#cells++] = INTEGER;
          const at = 2 * this.#integers++;
          this.#integerArray[at] = cell;
          this.#integerArray[at + 1] = Math.floor(cell / 4_294_967_296);
        } else {
          return false;
        }
      } else if (typeof cell === 'string') {
        if (place.mask >= 0 && ((row[place.mask] as number) & place.bit) !== 0) this.#appendHexadecimal(cell);
        else if (!this.#appendString(cell)) return false;
      } else if (cell === null || cell === undefined) {
        kinds[this.#cells++] = NULL;
      } else {
        this.#appendBytes(BLOB, new Uint8Array(cell));
      }
    }
    return true;
  }

  /** A short blob, given by its digits. */
  #appendHexadecimal(digits: string): void {
    const length = digits.length / 2;
    if (this.#rowBytes + length > this.#maxBytes) {
      this.#appendLong(LONG_BLOB, length);
      return;
    }
    for (let index = 0; index < length; index++) {
      const high = digitValue(digits.charCodeAt(2 * index));
      this.#byteArray[this.#bytes + index] = (high << 4) | digitValue(digits.charCodeAt(2 * index + 1));
    }
    this.#took(BLOB, length);
  }

  /** False: what the text is can't be told. */
  #appendString(text: string): boolean {
    const { length } = text;
    const bytes = this.#byteArray;
    const left = this.#maxBytes - this.#rowBytes;
    if (length <= SHORT_TEXT && length <= left) {
      const at = this.#bytes;
      let index = 0;
      for (; index < length; index++) {
        const code = text.charCodeAt(index);
        if (code >= 0x80) break;
        bytes[at + index] = code;
      }
      if (index === length) {
        this.#took(TEXT, length);
        return true;
      }
    }
    if (text.includes(REPLACEMENT)) return false;
    if (length <= left) {
      const { read, written } = encoder.encodeInto(
        text,
        bytes.subarray(this.#bytes, this.#bytes + left),
      );
      if (read === length) {
        this.#took(TEXT, written);
        return true;
      }
    }
    this.#appendLong(LONG_TEXT, encoder.encode(text).length);
    return true;
  }

  #appendExact(row: readonly Cell[], places: readonly Place[]): boolean {
    for (const { index } of places) {
      const kind = KINDS[String(row[index])] ?? NULL;
      const cell = row[index + 1];
      if (kind === INTEGER) {
        this.#kindArray[this.#cells++] = INTEGER;
        const integers = new BigInt64Array(this.#integerArray.buffer as ArrayBuffer);
        integers[this.#integers++] = BigInt(String(cell));
      } else if (kind === REAL) {
        this.#kindArray[this.#cells++] = REAL;
        this.#realArray[this.#reals++] = cell as number;
      } else if (kind === NULL) {
        this.#kindArray[this.#cells++] = NULL;
      } else {
        this.#appendBytes(kind, new Uint8Array(cell as ArrayBuffer));
      }
    }
    return true;
  }

  #appendBytes(kind: number, value: Uint8Array): void {
    if (this.#rowBytes + value.length > this.#maxBytes) {
      this.#appendLong(kind === TEXT ? LONG_TEXT : LONG_BLOB, value.length);
      return;
    }
    this.#byteArray.set(value, this.#bytes);
    this.#took(kind, value.length);
  }

  #took(kind: number, length: number): void {
    this.#kindArray[this.#cells++] = kind;
    this.#lengthArray[this.#lengths++] = length;
    this.#bytes += length;
    this.#rowBytes += length;
  }

  #appendLong(kind: number, length: number): void {
    this.#kindArray[this.#cells++] = kind;
    this.#lengthArray[this.#lengths++] = length;
    this.#hasLong = true;
  }
}

/** Of SQLite's digits, which are capital. */
function digitValue(code: number): number {
  return code < 0x3a ? code - 0x30 : code - 0x37;
}

function grown<T extends Uint8Array | Int32Array | Float64Array | Uint32Array>(
  array: T,
  length: number,
): T {
  const larger = new (array.constructor as new (length: number) => T)(
    Math.max(length, 2 * array.length),
  );
  larger.set(array as never);
  return larger;
}

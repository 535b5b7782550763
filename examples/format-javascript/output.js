// Cuts the text into parts of one size, and remembers where the last one ended.

import { write } from "partway:pipe/parts@0.1.0";
import { shouldYield } from "partway:pipe/pacing@0.1.0";

import { isFull, pass } from "./memory.js";

/** The slice has written its parts, the host asks it to end, or memory is scarce. */
export class EndOfSlice {}

const utf8 = new TextEncoder();

export class Output {
  constructor(resumed, budget) {
    this.last = resumed;
    this.size = resumed.partSize;
    this.left = this.budget = budget;
    // One buffer for the whole slice: memory is scarce, and many small ones take more of it.
    this.buffer = resumed.carry;
    this.length = resumed.carry.length;
    this.grow(this.size + 64 * 1024);
  }

  /** Appends text. `point` says where the export is after it, and is asked only if a part ends. */
  write(text, point) {
    const { read, written } = utf8.encodeInto(text, this.buffer.subarray(this.length));
    this.length += written;
    if (read < text.length) {
      const rest = utf8.encode(text.slice(read));
      this.grow(this.length + rest.length);
      this.buffer.set(rest, this.length);
      this.length += rest.length;
    }
    if (this.length >= this.size) this.cut(point());
  }

  /** Writes the parts that are full, and ends the slice if they were the last it may write. */
  cut(point) {
    while (this.length >= this.size) {
      this.put(this.size);
      // All text up to the point is in parts or in the carry.
      this.last = { ...this.last, point, carry: this.buffer.slice(0, this.length) };
      if (this.left === 0 || isFull()) throw new EndOfSlice();
    }
  }

  /** Writes the first bytes as a part. */
  put(bytes) {
    pass(bytes);
    try {
      write(this.last.parts + 1, this.buffer.subarray(0, bytes));
    } catch (error) {
      if (!error?.payload) throw error;
      const { tag, val } = error.payload;
      throw { tag: tag === "full" ? "too-large" : "write-failed", val };
    }
    this.buffer.copyWithin(0, bytes, this.length);
    this.length -= bytes;
    this.last = { ...this.last, parts: this.last.parts + 1 };
    this.left -= 1;
  }

  /** Between two batches: ends the slice if the host wants it, but not before it has written a part. */
  pause() {
    if (this.left < this.budget && (shouldYield() || isFull())) throw new EndOfSlice();
  }

  /** Writes the last part, which may be shorter; the length of the whole object. */
  finish() {
    const written = BigInt(this.last.parts) * BigInt(this.size) + BigInt(this.length);
    if (this.length > 0) this.put(this.length);
    return written;
  }

  /** Makes room for so many bytes. */
  grow(bytes) {
    if (this.buffer.length >= bytes) return;
    const buffer = new Uint8Array(bytes);
    buffer.set(this.buffer.subarray(0, this.length));
    this.buffer = buffer;
  }
}

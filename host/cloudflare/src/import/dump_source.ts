// A dump's bytes, as R2 sends them: all of one and the same object.

import { ImportError } from './error.js';

/** An object in the bucket, in the version that was there when the import began. */
export interface DumpObject {
  readonly key: string;
  readonly etag: string;
  /** In bytes. */
  readonly size: number;
}

/** For messages. */
export function named(key: string): string {
  return `the dump ${JSON.stringify(key)}`;
}

/** A range of the object. Throws if another one is there now, or none. */
export async function openRange(
  bucket: R2Bucket,
  { key, etag }: DumpObject,
  offset: number,
  length: number,
): Promise<R2ObjectBody> {
  const object = await bucket.get(key, { range: { offset, length }, onlyIf: { etagMatches: etag } });
  if (object === null) {
    throw new ImportError('replaced', `${named(key)} was deleted while it was imported: cancel this import, and start over`);
  }
  if (!('body' in object)) {
    throw new ImportError('replaced', `${named(key)} was replaced while it was imported: cancel this import, and start over`);
  }
  return object;
}

/** Reads a dump from an offset on. Between two calls of `peek`, it has no more in memory than the last one asked for. */
export class DumpSource {
  readonly #bucket: R2Bucket;
  readonly #object: DumpObject;
  readonly #rangeBytes: number;
  /** The bytes that were read and not used, and where the next ones are in the object. */
  #bytes = new Uint8Array(0);
  #length = 0;
  #next: number;
  #reader: ReadableStreamDefaultReader<Uint8Array> | null = null;
  /** Whether the reader has given nothing yet. */
  #isFresh = false;

  /** `rangeBytes`: how many are asked for at a time. They come as they are needed. */
  constructor(bucket: R2Bucket, object: DumpObject, offset: number, rangeBytes: number) {
    this.#bucket = bucket;
    this.#object = object;
    this.#rangeBytes = rangeBytes;
    this.#next = offset;
  }

  /** Where the next bytes to be used are in the object. */
  get offset(): number {
    return this.#next - this.#length;
  }

  /** The next bytes, `size` of them; fewer only at the object's end. They are valid until the next call. */
  async peek(size: number): Promise<Uint8Array> {
    this.#reserve(size);
    while (this.#length < size && this.#next < this.#object.size) await this.#read();
    return this.#bytes.subarray(0, Math.min(size, this.#length));
  }

  /** Goes on behind these bytes. */
  use(bytes: number): void {
    this.#bytes.copyWithin(0, bytes, this.#length);
    this.#length -= bytes;
  }

  /** Asks for no more bytes. */
  async close(): Promise<void> {
    const reader = this.#reader;
    this.#reader = null;
    await reader?.cancel().catch(() => undefined);
  }

  async #read(): Promise<void> {
    if (this.#reader === null) {
      const length = Math.min(this.#rangeBytes, this.#object.size - this.#next);
      const { body } = await openRange(this.#bucket, this.#object, this.#next, length);
      this.#reader = body.getReader();
      this.#isFresh = true;
    }
    const { done, value } = await this.#reader.read();
    if (done) {
      if (this.#isFresh) throw new Error(`R2 sent none of the bytes of ${named(this.#object.key)} from ${this.#next} on`);
      this.#reader = null;
      return;
    }
    this.#isFresh = false;
    this.#reserve(this.#length + value.length);
    this.#bytes.set(value, this.#length);
    this.#length += value.length;
    this.#next += value.length;
  }

  #reserve(size: number): void {
    if (size <= this.#bytes.length) return;
    const bytes = new Uint8Array(size + CHUNK);
    bytes.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = bytes;
  }
}

/** Room for what comes beyond the bytes that were asked for. */
const CHUNK = 128 * 1024;

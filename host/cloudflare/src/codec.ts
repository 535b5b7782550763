// The codec component: it compresses objects, block by block, in line. What it writes is what `partway` writes.

import { instantiate } from './component/codec.js';
import core from './component/codec.core.wasm';
import type { Description, Error as CodecErrorVariant, Options } from './component/interfaces/partway-pipe-codec.js';

/** The size of blocks in bytes, as `partway` has it for databases of up to 64 GiB. */
export const BLOCK_SIZE = 1024 * 1024;

/** Why something can't be compressed. */
export class CodecError extends Error {
  override readonly name = 'CodecError';
  /** Whether it is for what was asked for. */
  readonly isInvalid: boolean;

  constructor(error: CodecErrorVariant) {
    super(error.val);
    this.isInvalid = error.tag === 'invalid-options';
  }
}

interface Exports {
  start(options: Options): Description;
  encode(options: Options, number: number, block: Uint8Array): Uint8Array;
  finish(options: Options, length: bigint, sizes: Uint32Array): Uint8Array;
}

/** An instance of the component for one compression, as requests name it: `zstd`, `gzip:6`. */
export class Codec {
  readonly #exports = instantiate(() => core, {}).codec as unknown as Exports;
  readonly #options: Options;

  constructor(compress: string) {
    const colon = compress.indexOf(':');
    const encoding = colon < 0 ? compress : compress.slice(0, colon);
    const settings: [string, string][] = colon < 0 ? [] : [['level', compress.slice(colon + 1)]];
    this.#options = { encoding, blockSize: BLOCK_SIZE, settings };
  }

  /** What a compressed object is, or why there is no such compression. */
  start(): Description {
    return attempt(() => this.#exports.start(this.#options));
  }

  /** Compresses a block; its number counts from 1. */
  encode(number: number, block: Uint8Array): Uint8Array {
    return attempt(() => this.#exports.encode(this.#options, number, block));
  }

  /** What ends an object of so many bytes, whose compressed blocks have these sizes. */
  finish(length: number, sizes: readonly number[]): Uint8Array {
    return attempt(() => this.#exports.finish(this.#options, BigInt(length), Uint32Array.from(sizes)));
  }
}

/** jco throws an error's variant in an error of its own. */
function attempt<T>(call: () => T): T {
  try {
    return call();
  } catch (error) {
    const { payload } = error as { payload?: unknown };
    const isVariant = typeof payload === 'object' && payload !== null && 'tag' in payload;
    throw isVariant ? new CodecError(payload as CodecErrorVariant) : error;
  }
}

const descriptions = new Map<string, Description>();

/** What an object is that is compressed like this. Throws a CodecError if there is no such compression. */
export function describe(compress: string): Description {
  const known = descriptions.get(compress);
  if (known !== undefined) return known;
  const description = new Codec(compress).start();
  descriptions.set(compress, description);
  return description;
}

/** What an object's name ends in, after the format. */
export function suffix(compress: string | null): string {
  return compress === null ? '' : describe(compress).suffix;
}

/** How many times as much CPU a block takes with a compression than without, at most: high levels are slow. */
export function cost(compress: string): number {
  const [encoding, level = '1'] = compress.split(':');
  const steps = encoding === 'zstd' ? [[2, 1], [4, 2], [19, 20]] : [[3, 1], [6, 2], [9, 4], [12, 10]];
  return steps.find(([highest = 0]) => Number(level) <= highest)?.[1] ?? 20;
}

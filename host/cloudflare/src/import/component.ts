// The import component: it checks a dump by its two ends, and splits it into statements.

import { instantiate } from '../component/importer.js';
import core from '../component/importer.core.wasm';
import type { Dump, Error as CheckError, Statements } from '../component/interfaces/partway-pipe-importer.js';
import { ImportError } from './error.js';

export type { Dump, Statement } from '../component/interfaces/partway-pipe-importer.js';

interface Importer {
  checkBytes(): number;
  check(head: Uint8Array, tail: Uint8Array): Dump;
  split(bytes: Uint8Array, limit: number): Statements;
}

/** An instance of the component, which keeps nothing between two calls. */
export class Splitter {
  readonly #importer = instantiate(() => core, {}).importer as Importer;

  /** How many of a dump's first and last bytes `check` needs. */
  get checkBytes(): number {
    return this.#importer.checkBytes();
  }

  /** What a dump says of itself, or why it is none. `name`: for messages. */
  check(name: string, head: Uint8Array, tail: Uint8Array): Dump {
    try {
      return this.#importer.check(head, tail);
    } catch (error) {
      const { payload } = error as { payload?: CheckError };
      if (payload === undefined) throw error;
      const reason = payload.tag === 'cut-off' ? 'cut-off' : 'not-a-dump';
      throw new ImportError(reason, `${name} can't be imported: ${payload.val}`);
    }
  }

  /** The statements that end in these bytes, at most `limit` of them. */
  split(bytes: Uint8Array, limit: number): Statements {
    return this.#importer.split(bytes, limit);
  }
}

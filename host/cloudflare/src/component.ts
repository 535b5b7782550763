// The export component: transpiled by jco to JavaScript and core modules, which the platform has compiled.

import { instantiate } from './component/exporter.js';
import core from './component/exporter.core.wasm';
import core2 from './component/exporter.core2.wasm';
import core3 from './component/exporter.core3.wasm';
import type {
  Error as ComponentErrorVariant,
  Options,
  Outcome,
} from './component/interfaces/partway-pipe-exporter.js';
import type { PartsImports } from './parts.js';
import type { Rows } from './rows/rows.js';

export type { Options, Outcome } from './component/interfaces/partway-pipe-exporter.js';

const MODULES: Readonly<Record<string, WebAssembly.Module>> = {
  'exporter.core.wasm': core,
  'exporter.core2.wasm': core2,
  'exporter.core3.wasm': core3,
};

/** What a component's functions work with during a slice. */
export interface Imports {
  readonly rows: Rows['imports'];
  readonly parts: PartsImports;
  readonly pacing: { shouldYield(): boolean };
}

/** Why an export can't start or go on, by the component. */
export class ExportError extends Error {
  readonly tag: ComponentErrorVariant['tag'];

  constructor(error: ComponentErrorVariant) {
    super(error.tag === 'interrupted' ? 'the export was interrupted' : error.val);
    this.name = 'ExportError';
    this.tag = error.tag;
  }
}

interface Exporter {
  start(options: Options): string;
  resume(from: string, budget: { parts: number }): Outcome;
}

/** An instance of the component, for one slice. */
export class Component {
  readonly #exporter: Exporter;

  constructor({ rows, parts, pacing }: Imports) {
    // The names in jco's types have a version, those in its code none.
    const imports = {
      'partway:pipe/rows': rows,
      'partway:pipe/parts': parts,
      'partway:pipe/pacing': pacing,
    };
    const root = instantiate(moduleOf, imports as never);
    this.#exporter = root.exporter as unknown as Exporter;
  }

  /** Checks the options against the schema; the first checkpoint. */
  start(options: Options): string {
    return calling(() => this.#exporter.start(options));
  }

  /** Does one slice from a checkpoint on. */
  resume(from: string, parts: number): Outcome {
    return calling(() => this.#exporter.resume(from, { parts }));
  }
}

function moduleOf(path: string): WebAssembly.Module {
  const module = MODULES[path];
  if (module === undefined) throw new Error(`the package has no core module ${path}`);
  return module;
}

/** jco throws an error's variant in an error of its own. */
function calling<T>(call: () => T): T {
  try {
    return call();
  } catch (error) {
    const { payload } = error as { payload?: unknown };
    if (typeof payload === 'object' && payload !== null && 'tag' in payload) {
      throw new ExportError(payload as ComponentErrorVariant);
    }
    throw error;
  }
}

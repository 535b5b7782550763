// The export components: transpiled by jco to JavaScript and core modules, which the platform has compiled.

import { instantiate } from './component/exporter.js';
import exporterCore from './component/exporter.core.wasm';
import exporterCore2 from './component/exporter.core2.wasm';
import exporterCore3 from './component/exporter.core3.wasm';
import type {
  Error as ComponentErrorVariant,
  Options,
  Outcome,
} from './component/interfaces/partway-pipe-exporter.js';
import parquetCore from './component/parquet.core.wasm';
import parquetCore2 from './component/parquet.core2.wasm';
import parquetCore3 from './component/parquet.core3.wasm';
import type { PartsImports } from './parts.js';
import { Cursor, type Rows } from './rows/rows.js';

export type { Options, Outcome } from './component/interfaces/partway-pipe-exporter.js';

/** The core modules of a component, by the names that the exporter's have. */
type Modules = Readonly<Record<string, WebAssembly.Module>>;

/** Of the component for SQL, CSV, NDJSON and JSON. It refuses what is no format. */
const EXPORTER: Modules = {
  'exporter.core.wasm': exporterCore,
  'exporter.core2.wasm': exporterCore2,
  'exporter.core3.wasm': exporterCore3,
};

/** Of the one for Parquet. Being of the same world, it runs by the same JavaScript: the build makes sure of that. */
const PARQUET: Modules = {
  'exporter.core.wasm': parquetCore,
  'exporter.core2.wasm': parquetCore2,
  'exporter.core3.wasm': parquetCore3,
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

/**
 * An instance of the component. It may be used for one slice after another: the component keeps nothing between them
 * but its memory, and a new instance each time would leave that to be collected.
 */
export class Component {
  readonly #modules: Modules;
  #exporter: Exporter | null = null;
  #imports: Imports | null = null;

  /** Of the component that writes this format. It takes no memory before it is called. */
  constructor(format: string) {
    this.#modules = format === 'parquet' ? PARQUET : EXPORTER;
  }

  /** Checks the options against the schema; the first checkpoint. */
  start(imports: Imports, options: Options): string {
    return this.#call(imports, (exporter) => exporter.start(options));
  }

  /** Does one slice from a checkpoint on. */
  resume(imports: Imports, from: string, parts: number): Outcome {
    return this.#call(imports, (exporter) => exporter.resume(from, { parts }));
  }

  #call<T>(imports: Imports, call: (exporter: Exporter) => T): T {
    this.#imports = imports;
    try {
      this.#exporter ??= this.#instantiate();
      return call(this.#exporter);
    } catch (error) {
      // It may have stopped anywhere.
      this.#exporter = null;
      throw exportError(error);
    } finally {
      this.#imports = null;
    }
  }

  #instantiate(): Exporter {
    const current = (): Imports => {
      if (this.#imports === null) throw new Error('the component runs outside of a slice');
      return this.#imports;
    };
    // The names in jco's types have a version, those in its code none.
    const imports = {
      'partway:pipe/rows': {
        Cursor,
        describe: () => current().rows.describe(),
        scan: (...parameters: Parameters<Rows['imports']['scan']>) => current().rows.scan(...parameters),
      },
      'partway:pipe/parts': {
        write: (number: number, bytes: Uint8Array) => current().parts.write(number, bytes),
      },
      'partway:pipe/pacing': { shouldYield: () => current().pacing.shouldYield() },
    };
    const moduleOf = (path: string): WebAssembly.Module => {
      const module = this.#modules[path];
      if (module === undefined) throw new Error(`the package has no core module ${path}`);
      return module;
    };
    return instantiate(moduleOf, imports as never).exporter as unknown as Exporter;
  }
}

/** jco throws an error's variant in an error of its own. */
function exportError(error: unknown): unknown {
  const { payload } = error as { payload?: unknown };
  const isVariant = typeof payload === 'object' && payload !== null && 'tag' in payload;
  return isVariant ? new ExportError(payload as ComponentErrorVariant) : error;
}

// The contract's `rows`: the imports that a component reads a database through.

import type { Batch, Schema } from '../component/interfaces/partway-pipe-rows.js';
import type { BatchBuilder } from './batch.js';
import { TableScan, type ScanContext } from './cursor.js';
import { readFailed, RowsError } from './error.js';
import { displayed } from './names.js';
import { decodePosition } from './position.js';
import { TableQuery } from './query.js';
import { toContract, type SchemaInfo, type TableInfo } from './schema.js';
import type { Source } from './source.js';

/** One state of a database: its schema, and where the rows of each table are. */
export interface View {
  readonly schema: SchemaInfo;
  /** Where a table's rows are; null: nowhere, since it is virtual. */
  source(table: TableInfo): Source | null;
}

const decoder = new TextDecoder();

/** A scan, as the resource that a component holds. */
export class Cursor {
  readonly #scan: TableScan;

  constructor(scan: TableScan) {
    this.#scan = scan;
  }

  next(maxBytes: number): Batch {
    return this.#scan.next(maxBytes);
  }

  position(rows: number): Uint8Array {
    return this.#scan.position(rows);
  }

  read(row: number, column: number, offset: number, maxBytes: number): Uint8Array {
    return this.#scan.read(row, column, offset, maxBytes);
  }
}

/** What slices over the same view hand on: rows that were read and not used. They are part of the view for good. */
export interface ScanMemory {
  paused: { readonly scan: TableScan; readonly builder: BatchBuilder | null } | null;
}

/** The rows of a view, for one slice. Close it when the slice has ended, however it has. */
export class Rows {
  readonly #view: View;
  readonly #memory: ScanMemory;
  readonly #context: ScanContext;
  readonly #tables: ReadonlyMap<string, TableInfo>;
  readonly #scans: TableScan[] = [];
  #schema: Schema | null = null;
  readonly #read = { rows: 0, batches: 0 };

  /** `memory`: what the last slice over the same view has left. */
  constructor(sql: SqlStorage, view: View, memory: ScanMemory) {
    this.#view = view;
    this.#memory = memory;
    this.#context = {
      sql,
      builder: memory.paused?.builder ?? null,
      last: null,
      countBatch: (rows) => {
        this.#read.rows += rows;
        this.#read.batches += 1;
      },
    };
    this.#tables = new Map(
      view.schema.flatMap(({ table }) => (table === null ? [] : [[table.name, table] as const])),
    );
  }

  /** How many rows have been read, and in how many batches. */
  get read(): { readonly rows: number; readonly batches: number } {
    return this.#read;
  }

  /** The functions that a component imports. */
  get imports(): {
    describe: () => Schema;
    scan: (table: Uint8Array, columns: Uint8Array[], after?: Uint8Array) => Cursor;
  } {
    return {
      describe: () => (this.#schema ??= toContract(this.#view.schema)),
      scan: (table, columns, after) => this.#open(table, columns, after),
    };
  }

  /** Ends all scans. What the last one has read too far is kept for the next slice. */
  close(): void {
    const { last, builder } = this.#context;
    for (const scan of this.#scans) {
      if (scan === last) scan.pause();
      else scan.close();
    }
    this.#scans.length = 0;
    this.#memory.paused = last === null ? null : { scan: last, builder };
  }

  #open(name: Uint8Array, columns: readonly Uint8Array[], after?: Uint8Array): Cursor {
    const table = this.#tables.get(decoder.decode(name));
    if (table === undefined) {
      throw new RowsError('unknown-table', `there is no ${displayed(decoder.decode(name))}`);
    }
    const source = this.#source(table);
    const indexes = columns.map((column) => columnIndex(table, decoder.decode(column)));
    const position = decodePosition(after ?? new Uint8Array(0));
    if (position === undefined || (position !== null && position.length !== source.key.length)) {
      throw new RowsError('invalid-position', `invalid position in ${displayed(table.name)}`);
    }
    const query = new TableQuery(source, indexes);
    const paused = this.#memory.paused?.scan;
    this.#memory.paused = null;
    const isPaused = after !== undefined && paused?.resume(this.#context, query, after) === true;
    const scan = isPaused && paused ? paused : new TableScan(this.#context, query, position);
    this.#scans.push(scan);
    return new Cursor(scan);
  }

  #source(table: TableInfo): Source {
    let source: Source | null;
    try {
      source = this.#view.source(table);
    } catch (error) {
      throw readFailed(displayed(table.name), error);
    }
    if (source === null) {
      const reason = table.isVirtual ? 'is virtual: its data is in its shadow tables' : 'is not in this part of the database';
      throw new RowsError('unavailable', `${displayed(table.name)} ${reason}`);
    }
    return source;
  }
}

/** A column's index; null: the rowid. */
function columnIndex(table: TableInfo, name: string): number | null {
  const index = table.columns.findIndex((column) => column.name === name);
  const column = table.columns[index];
  if (column !== undefined && column.kind !== 'hidden') return index;
  if (table.rowid === name) return null;
  const text = `${displayed(table.name)} has no column ${JSON.stringify(name)}`;
  throw new RowsError('unknown-column', text);
}

// A scan of one table: batches of rows, positions between them, and the bytes of long values.

import type { Batch } from '../component/interfaces/partway-pipe-rows.js';
import { Appended, BatchBuilder } from './batch.js';
import { BLOB, INTEGER, KINDS, NULL, REAL, REPLACEMENT, TEXT, type Cell } from './cell.js';
import { readFailed, RowsError } from './error.js';
import { ranges } from './key_order.js';
import { displayed } from './names.js';
import { encodePosition, type KeyValue, type Position } from './position.js';
import type { Place, TableQuery } from './query.js';

/** The bytes of rows that one query should give. A query can't be closed before it ends, and what is not needed
 *  is read all the same. */
const QUERY_BYTES = 512 * 1024;

/** The rows of one query: at first, and at most. */
const FIRST_ROWS = 50;
const MOST_ROWS = 1000;

const encoder = new TextEncoder();

/** A row, and how it was read. */
interface Row {
  readonly cells: Cell[];
  readonly isExact: boolean;
}

/** What all scans of a slice share. */
export interface ScanContext {
  readonly sql: SqlStorage;
  builder: BatchBuilder | null;
  /** The scan of whose last batch a position was asked for: where the next slice may go on. */
  last: TableScan | null;
  /** Told of every batch that is read, and its rows. */
  readonly countBatch: (rows: number) => void;
}

/** A running query, or what it gave until its end. */
interface Running {
  rows: Iterator<Cell[]>;
  readonly isExact: boolean;
  readonly limit: number;
  taken: number;
}

export class TableScan {
  #context: ScanContext;
  #query: TableQuery;
  /** The query that runs, or runs next, comes after this position. */
  #after: Position;
  #range = 0;
  #running: Running | null = null;
  /** How many rows the next query may give, and how many more rows must be read in the exact way. */
  #limit = FIRST_ROWS;
  #exactRows = 0;
  #exactAgain = 1;
  #hasEnded = false;
  /** A row that did not fit into the last batch. */
  #pending: Row | null = null;
  /** Rows that the last slice has read and not used. */
  #unused: Row[] = [];
  /** The position that was asked for last, and how many rows of the batch it is behind. */
  #asked: { readonly rows: number; readonly position: Uint8Array } | null = null;
  /** The rows of the last batch, and the position before them. */
  #batch: Row[] = [];
  #before: Position;
  /** The bytes of the long text that was last read from. */
  #long: { row: number; column: number; bytes: Uint8Array } | null = null;

  constructor(context: ScanContext, query: TableQuery, after: Position) {
    this.#context = context;
    this.#query = query;
    this.#after = after;
    this.#before = after;
  }

  next(maxBytes: number): Batch {
    const builder = this.#builder(maxBytes);
    builder.clear();
    this.#forgetAsked();
    this.#before = this.#positionAfter(this.#batch.length);
    this.#batch = [];
    this.#long = null;
    try {
      this.#fill(builder);
    } catch (error) {
      throw readFailed(displayed(this.#query.source.table.name), error);
    }
    this.#context.countBatch(builder.rows);
    return builder.finish();
  }

  /** What is in memory is behind the next batch's rows, and not behind a position in those before. */
  #forgetAsked(): void {
    this.#asked = null;
    if (this.#context.last === this) this.#context.last = null;
  }

  position(rows: number): Uint8Array {
    if (rows > this.#batch.length) {
      throw new RowsError('invalid-cell', `the last batch has no row ${rows}`);
    }
    const position = encodePosition(this.#positionAfter(rows));
    this.#asked = { rows, position };
    this.#context.last = this;
    return position;
  }

  read(row: number, column: number, offset: number, maxBytes: number): Uint8Array {
    if (this.#long?.row !== row || this.#long.column !== column) {
      this.#long = { row, column, bytes: this.#longValue(row, column) };
    }
    return this.#long.bytes.subarray(offset, offset + maxBytes);
  }

  /** Reads the running query to its end, and keeps what it gives for the next slice. */
  pause(): void {
    if (this.#running === null) return;
    const rows: Cell[][] = [];
    for (let next = this.#running.rows.next(); next.done !== true; ) {
      rows.push(next.value);
      next = this.#running.rows.next();
    }
    this.#running.rows = rows.values();
  }

  /** Goes on behind a position in another slice; false: what is in memory is of no use there. */
  resume(context: ScanContext, query: TableQuery, after: Uint8Array): boolean {
    const asked = this.#asked;
    const isThere = asked !== null && isSame(asked.position, after) && this.#query.readsSame(query);
    if (!isThere) return false;
    const rest = this.#batch.slice(asked.rows);
    this.#before = this.#positionAfter(asked.rows);
    this.#unused = [...rest, ...(this.#pending === null ? [] : [this.#pending]), ...this.#unused];
    this.#pending = null;
    this.#batch = [];
    this.#long = null;
    this.#asked = null;
    this.#context = context;
    // Rows may have been saved meanwhile: what is read from now on must look there, too.
    this.#query = query;
    return true;
  }

  /** Reads the running query to its end: until then it locks its tables. */
  close(): void {
    while (this.#running !== null && this.#running.rows.next().done !== true);
    this.#running = null;
    this.#hasEnded = true;
  }

  #builder(maxBytes: number): BatchBuilder {
    if (this.#context.builder?.maxBytes !== maxBytes) {
      this.#context.builder = new BatchBuilder(maxBytes);
    }
    return this.#context.builder;
  }

  #fill(builder: BatchBuilder): void {
    for (;;) {
      const row = this.#pending ?? this.#unused.shift() ?? this.#step();
      this.#pending = null;
      if (row === null) return;
      const { columns } = this.#query.way(row.isExact);
      switch (builder.append(row.cells, columns, row.isExact)) {
        case Appended.More:
          this.#batch.push(row);
          break;
        case Appended.Full:
          this.#batch.push(row);
          return;
        case Appended.Later:
          this.#pending = row;
          return;
        case Appended.Inexact:
          this.#readExactly(this.#positionAfter(this.#batch.length));
      }
    }
  }

  /** The next row; null: there is none. */
  #step(): Row | null {
    while (!this.#hasEnded) {
      this.#running ??= this.#start();
      const running = this.#running;
      const next = running.rows.next();
      if (next.done !== true) {
        running.taken += 1;
        const row = { cells: next.value, isExact: running.isExact };
        // The position of a row is its key, which must be exact.
        if (row.isExact || areCertain(row.cells, this.#query.fast.key)) return row;
        this.#readExactly(this.#positionAfter(this.#batch.length));
        continue;
      }
      this.#running = null;
      if (running.taken < running.limit) {
        this.#range += 1;
        this.#hasEnded = this.#range >= ranges(this.#after);
      } else {
        this.#restartAfter(this.#positionAfter(this.#batch.length));
      }
    }
    return null;
  }

  #start(): Running {
    const isExact = this.#exactRows > 0;
    const limit = isExact ? Math.min(this.#exactRows, this.#limit) : this.#limit;
    if (isExact) this.#exactRows -= limit;
    const { sql } = this.#context;
    const rows = this.#query.rows(sql, this.#after, this.#range, isExact, limit);
    return { rows, isExact, limit, taken: 0 };
  }

  /** Starts over after the last row in the exact way: for one row, and for more each time. */
  #readExactly(last: Position): void {
    while (this.#running !== null && this.#running.rows.next().done !== true);
    this.#running = null;
    this.#unused = [];
    this.#hasEnded = false;
    this.#exactRows = this.#exactAgain;
    this.#exactAgain = Math.min(4 * this.#exactAgain, 4096);
    this.#restartAfter(last);
  }

  #restartAfter(last: Position): void {
    const bytes = this.#bytesPerRow();
    this.#limit = Math.max(1, Math.min(MOST_ROWS, Math.floor(QUERY_BYTES / bytes)));
    if (last !== this.#after) {
      this.#after = last;
      this.#range = 0;
    }
  }

  /** About how many bytes a row takes, by the last one that was read. */
  #bytesPerRow(): number {
    const row = this.#batch.at(-1);
    if (row === undefined) return QUERY_BYTES / FIRST_ROWS;
    return row.cells.reduce<number>((sum, cell) => {
      if (typeof cell === 'string') return sum + 16 + cell.length;
      return sum + (cell instanceof ArrayBuffer ? 16 + cell.byteLength : 8);
    }, 64);
  }

  /** The position after the first `rows` rows of the last batch. */
  #positionAfter(rows: number): Position {
    const row = rows === 0 ? undefined : this.#batch[rows - 1];
    if (row === undefined) return this.#before;
    const { key } = this.#query.way(row.isExact);
    return key.map((place) => keyValue(row, place));
  }

  #longValue(row: number, column: number): Uint8Array {
    const found = this.#batch[row];
    const place = found && this.#query.way(found.isExact).columns[column];
    if (found === undefined || place === undefined) {
      throw new RowsError('invalid-cell', `the last batch has no cell ${column} in row ${row}`);
    }
    const cell = found.cells[found.isExact ? place.index + 1 : place.index];
    if (typeof cell === 'string') return isDigits(found, place) ? fromDigits(cell) : encoder.encode(cell);
    return cell instanceof ArrayBuffer ? new Uint8Array(cell) : new Uint8Array(0);
  }
}

/** Whether a string is the digits of a blob. */
function isDigits({ cells, isExact }: Row, { mask, bit }: Place): boolean {
  return !isExact && mask >= 0 && ((cells[mask] as number) & bit) !== 0;
}

function fromDigits(digits: string): Uint8Array {
  return Uint8Array.from(digits.match(/../g) ?? [], (byte) => parseInt(byte, 16));
}

function isSame(one: Uint8Array, other: Uint8Array): boolean {
  return one.length === other.length && one.every((byte, index) => byte === other[index]);
}

/** Whether a key's cells of the fast way are what is stored. */
function areCertain(cells: readonly Cell[], key: readonly Place[]): boolean {
  // Once a row: without a function for each cell.
  for (const { index } of key) {
    const cell = cells[index];
    if (typeof cell === 'number' && Number.isInteger(cell) && !Number.isSafeInteger(cell)) return false;
    if (typeof cell === 'string' && cell.includes(REPLACEMENT)) return false;
  }
  return true;
}

function keyValue(row: Row, place: Place): KeyValue {
  if (row.isExact) return exactKeyValue(row.cells[place.index], row.cells[place.index + 1]);
  const cell = row.cells[place.index];
  if (typeof cell === 'number') {
    const isInteger =
      !place.isReal &&
      Number.isInteger(cell) &&
      (place.mask < 0 || ((row.cells[place.mask] as number) & place.bit) !== 0);
    return isInteger ? { kind: INTEGER, digits: String(cell) } : { kind: REAL, value: cell };
  }
  if (typeof cell === 'string') return { kind: TEXT, bytes: encoder.encode(cell) };
  if (cell instanceof ArrayBuffer) return { kind: BLOB, bytes: new Uint8Array(cell) };
  return { kind: NULL };
}

function exactKeyValue(kindName: Cell | undefined, cell: Cell | undefined): KeyValue {
  const kind = KINDS[String(kindName)];
  if (kind === INTEGER) return { kind: INTEGER, digits: String(cell) };
  if (kind === REAL) return { kind: REAL, value: cell as number };
  if (kind === TEXT || kind === BLOB) {
    return { kind, bytes: new Uint8Array(cell as ArrayBuffer) };
  }
  return { kind: NULL };
}

// The SQL of a scan, and where in its results each cell is.
//
// Rows are read in one of two ways. The fast one selects cells as they are: text becomes a string and a number
// a number, so that invalid UTF-8 and integers beyond 2^53 can't be told; such a row is read again in the
// exact way, which costs three times as much: each cell with its storage class, integers as digits and text
// as bytes.

import { isAmbiguous, type Affinity } from './affinity.js';
import { inRange, orderBy, parameters } from './key_order.js';
import type { Cell } from './cell.js';
import type { Position } from './position.js';
import { columnSql, type Relation, type Source } from './source.js';

/** A result has at most so many columns. */
const MAX_RESULTS = 100;

/** Bits that one number holds for JavaScript's operators. */
const MASK_BITS = 31;

/** Blobs up to this size come as their digits: an ArrayBuffer for each takes longer. */
const SHORT_BLOB = 64;

/** Where in a row of results a cell is. */
export interface Place {
  /** The cell; in the exact way its storage class, with the value behind it. */
  readonly index: number;
  /** A number there is a REAL. */
  readonly isReal: boolean;
  /**
   * The result, and the bit in it, that say whether a number there is an INTEGER, and a string the digits of a blob; -1:
   * a number is one if it is whole, and a string is text.
   */
  readonly mask: number;
  readonly bit: number;
}

/** One way of reading: its statements, whose rows stand side by side, and the places in them. */
interface Way {
  /** The results of each statement behind the key's columns, for a relation. */
  readonly statements: readonly ((relation: Relation) => string[])[];
  readonly key: readonly Place[];
  readonly columns: readonly Place[];
}

export class TableQuery {
  readonly source: Source;
  readonly #columns: readonly (number | null)[];
  readonly fast: Way;
  readonly exact: Way;
  readonly #texts = new Map<string, string>();

  /** `columns`: their indexes in the table; null: the rowid. */
  constructor(source: Source, columns: readonly (number | null)[]) {
    this.source = source;
    this.#columns = columns;
    const wanted = [...source.key.map(({ column }) => column), ...columns];
    const distinct = [...new Set(wanted)];
    this.fast = fastWay(source, distinct, wanted);
    this.exact = exactWay(source, distinct, wanted);
  }

  /** Whether it reads the same columns of the same table as another. */
  readsSame(other: TableQuery): boolean {
    return this.source.table.name === other.source.table.name && this.#columns.join() === other.#columns.join();
  }

  way(isExact: boolean): Way {
    return isExact ? this.exact : this.fast;
  }

  /** Rows of one range after a position, at most `limit`, each as one array of all statements' results. */
  rows(
    sql: SqlStorage,
    after: Position,
    range: number,
    isExact: boolean,
    limit: number,
  ): Iterator<Cell[]> {
    const way = this.way(isExact);
    const values = parameters(after, range);
    const shape = after === null ? '' : after.map(({ kind }) => kind).join('');
    const iterators = way.statements.map((results, number) => {
      const name = `${isExact}/${number}/${range}/${shape}`;
      let text = this.#texts.get(name);
      if (text === undefined) {
        text = this.#select(results, after, range, values.length + 1);
        this.#texts.set(name, text);
      }
      return sql.exec(text, ...values, limit).raw<Cell[]>();
    });
    const [first] = iterators;
    if (first === undefined) throw new RangeError('a query has at least one statement');
    return iterators.length === 1 ? first : sideBySide(iterators);
  }

  #select(
    results: (relation: Relation) => string[],
    after: Position,
    range: number,
    limit: number,
  ): string {
    const { key, relations } = this.source;
    const selects = relations.map((relation) => {
      const keys = key.map(({ column }) => columnSql(relation, column));
      const conditions = [inRange(relation, key, after, range), relation.filter];
      const where = conditions.filter((condition) => condition !== null).join(' AND ');
      const items = [...keys, ...results(relation)].join(', ');
      return `SELECT ${items} FROM ${relation.from}${where === '' ? '' : ` WHERE ${where}`}`;
    });
    // The order of a compound is that of its results; that of a single table is best given by its columns.
    const [only] = relations;
    const order = orderBy(key, (column, index) =>
      relations.length === 1 && only !== undefined
        ? columnSql(only, column.column)
        : String(index + 1),
    );
    return `${selects.join(' UNION ALL ')} ${order} LIMIT ?${limit}`;
  }
}

/** Every statement has the key's columns first, to be ordered by; they are the cells of these columns too. */
function fastWay(
  source: Source,
  distinct: readonly (number | null)[],
  wanted: readonly (number | null)[],
): Way {
  const key = source.key.map(({ column }) => column);
  const places = new Map<number | null, Place>();
  const statements: ((relation: Relation) => string[])[] = [];
  const others = distinct.filter((column) => !key.includes(column));
  const isAmbiguousColumn = (column: number | null): boolean =>
    column !== null && isAmbiguous(affinityOf(source, column));
  let offset = 0;
  // The masks of a statement take at most 4 results.
  for (const [number, group] of groups(others, MAX_RESULTS - key.length - 4).entries()) {
    const selected = [...key, ...group];
    const ambiguous = [...new Set(number === 0 ? selected : group)].filter(isAmbiguousColumn);
    selected.forEach((column, index) => {
      if (places.has(column)) return;
      const isReal = column !== null && affinityOf(source, column) === 'REAL';
      const order = ambiguous.indexOf(column);
      const mask = order < 0 ? -1 : offset + selected.length + Math.floor(order / MASK_BITS);
      const bit = order < 0 ? 0 : 1 << order % MASK_BITS;
      places.set(column, { index: offset + index, isReal, mask, bit });
    });
    const masks = ambiguous.length === 0 ? [] : groups(ambiguous, MASK_BITS);
    const mayBeDigits = (column: number | null): boolean =>
      !key.includes(column) && column !== null && isForBlobs(source, column);
    statements.push((relation) => [
      ...group.map((column) => {
        const cell = columnSql(relation, column);
        return mayBeDigits(column) ? `CASE WHEN ${isShortBlob(cell)} THEN hex(${cell}) ELSE ${cell} END` : cell;
      }),
      ...masks.map((columns) =>
        columns
          .map((column, bit) => {
            const cell = columnSql(relation, column);
            const isInteger = `typeof(${cell})='integer'`;
            return `(${isInteger}${mayBeDigits(column) ? ` OR ${isShortBlob(cell)}` : ''})*${2 ** bit}`;
          })
          .join('+'),
      ),
    ]);
    offset += selected.length + masks.length;
  }
  return way(source, statements, places, wanted);
}

function exactWay(
  source: Source,
  distinct: readonly (number | null)[],
  wanted: readonly (number | null)[],
): Way {
  const width = source.key.length;
  const places = new Map<number | null, Place>();
  const statements: ((relation: Relation) => string[])[] = [];
  let offset = 0;
  for (const group of groups(distinct, Math.floor((MAX_RESULTS - width) / 2))) {
    group.forEach((column, index) => {
      places.set(column, { index: offset + width + 2 * index, isReal: false, mask: -1, bit: 0 });
    });
    statements.push((relation) => group.flatMap((column) => exact(columnSql(relation, column))));
    offset += width + 2 * group.length;
  }
  return way(source, statements, places, wanted);
}

function exact(cell: string): string[] {
  const value = `CASE typeof(${cell}) WHEN 'integer' THEN CAST(${cell} AS TEXT) WHEN 'text' THEN CAST(${cell} AS BLOB) ELSE ${cell} END`;
  return [`typeof(${cell})`, value];
}

function way(
  source: Source,
  statements: Way['statements'],
  places: ReadonlyMap<number | null, Place>,
  wanted: readonly (number | null)[],
): Way {
  const all = wanted.map((column) => {
    const place = places.get(column);
    if (place === undefined) throw new RangeError('there is no such column');
    return place;
  });
  const width = source.key.length;
  return { statements, key: all.slice(0, width), columns: all.slice(width) };
}

/** Of a column that is declared for blobs, most cells are blobs. */
function isForBlobs(source: Source, column: number): boolean {
  return isAmbiguous(affinityOf(source, column)) && /blob/i.test(source.table.columns[column]?.declaredType ?? '');
}

function isShortBlob(cell: string): string {
  return `typeof(${cell})='blob' AND octet_length(${cell})<=${SHORT_BLOB}`;
}

function affinityOf(source: Source, column: number): Affinity {
  const of = source.table.columns[column]?.affinity;
  if (of === undefined) throw new RangeError('there is no such column');
  return of;
}

/** Groups of at most `size`; at least one. */
function groups<T>(items: readonly T[], size: number): T[][] {
  const most = Math.max(size, 1);
  const cut: T[][] = [];
  for (let from = 0; from < items.length; from += most) cut.push(items.slice(from, from + most));
  return cut.length === 0 ? [[]] : cut;
}

/** The rows of statements that give the same rows in the same order. All are read to their end together. */
function sideBySide(iterators: readonly Iterator<Cell[]>[]): Iterator<Cell[]> {
  return {
    next(): IteratorResult<Cell[]> {
      const results = iterators.map((iterator) => iterator.next());
      if (results.some(({ done }) => done === true)) return { done: true, value: undefined };
      return { done: false, value: results.flatMap(({ value }) => value as Cell[]) };
    },
  };
}

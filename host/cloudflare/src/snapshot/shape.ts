// The table in which a snapshot saves rows of one of the user's tables.
//
// It has a column for each column of that table, without constraints, so that values stay as they are. The key
// of a table with rowids is its own rowid; that of a WITHOUT ROWID table is its primary key, with the same
// directions and collations.

import { quoted } from '../rows/names.js';
import type { TableInfo } from '../rows/schema.js';
import type { Key, KeyColumn, Relation } from '../rows/source.js';

/** How a table is kept as it was. */
export type Mode =
  /** By triggers that save rows before they change. */
  | 'tracked'
  /** By a copy of all rows, made at the start. */
  | 'copied'
  /** It had no rows. */
  | 'empty'
  /** It is virtual. */
  | 'none';

/** A table of the user, and how it is kept. */
export interface KeptTable {
  readonly table: TableInfo;
  readonly number: number;
  readonly mode: Mode;
  /** The largest rowid at the start, in digits; null: there is none, or it does not matter. */
  readonly largest: string | null;
  /** What orders it; null: no name reaches its rowids. */
  readonly key: Key | null;
}

export function savedName(number: number): string {
  return `tmp_export_rows_${number}`;
}

/** The key of a saved table. Rows that no key could name are numbered in their order. */
export function savedKey(key: Key | null): Key {
  return key ?? [{ column: null, descending: false, collation: null }];
}

/** The columns that a saved table has: all but hidden ones, and the one that is its rowid. */
export function savedColumns(table: TableInfo, key: Key | null): number[] {
  const rowidColumn = table.withoutRowid ? null : (key?.[0]?.column ?? null);
  return table.columns.flatMap((column, index) =>
    column.kind === 'hidden' || index === rowidColumn ? [] : [index],
  );
}

/** The statement that makes a saved table. `marks`: with a column that says whether the row was there. */
export function createSaved({ table, number, key }: KeptTable, marks: boolean): string {
  const columns = savedColumns(table, key).map((index) => {
    // Values compare as they did: a key has the affinity of its column.
    const isKey = table.withoutRowid && key?.some(({ column }) => column === index) === true;
    return isKey ? `c${index} ${table.columns[index]?.affinity ?? ''}` : `c${index}`;
  });
  const present = marks ? ['present'] : [];
  if (!table.withoutRowid || key === null) {
    // SQLite needs a column, and the user's may all be the rowid.
    const all = [...present, ...columns];
    return `CREATE TABLE ${savedName(number)} (${(all.length === 0 ? ['nothing'] : all).join(', ')})`;
  }
  const terms = key.map(
    (column) => `c${column.column}${collate(column)}${column.descending ? ' DESC' : ''}`,
  );
  const all = [...present, ...columns, `PRIMARY KEY (${terms.join(', ')})`];
  return `CREATE TABLE ${savedName(number)} (${all.join(', ')}) WITHOUT ROWID`;
}

/** The saved rows that were there at the start. */
export function savedRelation({ table, number, key }: KeptTable, marks: boolean): Relation {
  const rowidColumn = table.withoutRowid ? null : (key?.[0]?.column ?? null);
  return {
    from: `${savedName(number)} AS s`,
    filter: marks ? 's.present' : null,
    rowid: table.withoutRowid ? null : 's.rowid',
    columns: table.columns.map((_, index) => (index === rowidColumn ? 's.rowid' : `s.c${index}`)),
  };
}

/** That a row with the key of this row is in the saved table. `row`: what qualifies its columns. */
export function isSaved({ table, number, key }: KeptTable, row: string): string {
  const same = savedKey(key).map((column) => {
    const saved = table.withoutRowid ? `s.c${column.column}` : 's.rowid';
    return `${saved}${collate(column)} = ${keySql(table, column, row)}`;
  });
  return `EXISTS (SELECT 1 FROM ${savedName(number)} AS s WHERE ${same.join(' AND ')})`;
}

/** A key's column of a row of the user's table. */
export function keySql(table: TableInfo, { column }: KeyColumn, row: string): string {
  const name = column === null ? table.rowid : table.columns[column]?.name;
  return `${row}.${quoted(name ?? 'rowid')}`;
}

export function collate(column: { readonly collation: string | null }): string {
  return column.collation === null ? '' : ` COLLATE ${quoted(column.collation)}`;
}

// How much there is to export: estimated, for progress, from at most about a thousand rows of each table.

import { quoted } from './rows/names.js';
import type { SchemaInfo, TableInfo } from './rows/schema.js';
import { mayRead, type SubsetRequest } from './subset.js';

/** A table of no more rows than this is counted. */
const COUNTED = 512;

/** Of a larger one, so many stretches of so many rows are looked at. */
const SAMPLES = 8;
const SAMPLE_ROWS = 64;

/** A larger share than this is no longer taken as it is. */
const SURE_UP_TO = 0.95;

/** How much there is to export. */
export interface Expected {
  /** Tables, without SQLite's own and virtual ones. */
  readonly tables: number;
  /** Rows, estimated; null: nobody knows. */
  readonly rows: number | null;
}

/** Estimates how much there is in a part of the database. */
export function expected(sql: SqlStorage, schema: SchemaInfo, subset: SubsetRequest): Expected {
  const most = subset.content === 'schema' ? 0 : (subset.limit ?? Infinity);
  const isIn = mayRead({ ...subset, content: null }, schema);
  const tables = schema.flatMap(({ table }) => (table !== null && !table.isVirtual && isIn(table) ? [table] : []));
  const rows = tables.map((table) => (most === 0 ? 0 : atMost(rowsOf(sql, table), most)));
  return {
    tables: tables.filter(({ name }) => !/^sqlite_/i.test(name)).length,
    rows: rows.reduce((sum, some) => (sum === null || some === null ? null : sum + some), 0),
  };
}

function atMost(rows: number | null, most: number): number | null {
  // A table whose rows nobody knows has more than were counted.
  if (rows === null) return most <= COUNTED ? most : null;
  return Math.min(rows, most);
}

/**
 * Which share of an export is done when so many rows are: from 0 to 1, and never quite 1, since it is an estimate. Null
 * where nothing is known.
 */
export function share(rows: number, { rows: all }: Expected): number | null {
  if (all === null || all === 0) return null;
  const share = rows / all;
  if (share <= SURE_UP_TO) return share;
  // An estimate that was too low must not say that all is done: towards the end it slows down.
  const rest = 1 - SURE_UP_TO;
  return Math.min(SURE_UP_TO + rest * (1 - Math.exp((SURE_UP_TO - share) / rest)), 0.999);
}

function rowsOf(sql: SqlStorage, table: TableInfo): number | null {
  const name = quoted(table.name);
  const counted = number(sql, `SELECT count(*) FROM (SELECT 1 FROM ${name} LIMIT ${COUNTED + 1})`);
  if (counted !== null && counted <= COUNTED) return counted;
  return table.rowid === null ? table.estimatedRows : byRowids(sql, table, quoted(table.rowid));
}

/** By how close the rowids are to each other, from the first to the last one. */
function byRowids(sql: SqlStorage, { name, estimatedRows }: TableInfo, rowid: string): number | null {
  const from = quoted(name);
  const first = `(SELECT min(${rowid}) FROM ${from})`;
  const last = `(SELECT max(${rowid}) FROM ${from})`;
  // In SQL: a rowid may be larger than what JavaScript's numbers hold.
  const span = number(sql, `SELECT CAST(${last} AS REAL) - CAST(${first} AS REAL) + 1.0`);
  if (span === null) return estimatedRows;
  let density = 0;
  for (let sample = 0; sample < SAMPLES; sample++) {
    const at = `(${first} + CAST(${(sample / SAMPLES) * span} AS INTEGER))`;
    const ids = `SELECT ${rowid} AS id FROM ${from} WHERE ${rowid} >= ${at} ORDER BY ${rowid} LIMIT ${SAMPLE_ROWS}`;
    density += number(sql, `SELECT count(*) / (CAST(max(id) AS REAL) - ${at} + 1.0) FROM (${ids})`) ?? 0;
  }
  return Math.round((span * Math.min(density, SAMPLES)) / SAMPLES);
}

function number(sql: SqlStorage, query: string): number | null {
  const [row] = [...sql.exec(query).raw()];
  return typeof row?.[0] === 'number' ? row[0] : null;
}

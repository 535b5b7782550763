// One state of the database, kept while others write: by triggers that save rows before they change.
//
// Opened in one transaction, and in the same turn as the export is asked for. It lives in the database, so that it
// outlives the instance.

import { isLeftOutSql, quoted } from '../rows/names.js';
import type { View } from '../rows/rows.js';
import { readSchema, type SchemaInfo, type TableInfo } from '../rows/schema.js';
import { liveRelation, readKey, type Key, type Source } from '../rows/source.js';
import { mayRead, type SubsetRequest } from '../subset.js';
import { isSchemaAsMarked, saveSchemaMark } from './schema_mark.js';
import {
  createSaved,
  isSaved,
  savedColumns,
  savedKey,
  savedName,
  savedRelation,
  keySql,
  type KeptTable,
  type Mode,
} from './shape.js';
import { noticingTriggers, trackingTriggers } from './triggers.js';
import { readUniques } from './uniques.js';

/** What an export does when others write to the database while it runs. */
export type Consistency =
  /** It is the state at its start, whatever others write: rows are saved before they change. */
  | 'snapshot'
  /** It starts over when something has changed. */
  | 'restart'
  /** It fails when something has changed. */
  | 'fail';

/** Why a snapshot is no longer the state at its start. */
export type Loss = 'schema' | 'changed' | 'overflow';

/** SQLite's tables have at most so many columns here; a saved row has one more than the user's. */
const MAX_COLUMNS = 100;

/** What is kept of a table, as it is saved. */
interface Saved {
  name: string;
  mode: Mode;
  largest: string | null;
}

/** The snapshot can't be made. */
export class SnapshotError extends Error {
  override readonly name = 'SnapshotError';
}

export class Snapshot implements View {
  readonly schema: SchemaInfo;
  readonly #sql: SqlStorage;
  readonly #consistency: Consistency;
  readonly #tables: ReadonlyMap<string, KeptTable>;

  private constructor(
    sql: SqlStorage,
    consistency: Consistency,
    schema: SchemaInfo,
    tables: readonly KeptTable[],
  ) {
    this.#sql = sql;
    this.#consistency = consistency;
    this.schema = schema;
    this.#tables = new Map(tables.map((kept) => [kept.table.name, kept]));
  }

  /**
   * Keeps the present state of what an export of this part reads; the caller's transaction makes it whole. `maxBytes`: the
   * most that is copied.
   */
  static open(sql: SqlStorage, consistency: Consistency, maxBytes: number, subset: SubsetRequest): Snapshot {
    Snapshot.remove(sql);
    const schema = readSchema(sql);
    sql.exec('CREATE TABLE tmp_export_snapshot (key TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID');
    sql.exec('CREATE TABLE tmp_export_changed (changed)');
    let left = maxBytes;
    const isRead = mayRead(subset, schema);
    const tables = tablesOf(schema).map((table, number) => {
      const kept = isRead(table) ? keep(sql, table, number, consistency) : notKept(table, number);
      if (kept.mode === 'copied') left -= copy(sql, kept, left);
      return kept;
    });
    const saved = tables.map(({ table, mode, largest }): Saved => ({ name: table.name, mode, largest }));
    const put = (key: string, value: string): void => {
      sql.exec('INSERT INTO tmp_export_snapshot VALUES (?1, ?2)', key, value);
    };
    put('consistency', consistency);
    saved.forEach((table, number) => put(`table ${number}`, JSON.stringify(table)));
    saveSchemaMark(sql);
    return new Snapshot(sql, consistency, schema, tables);
  }

  /** The snapshot that another instance has opened; null: there is none, or its schema has changed. */
  static reopen(sql: SqlStorage): Snapshot | null {
    if (!exists(sql, 'tmp_export_snapshot') || !isSchemaAsMarked(sql)) return null;
    const values = new Map(
      [...sql.exec("SELECT key, value FROM tmp_export_snapshot WHERE key NOT GLOB 'schema *'").raw()].map(
        ([key, value]) => [String(key), String(value)] as const,
      ),
    );
    const schema = readSchema(sql);
    const tables = tablesOf(schema).map((table, number): KeptTable => {
      const { mode, largest } = JSON.parse(values.get(`table ${number}`) ?? '{}') as Saved;
      return { table, number, mode, largest, key: mode === 'none' ? null : readKey(sql, table) };
    });
    return new Snapshot(sql, values.get('consistency') as Consistency, schema, tables);
  }

  /** Removes all that a snapshot leaves in the database. */
  static remove(sql: SqlStorage): void {
    const own = sql.exec(
      `SELECT type, name FROM sqlite_master
        WHERE name GLOB 'tmp_export_rows_[0-9]*' OR name IN ('tmp_export_snapshot', 'tmp_export_changed')
        ORDER BY type = 'table'`,
    );
    for (const { type, name } of own.toArray()) {
      if (type === 'trigger') sql.exec(`DROP TRIGGER ${quoted(String(name))}`);
      if (type === 'table') sql.exec(`DROP TABLE ${quoted(String(name))}`);
    }
  }

  /** Whether it still is the state at its start; null: it is. `maxBytes`: the most that may be saved. */
  check(maxBytes: number): Loss | null {
    if (!isSchemaAsMarked(this.#sql)) return 'schema';
    if (this.#consistency !== 'snapshot') {
      const [changed] = [...this.#sql.exec('SELECT EXISTS (SELECT 1 FROM tmp_export_changed)').raw()];
      return changed?.[0] === 1 ? 'changed' : null;
    }
    return maxBytes !== Infinity && this.savedBytes() > maxBytes ? 'overflow' : null;
  }

  /** The size of all saved values. */
  savedBytes(): number {
    let bytes = 0;
    for (const kept of this.#tables.values()) {
      if (kept.mode === 'tracked') bytes += contentBytes(this.#sql, savedName(kept.number), kept);
    }
    return bytes;
  }

  source(table: TableInfo): Source | null {
    const kept = this.#tables.get(table.name);
    if (kept === undefined || kept.mode === 'none') return null;
    const key = savedKey(kept.key);
    if (kept.mode === 'copied') return { table, key, relations: [savedRelation(kept, false)] };
    if (kept.mode === 'empty') return { table, key, relations: [liveRelation(table, '0')] };
    if (this.#consistency !== 'snapshot') {
      return { table, key, relations: [liveRelation(table, null)] };
    }
    const [first] = key;
    const bound =
      kept.largest === null || first === undefined
        ? []
        : [`${keySql(table, first, 't')} <= ${kept.largest}`];
    const [saved] = [
      ...this.#sql.exec(`SELECT EXISTS (SELECT 1 FROM ${savedName(kept.number)})`).raw(),
    ];
    if (saved?.[0] === 0) {
      return { table, key, relations: [liveRelation(table, bound[0] ?? null)] };
    }
    const unchanged = [...bound, `NOT ${isSaved(kept, 't')}`].join(' AND ');
    return { table, key, relations: [liveRelation(table, unchanged), savedRelation(kept, true)] };
  }
}

function tablesOf(schema: SchemaInfo): TableInfo[] {
  return schema.flatMap(({ table }) => (table === null ? [] : [table]));
}

function exists(sql: SqlStorage, table: string): boolean {
  const query = "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = ?1";
  const [found] = [...sql.exec(query, table).raw()];
  return found?.[0] !== 0;
}

/** Nobody can read it then. */
function notKept(table: TableInfo, number: number): KeptTable {
  return { table, number, mode: 'none', largest: null, key: null };
}

/** Decides how a table is kept, and begins to. */
function keep(
  sql: SqlStorage,
  table: TableInfo,
  number: number,
  consistency: Consistency,
): KeptTable {
  if (table.isVirtual) return notKept(table, number);
  const key = readKey(sql, table);
  const copied: KeptTable = { table, number, mode: 'copied', largest: null, key };
  // SQLite allows no triggers on these, and without a key there is nothing to save rows under.
  if (table.isShadow || key === null || /^sqlite_/i.test(table.name)) return copied;
  if (savedColumns(table, key).length >= MAX_COLUMNS) return copied;
  const largest = table.withoutRowid ? null : largestRowid(sql, table, key);
  const kept: KeptTable = { ...copied, mode: 'tracked', largest };
  if (consistency !== 'snapshot') {
    for (const statement of noticingTriggers(kept)) sql.exec(statement);
    return kept;
  }
  if (!table.withoutRowid && largest === null) return { ...kept, mode: 'empty' };
  return track(sql, kept) ? kept : copied;
}

function largestRowid(sql: SqlStorage, table: TableInfo, key: Key): string | null {
  const [first] = key;
  if (first === undefined) return null;
  const query = `SELECT CAST(max(${keySql(table, first, 't')}) AS TEXT) FROM ${quoted(table.name)} AS t`;
  const [largest] = [...sql.exec(query).raw()];
  return largest?.[0] === null || largest?.[0] === undefined ? null : String(largest[0]);
}

/** Makes the triggers of a table; false: it can't be tracked. */
function track(sql: SqlStorage, kept: KeptTable): boolean {
  const uniques = readUniques(sql, kept.table);
  const triggers = uniques === null ? null : trackingTriggers(kept, uniques);
  if (triggers === null) return false;
  const wasWritable = isWritable(sql, kept.table);
  const made: string[] = [];
  try {
    for (const statement of [createSaved(kept, true), ...triggers]) {
      sql.exec(statement);
      made.push(/^CREATE ((?:TABLE|TRIGGER) \w+)/.exec(statement)?.[1] ?? '');
    }
    // Whatever is wrong with a trigger, the user's writes must not be the first to find it.
    if (!wasWritable || isWritable(sql, kept.table)) return true;
  } catch {
    // A statement over one of the platform's limits.
  }
  for (const object of made.reverse()) sql.exec(`DROP ${object}`);
  return false;
}

/**
 * Whether statements that write the table can be compiled, their triggers with them. They write nothing. (Not by
 * EXPLAIN: after a change of the schema, workerd 1.20260426 crashes when it meets such a statement again.)
 */
function isWritable(sql: SqlStorage, table: TableInfo): boolean {
  const name = quoted(table.name);
  const stored = table.columns.filter(({ kind }) => kind === 'ordinary');
  const columns = stored.map((column) => quoted(column.name));
  const [first] = columns;
  try {
    sql.exec(`INSERT INTO ${name} (${columns.join()}) SELECT ${columns.join()} FROM ${name} WHERE 0`);
    sql.exec(`UPDATE ${name} SET ${first} = ${first} WHERE 0`);
    sql.exec(`DELETE FROM ${name} WHERE 0`);
    return true;
  } catch {
    return false;
  }
}

/** Copies all rows of a table; their size. */
function copy(sql: SqlStorage, kept: KeptTable, maxBytes: number): number {
  const { table, number, key } = kept;
  const columns = savedColumns(table, key);
  const bytes = contentBytes(sql, quoted(table.name), kept);
  if (bytes > maxBytes) {
    throw new SnapshotError(
      `table ${JSON.stringify(table.name)} holds ${bytes} bytes. Tables like it (full-text indexes, and a few others that no trigger can watch) are copied when an export starts, at most ${maxBytes} bytes more: raise maxSnapshotBytes`,
    );
  }
  sql.exec(createSaved(kept, false));
  const rowid = key === null || table.withoutRowid ? null : (key[0] ?? null);
  const cell = (index: number): string => `t.${quoted(table.columns[index]?.name ?? '')}`;
  // With the rowid, a table of the most columns there can be has one more.
  const first = rowid === null ? columns : columns.slice(0, MAX_COLUMNS - 1);
  const targets = [...(rowid === null ? [] : ['rowid']), ...first.map((index) => `c${index}`)];
  const cells = [...(rowid === null ? [] : [keySql(table, rowid, 't')]), ...first.map(cell)];
  const from = `FROM ${quoted(table.name)} AS t`;
  // ANALYZE has counted the exports' own tables, too.
  const where = /^sqlite_stat/i.test(table.name) ? ` WHERE NOT ifnull(${isLeftOutSql('t.tbl')}, 0)` : '';
  // Rows without a key of their own keep the order of the table.
  const order = key === null ? ' NOT INDEXED' : '';
  const saved = savedName(number);
  sql.exec(`INSERT INTO ${saved} (${targets.join(', ')}) SELECT ${cells.join(', ')} ${from}${order}${where}`);
  if (rowid === null) return bytes;
  for (const index of columns.slice(first.length)) {
    const row = `${keySql(table, rowid, 't')} = ${saved}.rowid`;
    sql.exec(`UPDATE ${saved} SET c${index} = (SELECT ${cell(index)} ${from} WHERE ${row})`);
  }
  return bytes;
}

/** The bytes of the values of a table. */
function contentBytes(sql: SqlStorage, from: string, { table, key }: KeptTable): number {
  const isOwn = from.startsWith('tmp_');
  const cells = savedColumns(table, key).map((index) => {
    const name = isOwn ? `c${index}` : quoted(table.columns[index]?.name ?? '');
    return `ifnull(octet_length(${name}), 0)`;
  });
  // Every row takes some bytes beside its values. Sums of sums: an expression may be 100 deep.
  const sums: string[] = [];
  for (let at = 0; at < cells.length; at += 20) sums.push(`(${cells.slice(at, at + 20).join(' + ')})`);
  const query = `SELECT total(${['16', ...sums].join(' + ')}) FROM ${from}`;
  const [sum] = [...sql.exec(query).raw()];
  return Number(sum?.[0] ?? 0);
}

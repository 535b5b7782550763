// The schema of the object's database, without what is not the user's.

import type { Column, ObjectKind, Schema } from '../component/interfaces/partway-pipe-rows.js';
import { affinity, type Affinity } from './affinity.js';
import { isLeftOut, literal } from './names.js';

export interface ColumnInfo {
  readonly name: string;
  readonly declaredType: string;
  readonly kind: Column['kind'];
  /** Its place in the primary key, counted from 1; 0: none. */
  readonly primaryKey: number;
  readonly notNull: boolean;
  /** The SQL of its default, if it has one. */
  readonly defaultSql: string | null;
  readonly affinity: Affinity;
}

export interface TableInfo {
  readonly name: string;
  readonly columns: readonly ColumnInfo[];
  /** The name that reaches the rowid. */
  readonly rowid: string | null;
  readonly references: readonly string[];
  readonly withoutRowid: boolean;
  readonly strict: boolean;
  readonly isVirtual: boolean;
  readonly isShadow: boolean;
  readonly estimatedRows: number | null;
}

export interface ObjectInfo {
  readonly kind: ObjectKind;
  readonly name: string;
  readonly on: string;
  readonly sql: string | null;
  readonly table: TableInfo | null;
}

export type SchemaInfo = readonly ObjectInfo[];

const KINDS = ['ordinary', 'hidden', 'generated-virtual', 'generated-stored'] as const;

/** Reads the whole schema. */
export function readSchema(sql: SqlStorage): SchemaInfo {
  const flags = tableFlags(sql);
  const estimates = estimatedRows(sql);
  const objects: ObjectInfo[] = [];
  const stored = sql.exec<{ type: ObjectKind; name: string; tbl_name: string; sql: string | null }>(
    'SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY rowid',
  );
  for (const { type, name, tbl_name: on, sql: text } of stored.toArray()) {
    if (isLeftOut(on) || isLeftOut(name)) continue;
    const table = type === 'table' ? readTable(sql, name, flags.get(name), text, estimates) : null;
    objects.push({ kind: type, name, on, sql: text, table });
  }
  return objects;
}

/** Reads what one table is; without columns if there is none. */
export function readOneTable(sql: SqlStorage, name: string): TableInfo {
  const query = 'SELECT sql FROM sqlite_master WHERE type = \'table\' AND name = ?1 COLLATE NOCASE';
  const [row] = [...sql.exec(query, name).raw()];
  const text = row?.[0] ?? null;
  const flags = sql.exec(`SELECT type, wr, strict FROM pragma_table_list(${literal(name)}) WHERE schema = 'main'`);
  const [found] = flags.toArray() as unknown as Flags[];
  return readTable(sql, name, found, text === null ? null : String(text), new Map());
}

interface Flags {
  type: string;
  wr: number;
  strict: number;
}

function tableFlags(sql: SqlStorage): Map<string, Flags> {
  const rows = sql
    .exec("SELECT name, type, wr, strict FROM pragma_table_list WHERE schema = 'main'")
    .toArray();
  return new Map(rows.map((row) => [String(row.name), row as unknown as Flags]));
}

function readTable(
  sql: SqlStorage,
  name: string,
  flags: Flags | undefined,
  text: string | null,
  estimates: Map<string, number>,
): TableInfo {
  const isVirtual = flags?.type === 'virtual';
  const withoutRowid = flags?.wr === 1;
  const strict = flags?.strict === 1;
  const columns = readColumns(sql, name, strict, isVirtual);
  const mayRefer = !isVirtual && (text === null || /references/i.test(text));
  return {
    name,
    columns,
    rowid: isVirtual || withoutRowid ? null : rowidName(sql, name, columns),
    references: mayRefer ? references(sql, name) : [],
    withoutRowid,
    strict,
    isVirtual,
    isShadow: flags?.type === 'shadow',
    estimatedRows: estimates.get(name) ?? null,
  };
}

function readColumns(
  sql: SqlStorage,
  table: string,
  strict: boolean,
  isVirtual: boolean,
): ColumnInfo[] {
  let rows: Record<string, SqlStorageValue>[];
  try {
    rows = sql
      .exec(
        `SELECT name, type, pk, hidden, "notnull" AS required, dflt_value FROM pragma_table_xinfo(${literal(table)}) ORDER BY cid`,
      )
      .toArray();
  } catch (error) {
    // Without its module nobody knows the columns.
    if (isVirtual) return [];
    throw error;
  }
  return rows.map((row) => ({
    name: String(row.name),
    declaredType: String(row.type),
    kind: KINDS[Number(row.hidden)] ?? 'ordinary',
    primaryKey: Number(row.pk),
    notNull: row.required !== 0,
    defaultSql: row.dflt_value === null ? null : String(row.dflt_value),
    affinity: affinity(String(row.type), strict),
  }));
}

function references(sql: SqlStorage, table: string): string[] {
  const query = `SELECT DISTINCT "table" FROM pragma_foreign_key_list(${literal(table)}) ORDER BY 1`;
  return [...sql.exec(query).raw()].map(([name]) => String(name));
}

/** The name of the INTEGER PRIMARY KEY, or one of SQLite's own three that no column has. */
function rowidName(sql: SqlStorage, table: string, columns: readonly ColumnInfo[]): string | null {
  const key = columns.filter((column) => column.primaryKey > 0);
  if (key.length === 1 && key[0] !== undefined && key[0].declaredType.toUpperCase() === 'INTEGER') {
    // `INTEGER PRIMARY KEY DESC` and `PRIMARY KEY (a, a)` are ordinary columns, and then the key has an
    // index of its own.
    const query = `SELECT count(*) FROM pragma_index_list(${literal(table)}) WHERE origin = 'pk'`;
    const [indexes] = [...sql.exec(query).raw()];
    if (indexes?.[0] === 0) return key[0].name;
  }
  const taken = new Set(columns.map((column) => column.name.toLowerCase()));
  return ['rowid', '_rowid_', 'oid'].find((name) => !taken.has(name)) ?? null;
}

/** Row counts that `ANALYZE` left; they are for progress only. */
function estimatedRows(sql: SqlStorage): Map<string, number> {
  const estimates = new Map<string, number>();
  try {
    for (const [table, stat] of sql.exec('SELECT tbl, stat FROM sqlite_stat1').raw()) {
      const rows = /^\d+/.exec(String(stat))?.[0];
      if (rows !== undefined) estimates.set(String(table), Number(rows));
    }
  } catch {
    // Most databases have none.
  }
  return estimates;
}

const encoder = new TextEncoder();

/** In the contract's form. The header's values are those that the platform gives every database. */
export function toContract(schema: SchemaInfo): Schema {
  const text = (value: string): Uint8Array => encoder.encode(value);
  return {
    encoding: 'utf8',
    userVersion: 0,
    applicationId: 0,
    pageSize: 4096,
    autoVacuum: 'none',
    objects: schema.map(({ kind, name, on, sql, table }) => ({
      kind,
      name: text(name),
      on: text(on),
      ...(sql === null ? {} : { sql: text(sql) }),
      ...(table === null ? {} : { table: tableToContract(table, text) }),
    })),
  };
}

function tableToContract(
  table: TableInfo,
  text: (value: string) => Uint8Array,
): NonNullable<Schema['objects'][number]['table']> {
  return {
    columns: table.columns.map((column) => ({
      name: text(column.name),
      declaredType: text(column.declaredType),
      kind: column.kind,
      primaryKey: column.primaryKey,
    })),
    ...(table.rowid === null ? {} : { rowid: text(table.rowid) }),
    references: table.references.map(text),
    flags: {
      withoutRowid: table.withoutRowid,
      strict: table.strict,
      virtual: table.isVirtual,
      shadow: table.isShadow,
    },
    ...(table.estimatedRows === null ? {} : { estimatedRows: BigInt(table.estimatedRows) }),
  };
}

// Foreign keys while a dump is imported.
//
// The platform enforces them, and resets an object that ends a transaction with one violated. A dump has a table's rows
// after those of the tables it refers to. But a row may come before one of its own table that it refers to, and tables
// may refer to each other in a circle; in between, there are slices. So checks are put off in each slice, and given up at
// its end: turning `defer_foreign_keys` off forgets the violations that were counted. At the end of the import, all rows
// are checked.
//
// While a violation is counted, SQLite looks for rows that refer to each row inserted. Where such rows can be there
// already, and no index leads to them, that would read the whole table each time: such keys have an index meanwhile.

import { displayed, isLeftOut, literal, quoted } from '../rows/names.js';
import { readOneTable, type TableInfo } from '../rows/schema.js';
import { ImportError } from './error.js';

/** A foreign key of a table. */
interface ForeignKey {
  readonly parent: string;
  readonly columns: readonly string[];
  /** The columns referred to; null: the parent's primary key. */
  readonly to: readonly string[] | null;
}

/** Runs statements with the settings of a dump, in a transaction; afterwards the settings are the platform's. */
export function withImportSettings<T>(storage: DurableObjectStorage, run: () => T): T {
  return storage.transactionSync(() => {
    const { sql } = storage;
    try {
      sql.exec('PRAGMA defer_foreign_keys=ON');
      sql.exec('PRAGMA ignore_check_constraints=ON');
      return run();
    } finally {
      sql.exec('PRAGMA ignore_check_constraints=OFF');
      sql.exec('PRAGMA defer_foreign_keys=OFF');
    }
  });
}

/** Makes the indexes that keys need meanwhile. In a transaction, when the tables are there and their rows are not. */
export function createKeyIndexes(sql: SqlStorage, tables: readonly string[]): void {
  let number = 0;
  for (const [table, keys] of keysAgainstOrder(sql, tables)) {
    for (const { columns } of keys) {
      if (hasIndex(sql, table, columns)) continue;
      const names = columns.map(quoted).join(', ');
      sql.exec(`CREATE INDEX tmp_import_key_${(number += 1)} ON ${quoted(table)} (${names})`);
    }
  }
}

/** Drops them. */
export function dropKeyIndexes(sql: SqlStorage): void {
  const query = "SELECT name FROM sqlite_master WHERE type = 'index' AND name GLOB 'tmp_import_key_[0-9]*'";
  for (const [name] of [...sql.exec(query).raw()]) sql.exec(`DROP INDEX ${quoted(String(name))}`);
}

/** The keys whose rows can come before those they refer to. */
function keysAgainstOrder(sql: SqlStorage, tables: readonly string[]): Map<string, ForeignKey[]> {
  const all = new Map(tables.map((table) => [table, foreignKeys(sql, table)] as const));
  const unordered = new Set(tables.map((table) => table.toLowerCase()));
  const isOrdered = ([table, keys]: [string, ForeignKey[]]): boolean =>
    unordered.has(table.toLowerCase()) &&
    keys.every(({ parent }) => parent.toLowerCase() === table.toLowerCase() || !unordered.has(parent.toLowerCase()));
  for (;;) {
    const ordered = [...all].filter(isOrdered);
    if (ordered.length === 0) break;
    for (const [table] of ordered) unordered.delete(table.toLowerCase());
  }
  const against = new Map<string, ForeignKey[]>();
  for (const [table, keys] of all) {
    const isAgainst = ({ parent }: ForeignKey): boolean =>
      parent.toLowerCase() === table.toLowerCase() ||
      (unordered.has(table.toLowerCase()) && unordered.has(parent.toLowerCase()));
    const found = keys.filter(isAgainst);
    if (found.length > 0) against.set(table, found);
  }
  return against;
}

function foreignKeys(sql: SqlStorage, table: string): ForeignKey[] {
  const query = `SELECT id, "table", "from", "to" FROM pragma_foreign_key_list(${literal(table)}) ORDER BY id, seq`;
  const keys = new Map<number, { parent: string; columns: string[]; to: string[] | null }>();
  for (const [id, parent, from, to] of [...sql.exec(query).raw()]) {
    const key = keys.get(Number(id)) ?? { parent: String(parent), columns: [], to: to === null ? null : [] };
    key.columns.push(String(from));
    key.to?.push(String(to));
    keys.set(Number(id), key);
  }
  return [...keys.values()];
}

/** Whether an index of a table begins with these columns, in any order. */
function hasIndex(sql: SqlStorage, table: string, columns: readonly string[]): boolean {
  const query = `SELECT i.name, x.name FROM pragma_index_list(${literal(table)}) AS i, pragma_index_info(i.name) AS x
    WHERE NOT i.partial ORDER BY i.seq, x.seqno`;
  const indexes = new Map<string, string[]>();
  for (const [index, column] of [...sql.exec(query).raw()]) {
    indexes.set(String(index), [...(indexes.get(String(index)) ?? []), String(column).toLowerCase()]);
  }
  const wanted = new Set(columns.map((column) => column.toLowerCase()));
  return [...indexes.values()].some((names) => {
    const first = new Set(names.slice(0, wanted.size));
    return first.size === wanted.size && [...wanted].every((name) => first.has(name));
  });
}

/** Where the check of a table's keys is: at the `key`th, in the rows after this rowid. */
export interface KeyPosition {
  readonly key: number;
  readonly after: string | null;
}

/** Checks a key of a table in some more rows. Where to go on; null: the table is checked. */
export function checkKeys(sql: SqlStorage, name: string, from: KeyPosition, rows: number): KeyPosition | null {
  const keys = foreignKeys(sql, name);
  const key = keys[from.key];
  if (key === undefined) return null;
  const table = readOneTable(sql, name);
  const violated = violation(sql, table, key);
  if (table.rowid === null || violated === null) {
    // In one step: there are no rowids to go by.
    checkTable(sql, name);
    return null;
  }
  const rowid = `c.${quoted(table.rowid)}`;
  const where = from.after === null ? '' : `WHERE ${rowid} > ${from.after}`;
  const query = `SELECT CAST(max(id) AS TEXT), CAST(min(CASE WHEN violated THEN id END) AS TEXT), count(*)
    FROM (SELECT ${rowid} AS id, ${violated} AS violated FROM ${quoted(name)} AS c ${where} ORDER BY ${rowid} LIMIT ${rows})`;
  const [[last, found, count] = []] = [...sql.exec(query).raw()];
  if (found !== null && found !== undefined) throw violatedKey(name, `row ${String(found)}`, key.parent);
  if (Number(count) === rows) return { key: from.key, after: String(last) };
  return from.key + 1 < keys.length ? { key: from.key + 1, after: null } : null;
}

/** The condition that a row `c` violates a key; null: SQLite has to say. */
function violation(sql: SqlStorage, table: TableInfo, { parent, columns, to }: ForeignKey): string | null {
  const isSelf = parent.toLowerCase() === table.name.toLowerCase();
  const referred = to ?? primaryKey(isSelf ? table : readOneTable(sql, parent));
  if (referred.length !== columns.length) return null;
  const given = columns.map((column) => `c.${quoted(column)} IS NOT NULL`);
  // The parent's affinity and collation compare, not the child's: hence the plus.
  const equal = columns.map((column, index) => `p.${quoted(referred[index] ?? '')} = +c.${quoted(column)}`);
  return `(${given.join(' AND ')} AND NOT EXISTS (SELECT 1 FROM ${quoted(parent)} AS p WHERE ${equal.join(' AND ')}))`;
}

function primaryKey({ columns }: TableInfo): string[] {
  const key = columns.filter(({ primaryKey: place }) => place > 0);
  return key.sort((one, other) => one.primaryKey - other.primaryKey).map(({ name }) => name);
}

function checkTable(sql: SqlStorage, table: string): void {
  const query = `SELECT CAST(rowid AS TEXT), "parent" FROM pragma_foreign_key_check(${literal(table)}) LIMIT 1`;
  const [found] = [...sql.exec(query).raw()];
  if (found === undefined) return;
  throw violatedKey(table, found[0] === null ? 'a row' : `row ${String(found[0])}`, String(found[1]));
}

function violatedKey(table: string, row: string, parent: string): ImportError {
  const text = `${row} of ${displayed(table)} refers to a row of ${displayed(parent)} that does not exist`;
  return new ImportError('foreign-key', `${text}: repair the original, or give allowViolations`);
}

/** The tables with foreign keys, of these. */
export function tablesWithKeys(sql: SqlStorage, tables: readonly string[]): string[] {
  return tables.filter((table) => !isLeftOut(table) && foreignKeys(sql, table).length > 0);
}

// The unique constraints of a table. A row that violates one may make SQLite delete another row (ON CONFLICT
// REPLACE), and no trigger fires for that.

import { literal } from '../rows/names.js';
import type { TableInfo } from '../rows/schema.js';

export interface UniqueColumn {
  /** Its index in the table's columns. */
  readonly column: number;
  readonly collation: string;
}

export interface Unique {
  readonly columns: readonly UniqueColumn[];
  /** Only rows that meet this condition are in the index; null: all. */
  readonly where: string | null;
}

/** All of a table; null where one of them can't be expressed in a trigger. */
export function readUniques(sql: SqlStorage, table: TableInfo): Unique[] | null {
  const indexes = sql
    .exec(
      `SELECT i.name, i.partial, m.sql FROM pragma_index_list(${literal(table.name)}) AS i
        LEFT JOIN sqlite_master AS m ON m.type = 'index' AND m.name = i.name WHERE i."unique"`,
    )
    .toArray();
  const uniques: Unique[] = [];
  for (const { name, partial, sql: text } of indexes) {
    const columns = [
      ...sql
        .exec(`SELECT cid, coll FROM pragma_index_xinfo(${literal(String(name))}) WHERE key ORDER BY seqno`)
        .raw(),
    ].map(([column, collation]) => ({ column: Number(column), collation: String(collation) }));
    const where = partial === 1 ? partialCondition(String(text)) : null;
    // An index on an expression, or one whose condition was not found.
    if (columns.some(({ column }) => column < 0) || (partial === 1 && where === null)) return null;
    uniques.push({ columns, where });
  }
  return uniques;
}

/** The condition of a partial index, out of the statement that created it; null: not found. */
export function partialCondition(sql: string): string | null {
  const token = /\s+|--[^\n]*|\/\*[\s\S]*?(?:\*\/|$)|'(?:[^']|'')*'|"(?:[^"]|"")*"|`(?:[^`]|``)*`|\[[^\]]*\]|[\w$\u0080-\uffff]+|[\s\S]/gy;
  let depth = 0;
  let isBehindColumns = false;
  for (let match = token.exec(sql); match !== null; match = token.exec(sql)) {
    const [text] = match;
    if (text === '(') depth += 1;
    if (text === ')') {
      depth -= 1;
      isBehindColumns ||= depth === 0;
    }
    if (isBehindColumns && depth === 0 && text.toUpperCase() === 'WHERE') {
      // What ends in a comment would swallow what follows it here.
      return `${sql.slice(token.lastIndex)}\n`;
    }
  }
  return null;
}

/**
 * The value that a new row has in a column, in a BEFORE trigger; null where it can't be expressed.
 *
 * A NULL that the column does not allow becomes its default when conflicts are resolved by REPLACE, and that
 * happens behind the trigger.
 */
export function newValue(table: TableInfo, index: number, reference: string): string | null {
  const column = table.columns[index];
  if (column === undefined) return null;
  if (!column.notNull || column.defaultSql === null) return reference;
  const value = defaultValue(column.defaultSql);
  return value === null ? null : `ifnull(${reference}, ${value})`;
}

/** A default as an expression: SQLite takes a bare word there for text. */
function defaultValue(sql: string): string | null {
  const text = sql.trim();
  if (/^[+-]?\s*(\d|\.\d|0x)[\w.+-]*$/i.test(text)) return text;
  if (/^x?'(?:[^']|'')*'$/i.test(text)) return text;
  if (/^(null|true|false|current_(date|time|timestamp))$/i.test(text)) return text;
  if (/^[A-Za-z_]\w*$/.test(text)) return literal(text);
  const quotes = /^"((?:[^"]|"")*)"$/.exec(text);
  if (quotes?.[1] !== undefined) return literal(quotes[1].replaceAll('""', '"'));
  return text.includes('"') || text.includes('--') || text.includes('/*') ? null : `(${text})`;
}

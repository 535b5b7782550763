// The SQL that selects the rows after a position, in the order of the key. Never by OFFSET: that would be
// quadratic, and wrong when rows move.

import { BLOB, INTEGER, NULL, REAL, TEXT, type Cell } from './cell.js';
import { quoted } from './names.js';
import type { KeyValue, Position } from './position.js';
import { columnSql, type Key, type KeyColumn, type Relation } from './source.js';

/**
 * How many ranges make up the rows after a position.
 *
 * After the key (a, b, c) come first the rows with the same a and b and a further c, then those with the same
 * a and a further b, then those with a further a. Each is one range of the index, whatever the directions and
 * collations; a comparison of row values is one for ascending keys only.
 */
export function ranges(position: Position): number {
  return position === null ? 1 : position.length;
}

/** The condition of one range; null: all rows. Parameters are numbered from 1, one a value. */
export function inRange(
  relation: Relation,
  key: Key,
  position: Position,
  range: number,
): string | null {
  if (position === null) return null;
  const depth = position.length - range;
  const terms = position.slice(0, depth).map((value, index) => {
    const column = key[index];
    if (column === undefined) throw new RangeError('the position has more values than the key');
    const further = column.descending ? '<' : '>';
    const operator = index === depth - 1 ? further : '=';
    const parameter = parameterSql(value, index + 1);
    return `${columnSql(relation, column.column)}${collate(column)} ${operator} ${parameter}`;
  });
  return terms.join(' AND ');
}

/** The values of the parameters of a range. */
export function parameters(position: Position, range: number): Cell[] {
  return position === null ? [] : position.slice(0, position.length - range).map(bound);
}

/**
 * The order of rows. `term`: the SQL of a key column, or its number among the results. The columns that a
 * range has equal are left in: SQLite knows that they are constant.
 */
export function orderBy(key: Key, term: (column: KeyColumn, index: number) => string): string {
  const terms = key.map((column, index) => {
    return `${term(column, index)}${collate(column)}${column.descending ? ' DESC' : ''}`;
  });
  return `ORDER BY ${terms.join(', ')}`;
}

function collate(column: KeyColumn): string {
  return column.collation === null ? '' : ` COLLATE ${quoted(column.collation)}`;
}

/**
 * A parameter. Numbers arrive as REAL, and strings as valid text, so integers are given by their digits and
 * text by its bytes. The plus takes the cast's affinity away, which would change how values compare.
 */
function parameterSql(value: KeyValue, number: number): string {
  switch (value.kind) {
    case INTEGER:
      return `+CAST(?${number} AS INTEGER)`;
    case TEXT:
      return `+CAST(?${number} AS TEXT)`;
    default:
      return `?${number}`;
  }
}

function bound(value: KeyValue): Cell {
  switch (value.kind) {
    case INTEGER:
      return value.digits;
    case REAL:
      return value.value;
    case TEXT:
    case BLOB:
      return value.bytes.slice().buffer as ArrayBuffer;
    case NULL:
      return null;
  }
}

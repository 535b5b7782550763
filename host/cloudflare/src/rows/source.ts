// Where a table's rows come from: the table itself, or the rows that a snapshot has saved of it, or both.

import { literal, quoted } from './names.js';
import type { TableInfo } from './schema.js';

/** A column of the key that orders a table, in the key's own direction and collation. */
export interface KeyColumn {
  /** Its index in the table's columns; null: the rowid. */
  readonly column: number | null;
  readonly descending: boolean;
  /** The collation's name; null: that of a rowid. */
  readonly collation: string | null;
}

export type Key = readonly KeyColumn[];

/** A table in which rows lie, under an alias. */
export interface Relation {
  /** What follows FROM: the table and its alias. */
  readonly from: string;
  /** A condition that all its rows must meet. */
  readonly filter: string | null;
  /** The SQL of the rowid, and of each of the table's columns. */
  readonly rowid: string | null;
  readonly columns: readonly string[];
}

/** Where a table's rows are read, in the order of its key. */
export interface Source {
  readonly table: TableInfo;
  readonly key: Key;
  /** One, or two that are merged. */
  readonly relations: readonly Relation[];
}

/** The key that orders a table; null where no name reaches its rowid. */
export function readKey(sql: SqlStorage, table: TableInfo): Key | null {
  if (!table.withoutRowid) {
    if (table.rowid === null) return null;
    const column = table.columns.findIndex(({ name }) => name === table.rowid);
    return [{ column: column < 0 ? null : column, descending: false, collation: null }];
  }
  const query = `SELECT x.name, x."desc", x.coll
    FROM pragma_index_list(${literal(table.name)}) AS i, pragma_index_xinfo(i.name) AS x
    WHERE i.origin = 'pk' AND x.key ORDER BY x.seqno`;
  return [...sql.exec(query).raw()].map(([name, descending, collation]) => ({
    column: table.columns.findIndex((column) => column.name === name),
    descending: descending === 1,
    collation: String(collation),
  }));
}

/** The table itself. */
export function liveRelation(table: TableInfo, filter: string | null): Relation {
  return {
    from: `${quoted(table.name)} AS t`,
    filter,
    rowid: table.rowid === null ? null : `t.${quoted(table.rowid)}`,
    columns: table.columns.map(({ name }) => `t.${quoted(name)}`),
  };
}

/** A column of a relation; null: its rowid. */
export function columnSql(relation: Relation, column: number | null): string {
  const sql = column === null ? relation.rowid : relation.columns[column];
  if (sql === undefined || sql === null) throw new RangeError('there is no such column');
  return sql;
}

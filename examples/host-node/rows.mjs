// The contract's `rows` (wit/rows.wit) over a SQLite database, by node:sqlite.

import { DatabaseSync } from 'node:sqlite';

import { Cursor, RowsError, quoted } from './cursor.mjs';

const COLUMN_KINDS = ['ordinary', 'hidden', 'generated-virtual', 'generated-stored'];
const ENCODINGS = { 'UTF-8': 'utf8', 'UTF-16le': 'utf16le', 'UTF-16be': 'utf16be' };

/** What SQLite throws becomes the contract's error. */
function reading(call) {
  try {
    return call();
  } catch (error) {
    if (error instanceof RowsError) throw error;
    const [CORRUPT, NOT_A_DATABASE] = [11, 26];
    const isCorrupt = [CORRUPT, NOT_A_DATABASE].includes(error.errcode & 0xff);
    throw new RowsError(isCorrupt ? 'corrupt' : 'failed', error.message);
  }
}

/** The resource that a component holds. */
class CursorResource {
  #cursor;

  constructor(cursor) {
    this.#cursor = cursor;
  }

  next(maxBytes) {
    return reading(() => this.#cursor.next(maxBytes));
  }

  position(rows) {
    return reading(() => this.#cursor.position(rows));
  }

  read(row, column, offset, maxBytes) {
    return reading(() => this.#cursor.read(row, column, offset, maxBytes));
  }
}

/** The tables of a database that nobody changes. */
export class Rows {
  #db;
  #encoding;
  #tables = new Map();
  #schema;

  constructor(path) {
    this.#db = new DatabaseSync(path, { readOnly: true });
    this.#encoding = ENCODINGS[this.#value('PRAGMA encoding')];
    this.#schema = this.#readSchema();
  }

  /** The interface `rows`. */
  get imports() {
    return {
      Cursor: CursorResource,
      describe: () => this.#schema,
      scan: (table, columns, after) =>
        reading(() => new CursorResource(this.#scan(nameOf(table), columns.map(nameOf), after))),
    };
  }

  close() {
    this.#db.close();
  }

  #readSchema() {
    const flags = new Map();
    const list = `SELECT CAST(name AS BLOB), wr, strict, type = 'virtual', type = 'shadow'
      FROM pragma_table_list WHERE schema = 'main'`;
    for (const [name, ...isSet] of this.#all(list)) {
      const [withoutRowid, strict, virtual, shadow] = isSet.map(Boolean);
      flags.set(nameOf(this.#utf8(name)), { withoutRowid, strict, virtual, shadow });
    }
    const objects = [];
    const select = `SELECT type, CAST(name AS BLOB), CAST(tbl_name AS BLOB), CAST(sql AS BLOB)
      FROM sqlite_master ORDER BY rowid`;
    for (const [kind, ...texts] of this.#all(select)) {
      const [name, on, sql] = texts.map((text) => (text === null ? undefined : this.#utf8(text)));
      const object = { kind, name, on, sql };
      if (kind === 'table') {
        object.table = this.#readTable(nameOf(name), flags.get(nameOf(name)));
        this.#tables.set(nameOf(name), object.table);
      }
      objects.push(object);
    }
    return {
      encoding: this.#encoding,
      userVersion: Number(this.#value('PRAGMA user_version')),
      applicationId: Number(this.#value('PRAGMA application_id')),
      pageSize: Number(this.#value('PRAGMA page_size')),
      autoVacuum: ['none', 'full', 'incremental'][this.#value('PRAGMA auto_vacuum')],
      objects,
    };
  }

  #readTable(name, flags) {
    let found = [];
    try {
      found = this.#all(
        `SELECT CAST(name AS BLOB), CAST(type AS BLOB), pk, hidden FROM pragma_table_xinfo(?1) ORDER BY cid`,
        name,
      );
    } catch (error) {
      // Without the module of a virtual table nobody knows its columns.
      if (!flags.virtual) throw error;
    }
    const columns = found.map(([column, type, place, hidden]) => ({
      name: this.#utf8(column),
      declaredType: this.#utf8(type),
      kind: COLUMN_KINDS[hidden],
      primaryKey: Number(place),
    }));
    const parents = `SELECT DISTINCT CAST("table" AS BLOB) FROM pragma_foreign_key_list(?1) ORDER BY 1`;
    return {
      columns,
      rowid: flags.virtual || flags.withoutRowid ? undefined : this.#rowidName(name, columns),
      references: flags.virtual ? [] : this.#all(parents, name).map(([parent]) => this.#utf8(parent)),
      flags,
      estimatedRows: undefined, // To count the rows is to read the table.
    };
  }

  /** An INTEGER PRIMARY KEY, or the first of SQLite's own names that no column has. */
  #rowidName(table, columns) {
    const key = columns.filter(({ primaryKey }) => primaryKey > 0);
    if (key.length === 1 && nameOf(key[0].declaredType).toUpperCase() === 'INTEGER') {
      // INTEGER PRIMARY KEY DESC is not the rowid: it has an index of its own.
      const indexes = this.#value(`SELECT count(*) FROM pragma_index_list(?1) WHERE origin = 'pk'`, table);
      if (indexes === 0n) return key[0].name;
    }
    const taken = new Set(columns.map(({ name }) => nameOf(name).toLowerCase()));
    const free = ['rowid', '_rowid_', 'oid'].find((name) => !taken.has(name));
    return free === undefined ? undefined : new TextEncoder().encode(free);
  }

  #scan(table, columns, after) {
    const details = this.#tables.get(table);
    if (details === undefined) throw new RowsError('unknown-table', `there is no table ${table}`);
    if (details.flags.virtual) {
      throw new RowsError('unavailable', `table ${table} is virtual: its data is in its shadow tables`);
    }
    const known = [...details.columns.map(({ name }) => name), details.rowid].filter(Boolean).map(nameOf);
    for (const column of columns) {
      if (!known.includes(column)) throw new RowsError('unknown-column', `table ${table} has no column ${column}`);
    }
    return new Cursor(this.#db, table, columns, this.#key(table, details), after);
  }

  /** What orders a table; empty if it is a rowid that has no name. */
  #key(table, { rowid, flags }) {
    if (rowid !== undefined) return [{ name: quoted(nameOf(rowid)), collation: 'BINARY', descends: false }];
    if (!flags.withoutRowid) return [];
    const select = `SELECT x.name, x.coll, x."desc"
      FROM pragma_index_list(?1) AS i, pragma_index_xinfo(i.name) AS x
      WHERE i.origin = 'pk' AND x.key ORDER BY x.seqno`;
    return this.#all(select, table).map(([name, collation, descends]) => ({
      name: quoted(name),
      collation: quoted(collation),
      descends: Boolean(descends),
    }));
  }

  /** Rows as arrays, in which integers are bigint. */
  #all(sql, ...parameters) {
    const statement = this.#db.prepare(sql);
    statement.setReadBigInts(true);
    statement.setReturnArrays(true);
    return statement.all(...parameters);
  }

  #value(sql, ...parameters) {
    return this.#all(sql, ...parameters)[0][0];
  }

  /** Text of the schema, given as it is stored, in UTF-8. */
  #utf8(stored) {
    if (this.#encoding === 'utf8') return stored;
    const text = new TextDecoder(this.#encoding.replace('utf16', 'utf-16'), { ignoreBOM: true }).decode(stored);
    return new TextEncoder().encode(text);
  }
}

/** A name for SQL. One that is not valid UTF-8 can't be written in it from JavaScript: that is an error. */
function nameOf(bytes) {
  return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
}

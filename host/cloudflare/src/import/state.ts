// The saved state of imports, in the object's own database.

import { isLeftOut } from '../rows/names.js';
import type { DumpObject } from './dump_source.js';

export type ImportState = 'running' | 'failing' | 'done' | 'failed' | 'cancelling' | 'cancelled';

/** What is next of an import. */
export type Phase =
  /** The dump's statements. */
  | { readonly kind: 'statements' }
  /** The check of foreign keys: those of the `table`th table, from the `key`th on, in the rows after this rowid. */
  | { readonly kind: 'foreign-keys'; readonly table: number; readonly key: number; readonly after: string | null };

/** What an import accepts. */
export interface ImportOptions {
  /** Also a dump that lacks rows, of a damaged database. */
  readonly allowIncomplete?: boolean;
  /** Whether rows may refer to others that do not exist. They may in databases of programs that do not check it. */
  readonly allowViolations?: boolean;
}

/** An import, as it is saved. */
export interface ImportRecord {
  readonly id: string;
  readonly object: DumpObject;
  readonly options: Required<ImportOptions>;
  status: ImportState;
  phase: Phase;
  /** The offset in the dump behind the last statement that was run. */
  offset: number;
  /** Whether what keeps foreign keys fast meanwhile has been made. */
  hasKeyIndexes: boolean;
  statements: number;
  rows: number;
  /** What the dump says that it has. */
  readonly expected: { readonly tables: number; readonly rows: number };
  slices: number;
  /** How often a step has failed since the last progress. */
  attempts: number;
  /** How often an instance has ended in the middle of its work since the last progress. */
  crashes: number;
  error: string | null;
  readonly createdAt: number;
  movedAt: number;
  finishedAt: number | null;
  nextTryAt: number | null;
}

/** A table or view that an import has made. */
export interface Made {
  readonly kind: 'table' | 'view';
  readonly name: string;
}

export function isEnded(record: ImportRecord): boolean {
  return record.status === 'done' || record.status === 'failed' || record.status === 'cancelled';
}

/** Takes note of progress: earlier failures count no more. */
export function progressed(record: ImportRecord): void {
  if (record.status === 'failing') record.status = 'running';
  Object.assign(record, { attempts: 0, crashes: 0, nextTryAt: null, movedAt: Date.now() });
  // What a cancelled import had failed with stays.
  if (record.status === 'running') record.error = null;
}

const UNFINISHED = "status NOT IN ('done', 'failed', 'cancelled')";

export class ImportStates {
  readonly #sql: SqlStorage;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
  }

  /** Whether there has been an import yet. */
  get exists(): boolean {
    return this.#hasTable('tmp_import_state');
  }

  /** Saves an import that begins. */
  insert(record: ImportRecord): void {
    this.#sql.exec(
      `CREATE TABLE IF NOT EXISTS tmp_import_state
        (id TEXT PRIMARY KEY, number INTEGER, status TEXT, record TEXT) WITHOUT ROWID`,
    );
    // An earlier import that failed may have left one.
    this.dropMade();
    this.#sql.exec('CREATE TABLE tmp_import_made (number INTEGER PRIMARY KEY, kind TEXT, name TEXT UNIQUE)');
    this.#sql.exec(
      'INSERT INTO tmp_import_state SELECT ?1, ifnull(max(number), 0) + 1, ?2, ?3 FROM tmp_import_state',
      record.id,
      record.status,
      JSON.stringify(record),
    );
  }

  save(record: ImportRecord): void {
    this.#sql.exec(
      'UPDATE tmp_import_state SET status = ?2, record = ?3 WHERE id = ?1',
      record.id,
      record.status,
      JSON.stringify(record),
    );
  }

  find(id: string): ImportRecord | null {
    return this.#one('SELECT record FROM tmp_import_state WHERE id = ?1', id);
  }

  /** The newest import. */
  newest(): ImportRecord | null {
    return this.#one('SELECT record FROM tmp_import_state ORDER BY number DESC LIMIT 1');
  }

  /** The import that runs, or is being cancelled: there is only one at a time. */
  unfinished(): ImportRecord | null {
    return this.#one(`SELECT record FROM tmp_import_state WHERE ${UNFINISHED} LIMIT 1`);
  }

  /** Forgets ended imports beyond the newest ones. */
  prune(keep: number): void {
    const newest = 'SELECT id FROM tmp_import_state ORDER BY number DESC LIMIT ?1';
    this.#sql.exec(`DELETE FROM tmp_import_state WHERE NOT ${UNFINISHED} AND id NOT IN (${newest})`, keep);
  }

  /** The tables and views that are in the database now, in the order of their making, without those of Partway and the platform. */
  present(): Made[] {
    const shadows = "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'shadow'";
    const query = `SELECT type, name FROM sqlite_master
      WHERE type IN ('table', 'view') AND name NOT IN (${shadows}) ORDER BY rowid`;
    const named = [...this.#sql.exec(query).raw()].map(([kind, name]): Made => {
      return { kind: kind as Made['kind'], name: String(name) };
    });
    return named.filter(({ name }) => !/^sqlite_/i.test(name) && !isLeftOut(name));
  }

  /** What the import has made, in order. */
  made(): Made[] {
    if (!this.#hasTable('tmp_import_made')) return [];
    const rows = this.#sql.exec('SELECT kind, name FROM tmp_import_made ORDER BY number').raw();
    return [...rows].map(([kind, name]) => ({ kind: kind as Made['kind'], name: String(name) }));
  }

  addMade(made: readonly Made[]): void {
    for (const { kind, name } of made) {
      this.#sql.exec('INSERT OR IGNORE INTO tmp_import_made (kind, name) VALUES (?1, ?2)', kind, name);
    }
  }

  removeMade(name: string): void {
    this.#sql.exec('DELETE FROM tmp_import_made WHERE name = ?1', name);
  }

  /** Forgets what the import has made: it is the user's now, or gone. */
  dropMade(): void {
    this.#sql.exec('DROP TABLE IF EXISTS tmp_import_made');
  }

  #hasTable(name: string): boolean {
    const query = "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = ?1";
    return [...this.#sql.exec(query, name).raw()][0]?.[0] !== 0;
  }

  #one(query: string, ...values: string[]): ImportRecord | null {
    if (!this.exists) return null;
    const [row] = [...this.#sql.exec(query, ...values).raw()];
    return row === undefined ? null : (JSON.parse(String(row[0])) as ImportRecord);
  }
}

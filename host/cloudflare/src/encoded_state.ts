// How far a compressed object is, in the object's own database: in rows of bounded size, since one may have 2 MB.

import type { Encoded } from './encoded.js';

/** The most bytes of a row. */
const MAX_ROW = 1024 * 1024;

/** What of it is in an export's record. */
export interface EncodedRecord {
  readonly blocks: number;
  readonly length: number;
  readonly isEnded: boolean;
}

export class EncodedState {
  readonly #sql: SqlStorage;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
  }

  /** Creates the table, before any export: later, it would be a change of the schema. It is left out of every dump. */
  create(): void {
    this.#sql.exec(
      `CREATE TABLE IF NOT EXISTS tmp_export_encoded
        (export TEXT, kind TEXT, number INTEGER, bytes BLOB, PRIMARY KEY (export, kind, number))`,
    );
  }

  /** Saves how far an export is that was so far before; what goes into its record. In a transaction. */
  save(id: string, { blocks, length, sizes, carry, isEnded }: Encoded, before: EncodedRecord | null): EncodedRecord {
    const first = before?.blocks ?? 0;
    if (blocks > first) this.#put(id, 'sizes', first, new Uint8Array(Uint32Array.from(sizes.slice(first, blocks)).buffer));
    this.#sql.exec("DELETE FROM tmp_export_encoded WHERE export = ?1 AND kind = 'carry'", id);
    for (let at = 0; at < carry.length; at += MAX_ROW) this.#put(id, 'carry', at, carry.slice(at, at + MAX_ROW));
    return { blocks, length, isEnded };
  }

  #put(id: string, kind: string, number: number, bytes: Uint8Array): void {
    this.#sql.exec('INSERT OR REPLACE INTO tmp_export_encoded VALUES (?1, ?2, ?3, ?4)', id, kind, number, bytes.buffer as ArrayBuffer);
  }

  /** How far an export is. */
  load(id: string, record: EncodedRecord): Encoded {
    const sizes = this.#bytes(id, 'sizes');
    return { ...record, sizes: [...new Uint32Array(sizes.buffer, 0, record.blocks)], carry: this.#bytes(id, 'carry') };
  }

  #bytes(id: string, kind: string): Uint8Array {
    const query = 'SELECT bytes FROM tmp_export_encoded WHERE export = ?1 AND kind = ?2 ORDER BY number';
    const rows = [...this.#sql.exec(query, id, kind).raw()].map(([bytes]) => new Uint8Array(bytes as ArrayBuffer));
    const all = new Uint8Array(rows.reduce((sum, { length }) => sum + length, 0));
    let at = 0;
    for (const row of rows) {
      all.set(row, at);
      at += row.length;
    }
    return all;
  }

  remove(id: string): void {
    const query = "SELECT count(*) FROM sqlite_master WHERE name = 'tmp_export_encoded'";
    if ([...this.#sql.exec(query).raw()][0]?.[0] === 0) return;
    this.#sql.exec('DELETE FROM tmp_export_encoded WHERE export = ?1', id);
  }
}

// The saved state of exports, in the object's own database.

import type { Options } from './component.js';
import type { Expected } from './estimate.js';
import { formatSettings, type FormatRequest } from './formats.js';
import { EncodedState, type EncodedRecord } from './encoded_state.js';
import { newId } from './names.js';
import { subsetSettings, type SubsetRequest } from './subset.js';

export type Status = 'queued' | 'running' | 'failing' | 'done' | 'failed' | 'cancelled';

/** What is asked for. */
export interface ExportRequest extends FormatRequest, SubsetRequest {
  /** How the object is compressed: `zstd`, `gzip:6`; null: not at all. */
  readonly compress: string | null;
  /** The object's name; null: by the time. */
  readonly name: string | null;
  readonly callbackUrl: string | null;
}

/** A callback that reports the end of an export. */
export interface CallbackState {
  attempts: number;
  deliveredAt: number | null;
  /** In milliseconds since 1970, like all times here; null: it is not sent (again). */
  nextTryAt: number | null;
  error: string | null;
}

/** An export, as it is saved. */
export interface ExportRecord {
  readonly id: string;
  readonly request: ExportRequest;
  status: Status;
  /** The object's name and its key in the bucket, once they are known. */
  name: string | null;
  key: string | null;
  uploadId: string | null;
  partSize: number;
  /** Where the next slice resumes; null: before the start, and after the last slice. */
  checkpoint: string | null;
  /** How far the object is, if it is compressed; null: nothing is. What else there is to know of that is in rows of its own. */
  encoded: EncodedRecord | null;
  /** The last slice is done: all parts are safe, and the upload is to be completed. */
  isWritten: boolean;
  /** How much there was to export when it began, as estimated. */
  expected: Expected;
  tables: number;
  rows: number;
  bytes: number;
  parts: number;
  slices: number;
  sha256: string | null;
  /** How often it was started over, and how often a step has failed since its last progress. */
  restarts: number;
  attempts: number;
  /** How often an instance has ended in the middle of its work since the last progress. */
  crashes: number;
  error: string | null;
  warnings: readonly string[];
  damaged: readonly string[];
  readonly createdAt: number;
  /** When its turn came, last. */
  startedAt: number;
  movedAt: number;
  finishedAt: number | null;
  nextTryAt: number | null;
  /** When its object was deleted. */
  prunedAt: number | null;
  callback: CallbackState | null;
}

export function isFinished(record: ExportRecord): boolean {
  return record.status === 'done' || record.status === 'failed' || record.status === 'cancelled';
}

/** The state of an export; `docs/SERVICE.md` says what each means. */
export type ClientState = 'waiting' | 'running' | 'completing' | 'done' | 'incomplete' | 'failed' | 'cancelled';

/** The state of an export, for clients. */
export function clientState(record: ExportRecord): ClientState {
  const { status, damaged, isWritten, uploadId, restarts } = record;
  switch (status) {
    case 'done':
      return damaged.length === 0 ? 'done' : 'incomplete';
    case 'failed':
    case 'cancelled':
      return status;
    default:
      if (isWritten) return 'completing';
      return uploadId === null && restarts === 0 ? 'waiting' : 'running';
  }
}

const UNFINISHED = "status IN ('queued', 'running', 'failing')";

/** The component's options for an export of a database of so many bytes. */
export function optionsOf(request: ExportRequest, partSize: number, databaseSize: number): Options {
  const { format, tables } = request;
  const settings = [...formatSettings(request, databaseSize), ...subsetSettings(request)];
  return { format, tables: [...tables], partSize, settings };
}

export class State {
  readonly #sql: SqlStorage;
  readonly encoded: EncodedState;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
    this.encoded = new EncodedState(sql);
  }

  /** Creates the tables. They are left out of every dump. */
  create(): void {
    this.#sql.exec(
      `CREATE TABLE IF NOT EXISTS tmp_export_state
        (id TEXT PRIMARY KEY, number INTEGER, status TEXT, idempotency_key TEXT, record TEXT) WITHOUT ROWID`,
    );
    this.#sql.exec(
      `CREATE TABLE IF NOT EXISTS tmp_export_parts
        (export TEXT, number INTEGER, etag TEXT, PRIMARY KEY (export, number)) WITHOUT ROWID`,
    );
    this.encoded.create();
  }

  /** Whether there has been an export yet. */
  get exists(): boolean {
    const query = "SELECT count(*) FROM sqlite_master WHERE name = 'tmp_export_state'";
    return [...this.#sql.exec(query).raw()][0]?.[0] !== 0;
  }

  insert(record: ExportRecord, idempotencyKey: string | null): void {
    this.#sql.exec(
      `INSERT INTO tmp_export_state
        SELECT ?1, ifnull(max(number), 0) + 1, ?2, ?3, ?4 FROM tmp_export_state`,
      record.id,
      record.status,
      idempotencyKey,
      JSON.stringify(record),
    );
  }

  save(record: ExportRecord): void {
    this.#sql.exec(
      'UPDATE tmp_export_state SET status = ?2, record = ?3 WHERE id = ?1',
      record.id,
      record.status,
      JSON.stringify(record),
    );
  }

  /** Asked between any two slices: without reading the record. */
  isUnfinished(id: string): boolean {
    const query = `SELECT count(*) FROM tmp_export_state WHERE id = ?1 AND ${UNFINISHED}`;
    return [...this.#sql.exec(query, id).raw()][0]?.[0] === 1;
  }

  find(id: string): ExportRecord | null {
    return this.#one('SELECT record FROM tmp_export_state WHERE id = ?1', id);
  }

  findByKey(key: string): ExportRecord | null {
    return this.#one('SELECT record FROM tmp_export_state WHERE idempotency_key = ?1', key);
  }

  /** The export that runs, or else the one that is next. */
  current(): ExportRecord | null {
    return this.#one(
      `SELECT record FROM tmp_export_state WHERE ${UNFINISHED} ORDER BY status = 'queued', number LIMIT 1`,
    );
  }

  unfinished(): number {
    const query = `SELECT count(*) FROM tmp_export_state WHERE ${UNFINISHED}`;
    return Number([...this.#sql.exec(query).raw()][0]?.[0]);
  }

  /** All exports, newest first. */
  list(limit: number): ExportRecord[] {
    const query = 'SELECT record FROM tmp_export_state ORDER BY number DESC LIMIT ?1';
    return [...this.#sql.exec(query, limit).raw()].map(([record]) => parsed(String(record)));
  }

  /** The export whose callback is due first, and when. */
  nextCallback(): ExportRecord | null {
    return this.#one(
      `SELECT record FROM tmp_export_state WHERE json_extract(record, '$.callback.nextTryAt') IS NOT NULL
        ORDER BY json_extract(record, '$.callback.nextTryAt') LIMIT 1`,
    );
  }

  remove(id: string): void {
    this.removeParts(id);
    this.#sql.exec('DELETE FROM tmp_export_state WHERE id = ?1', id);
  }

  /** Forgets finished exports beyond the newest ones. */
  prune(keep: number): void {
    const query = `SELECT id FROM tmp_export_state WHERE NOT ${UNFINISHED}
      AND json_extract(record, '$.callback.nextTryAt') IS NULL ORDER BY number DESC LIMIT -1 OFFSET ?1`;
    for (const [id] of [...this.#sql.exec(query, keep).raw()]) this.remove(String(id));
  }

  /** The receipts of an export's parts, in order. */
  parts(id: string): R2UploadedPart[] {
    const query = 'SELECT number, etag FROM tmp_export_parts WHERE export = ?1 ORDER BY number';
    return [...this.#sql.exec(query, id).raw()].map(([number, etag]) => ({
      partNumber: Number(number),
      etag: String(etag),
    }));
  }

  addParts(id: string, parts: readonly R2UploadedPart[]): void {
    for (const { partNumber, etag } of parts) {
      const query = 'INSERT OR REPLACE INTO tmp_export_parts VALUES (?1, ?2, ?3)';
      this.#sql.exec(query, id, partNumber, etag);
    }
  }

  /** Forgets what has been made of an object. */
  removeParts(id: string): void {
    this.encoded.remove(id);
    this.#sql.exec('DELETE FROM tmp_export_parts WHERE export = ?1', id);
  }

  #one(query: string, ...values: string[]): ExportRecord | null {
    const [row] = [...this.#sql.exec(query, ...values).raw()];
    return row === undefined ? null : parsed(String(row[0]));
  }
}

/**
 * What a request asks for in which nothing is given, in the order in which requests are made: the text of a repeated one
 * is compared.
 */
const NOTHING_GIVEN: ExportRequest = {
  format: 'sql',
  tables: [],
  excludeTables: [],
  content: null,
  limit: null,
  target: null,
  null: null,
  header: null,
  blobs: null,
  types: null,
  uncompressed: null,
  compress: null,
  name: null,
  callbackUrl: null,
};

/** A record. Earlier versions, which may have saved it, knew less: what they could not be asked for, nobody has. */
function parsed(text: string): ExportRecord {
  const record = JSON.parse(text) as ExportRecord;
  const later = { encoded: null, expected: { tables: 0, rows: null }, crashes: 0, startedAt: record.createdAt };
  return { ...later, ...record, request: { ...NOTHING_GIVEN, ...record.request } };
}

/** An export that has not begun. */
export function newRecord(
  request: ExportRequest,
  partSize: number,
  now: number,
): ExportRecord {
  return {
    id: newId(),
    request,
    status: 'queued',
    name: null,
    key: null,
    uploadId: null,
    partSize,
    checkpoint: null,
    encoded: null,
    isWritten: false,
    expected: { tables: 0, rows: null },
    tables: 0,
    rows: 0,
    bytes: 0,
    parts: 0,
    slices: 0,
    sha256: null,
    restarts: 0,
    attempts: 0,
    crashes: 0,
    error: null,
    warnings: [],
    damaged: [],
    createdAt: now,
    startedAt: now,
    movedAt: now,
    finishedAt: null,
    nextTryAt: null,
    prunedAt: null,
    callback: request.callbackUrl === null ? null : { attempts: 0, deliveredAt: null, nextTryAt: null, error: null },
  };
}

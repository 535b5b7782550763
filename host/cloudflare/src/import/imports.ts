// Imports as jobs: each a chain of slices over alarms, one at a time. Every step may be repeated, by this instance or
// another, and is saved whole or not at all.

import { newId } from '../names.js';
import type { Settings } from '../options.js';
import { MAX_ATTEMPTS, MAX_CRASHES, resetTooOften, retryAt } from '../retries.js';
import { quoted } from '../rows/names.js';
import { smaller, type ImportBudget } from './budget.js';
import { Splitter, type Dump } from './component.js';
import { DumpSource, named, openRange, type DumpObject } from './dump_source.js';
import { ImportError } from './error.js';
import { checkKeys, dropKeyIndexes, tablesWithKeys, withImportSettings } from './foreign_keys.js';
import { nextRange, runSlice } from './slice.js';
import { ImportStates, isEnded, progressed, type ImportOptions, type ImportRecord, type Phase } from './state.js';

/** How many bytes of a dump are asked for at a time. */
const RANGE_BYTES = 16 * 1024 * 1024;

/** Tables that a message names. */
const NAMED = 3;

export class Imports {
  readonly states: ImportStates;
  readonly #storage: DurableObjectStorage;
  readonly #settings: Settings;
  readonly #isExporting: () => boolean;
  #driving: Promise<void> | null = null;

  /** `isExporting`: whether an export of this object is unfinished. */
  constructor(storage: DurableObjectStorage, settings: Settings, isExporting: () => boolean) {
    this.#storage = storage;
    this.#settings = settings;
    this.#isExporting = isExporting;
    this.states = new ImportStates(storage.sql);
  }

  /** Checks a dump and begins to import it. Throws an `ImportError` if it can't be, and what R2 throws. */
  async add(key: string, options: ImportOptions): Promise<ImportRecord> {
    const bucket = this.#bucket();
    this.#refuseUnlessFree();
    const { object, dump } = await checkedDump(bucket, key);
    const { allowIncomplete = false, allowViolations = false } = options;
    if (dump.damaged !== undefined && !allowIncomplete) {
      const text = `${named(key)} lacks rows: its database was damaged in ${dump.damaged} tables`;
      throw new ImportError('incomplete', `${text}. Give allowIncomplete to import what it has`);
    }
    return this.#storage.transactionSync(() => {
      // Others had their turn.
      this.#refuseUnlessFree();
      const expected = { tables: Number(dump.tables), rows: Number(dump.rows) };
      const record = newRecord(object, { allowIncomplete, allowViolations }, expected);
      this.states.insert(record);
      this.states.prune(this.#settings.keepRecords);
      return record;
    });
  }

  /** When there is something to do next, in milliseconds since 1970; null: nothing. */
  nextDue(): number | null {
    const record = this.states.unfinished();
    return record === null ? null : (record.nextTryAt ?? 0);
  }

  /** Works on the import that is due, for as many bytes as an alarm may run. */
  async run(): Promise<void> {
    // A second alarm waits for the same work.
    this.#driving ??= this.#drive().finally(() => {
      this.#driving = null;
    });
    await this.#driving;
  }

  /** Throws if an import is unfinished. */
  refuseIfRunning(): void {
    const record = this.states.unfinished();
    if (record === null) return;
    throw new ImportError('busy', `import ${record.id} is unfinished in this object: try again when it has ended`);
  }

  /**
   * Ends an import that is unfinished or has failed, and begins to drop what it made. False: there is no such import, or
   * it is done or cancelled.
   */
  cancel(id: string): boolean {
    return this.#storage.transactionSync(() => {
      const record = this.states.find(id);
      if (record === null || record.status === 'done' || record.status === 'cancelled') return false;
      // Of an earlier import, nothing is left.
      if (record.status === 'failed' && this.states.newest()?.id !== id) return false;
      Object.assign(record, { status: 'cancelling', finishedAt: null, attempts: 0, crashes: 0, nextTryAt: null });
      record.movedAt = Date.now();
      this.states.save(record);
      return true;
    });
  }

  async #drive(): Promise<void> {
    const record = this.states.unfinished();
    if (record === null || (record.nextTryAt ?? 0) > Date.now()) return;
    try {
      const budget = await this.#entered(record);
      if (budget !== null) await this.#work(record.id, budget);
    } catch (error) {
      this.#failed(record.id, error);
    }
  }

  /** Does step after step, until the alarm has done its work. */
  async #work(id: string, budget: ImportBudget): Promise<void> {
    const splitter = new Splitter();
    const first = this.states.find(id);
    if (first === null) return;
    const source = new DumpSource(this.#bucket(), first.object, first.offset, RANGE_BYTES);
    try {
      for (let done = 0; done < budget.alarmBytes; ) {
        const record = this.states.find(id);
        if (record === null || isEnded(record)) return;
        if (record.status === 'cancelling') this.#drop(record);
        else if (record.phase.kind === 'foreign-keys') this.#checkKeys(record, record.phase, budget);
        else done += await this.#runStatements(record, splitter, source, budget);
        done += STEP_BYTES;
        await scheduler.wait(budget.pauseMs);
      }
    } finally {
      await source.close();
    }
  }

  /** Runs the next statements; how many bytes they have. */
  async #runStatements(
    record: ImportRecord,
    splitter: Splitter,
    source: DumpSource,
    budget: ImportBudget,
  ): Promise<number> {
    const range = await nextRange(splitter, source, record.object, budget);
    if (range === null) {
      this.#save(record.id, (saved) => {
        const { rows, expected } = saved;
        if (rows !== expected.rows) {
          const text = `${named(saved.object.key)} is damaged: it has ${rows} rows, and says that it has ${expected.rows}`;
          throw new ImportError('cut-off', text);
        }
        saved.phase = { kind: 'foreign-keys', table: 0, key: 0, after: null };
        progressed(saved);
      });
      return 0;
    }
    if (!runSlice(this.#storage, this.states, record.id, range)) return 0;
    source.use(range.used);
    return range.used;
  }

  /** Checks foreign keys in some more rows; the import is done behind the last of them. */
  #checkKeys(record: ImportRecord, phase: Extract<Phase, { kind: 'foreign-keys' }>, budget: ImportBudget): void {
    this.#save(record.id, (saved) => {
      const { sql } = this.#storage;
      const made = this.states.made().filter(({ kind }) => kind === 'table');
      const tables = saved.options.allowViolations ? [] : tablesWithKeys(sql, made.map(({ name }) => name));
      const table = tables[phase.table];
      if (table === undefined) {
        this.#end(saved, 'done', null);
        dropKeyIndexes(sql);
        this.states.dropMade();
        return;
      }
      const next = checkKeys(sql, table, phase, budget.checkRows);
      saved.phase = { kind: 'foreign-keys', table: phase.table, ...next } as Phase;
      if (next === null) saved.phase = { kind: 'foreign-keys', table: phase.table + 1, key: 0, after: null };
      progressed(saved);
    });
  }

  /** Drops one of the tables and views that a cancelled import has made, the last one first. */
  #drop(record: ImportRecord): void {
    withImportSettings(this.#storage, () => {
      const made = this.states.made().at(-1);
      if (made === undefined) {
        dropKeyIndexes(this.#storage.sql);
        this.states.dropMade();
        this.#end(record, 'cancelled', record.error);
        this.states.save(record);
        return;
      }
      this.#storage.sql.exec(`DROP ${made.kind} IF EXISTS ${quoted(made.name)}`);
      this.states.removeMade(made.name);
      progressed(record);
      this.states.save(record);
    });
  }

  /**
   * Saves that slices are being run, so that the next instance knows if this one comes to its end meanwhile: after a
   * limit on CPU or memory, smaller slices may do. Null: there were too many such ends.
   */
  async #entered(record: ImportRecord): Promise<ImportBudget | null> {
    const { crashes } = record;
    if (crashes > MAX_CRASHES) {
      this.#save(record.id, (saved) => this.#end(saved, 'failed', resetTooOften(crashes)));
      return null;
    }
    this.#save(record.id, (saved) => {
      saved.crashes += 1;
    });
    await this.#storage.sync();
    return smaller(this.#settings.importBudget, crashes);
  }

  /** Saves that a step has failed: it is tried again, or the import is given up. */
  #failed(id: string, error: unknown): void {
    const text = error instanceof Error ? error.message : String(error);
    this.#save(id, (saved) => {
      if (error instanceof ImportError || saved.attempts + 1 >= MAX_ATTEMPTS) {
        this.#end(saved, 'failed', text);
        return;
      }
      saved.attempts += 1;
      saved.crashes = 0;
      if (saved.status === 'running') saved.status = 'failing';
      saved.error = text;
      saved.nextTryAt = retryAt(saved.attempts, this.#settings);
    });
  }

  /** Saves a change of an unfinished import, in one transaction. */
  #save(id: string, change: (record: ImportRecord) => void): void {
    this.#storage.transactionSync(() => {
      const record = this.states.find(id);
      if (record === null || isEnded(record)) return;
      record.movedAt = Date.now();
      change(record);
      this.states.save(record);
    });
  }

  #end(record: ImportRecord, status: 'done' | 'failed' | 'cancelled', error: string | null): void {
    record.status = status;
    record.error = error;
    record.nextTryAt = null;
    record.finishedAt = Date.now();
  }

  #bucket(): R2Bucket {
    const { bucket } = this.#settings;
    if (bucket !== null) return bucket;
    throw new ImportError('no-bucket', 'this object has no bucket to import from: give the exporter one');
  }

  /** Throws unless the object is empty, and nothing else is going on in it. */
  #refuseUnlessFree(): void {
    this.refuseIfRunning();
    if (this.#isExporting()) {
      throw new ImportError('busy', 'an export of this object is unfinished: wait until it has ended, or cancel it');
    }
    const present = this.states.present().map(({ name }) => JSON.stringify(name));
    if (present.length === 0) return;
    const more = present.length > NAMED ? ` and ${present.length - NAMED} more` : '';
    const text = `the object has tables of its own (${present.slice(0, NAMED).join(', ')}${more})`;
    throw new ImportError('not-empty', `${text}: import into a new object, or drop them first`);
  }
}

/** What a step counts for whatever it does, in bytes of the dump: so that an alarm has an end. */
const STEP_BYTES = 64 * 1024;

/** Checks a dump by its two ends. */
async function checkedDump(bucket: R2Bucket, key: string): Promise<{ object: DumpObject; dump: Dump }> {
  const head = await bucket.head(key);
  if (head === null) throw new ImportError('missing', `there is no object ${JSON.stringify(key)} in the bucket`);
  const { etag, size } = head;
  const object = { key, etag, size };
  const splitter = new Splitter();
  const length = Math.min(splitter.checkBytes, size);
  const read = async (offset: number): Promise<Uint8Array> =>
    length === 0 ? new Uint8Array(0) : new Uint8Array(await (await openRange(bucket, object, offset, length)).arrayBuffer());
  const dump = splitter.check(named(key), await read(0), await read(size - length));
  if (dump.target === 'd1') return { object, dump };
  const text = `${named(key)} was made for the sqlite3 program, and a Durable Object can't run it`;
  throw new ImportError('wrong-target', `${text}: export its database with the target d1`);
}

/** An import that has not begun. */
function newRecord(
  object: DumpObject,
  options: ImportRecord['options'],
  expected: ImportRecord['expected'],
): ImportRecord {
  const now = Date.now();
  return {
    id: newId(),
    object,
    options,
    status: 'running',
    phase: { kind: 'statements' },
    offset: 0,
    hasKeyIndexes: false,
    statements: 0,
    rows: 0,
    expected,
    slices: 0,
    attempts: 0,
    crashes: 0,
    error: null,
    createdAt: now,
    movedAt: now,
    finishedAt: null,
    nextTryAt: null,
  };
}

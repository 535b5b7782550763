// Exports as jobs: each a chain of slices over alarms, one at a time. Every step may be repeated, by this instance or
// another, and is saved whole or not at all.

import { dueAfterEnd } from './callbacks.js';
import { Codec, suffix } from './codec.js';
import { Component } from './component.js';
import { makeEncodedPart, notBegun } from './encoded.js';
import { expected } from './estimate.js';
import { isFinal } from './failures.js';
import { ObjectHash, hashOf } from './hash.js';
import { defaultName } from './names.js';
import type { Settings } from './options.js';
import { budgetFor, type Budget } from './pacing.js';
import { makePart, type MadePart, type PartSource, type Place } from './part.js';
import { PartBuffers } from './part_buffers.js';
import { MAX_PARTS, componentPartSize } from './parts.js';
import { MAX_ATTEMPTS, MAX_CRASHES, resetTooOften, retryAt } from './retries.js';
import { readSchema } from './rows/schema.js';
import { firstCheckpoint } from './slice.js';
import { Snapshot, type Loss } from './snapshot/snapshot.js';
import { Turns } from './turns.js';
import { isFinished, newRecord, optionsOf, State, type ExportRecord, type ExportRequest } from './state.js';
import {
  NameIsTaken,
  UploadIsGone,
  abortUpload,
  beginUpload,
  completeUpload,
  notGone,
  removeObject,
  resumeUpload,
  uploading,
} from './upload.js';

/** How often an export is started over. */
const MAX_RESTARTS = 5;

/** The most exports that wait in one object. */
const MAX_UNFINISHED = 100;

const LOSSES: Readonly<Record<Loss, string>> = {
  schema: 'the schema was changed while the export ran',
  changed: 'the database was changed while the export ran',
  overflow: 'more rows were changed while the export ran than a snapshot may save (maxSnapshotBytes)',
};

/** Too many exports wait. */
export class TooManyExports extends Error {
  override readonly name = 'TooManyExports';
}

/** A part that is being uploaded. */
interface PendingPart extends MadePart {
  /** None for an empty part. */
  readonly receipts: Promise<R2UploadedPart[]>;
}

export class Jobs {
  readonly state: State;
  readonly #storage: DurableObjectStorage;
  readonly #settings: Settings;
  readonly bucket: R2Bucket;
  readonly #hash = new ObjectHash();
  readonly #turns: Turns;
  readonly #buffers = new PartBuffers();
  readonly #blockBuffers = new PartBuffers();
  /** The snapshot of the running export, where this instance has it open. */
  #snapshot: Snapshot | null = null;
  readonly #guard: () => void;
  #driving: Promise<void> | null = null;

  /** `guard`: throws if no export may start now. */
  constructor(storage: DurableObjectStorage, settings: Settings, bucket: R2Bucket, guard: () => void, turns: Turns) {
    this.#storage = storage;
    this.#settings = settings;
    this.bucket = bucket;
    this.#guard = guard;
    this.state = new State(storage.sql);
    this.#turns = turns;
  }

  /**
   * Saves an export that is to run. If no other one is unfinished, it is the state of the database at this very
   * moment; else at the moment when its turn comes.
   */
  add(request: ExportRequest, idempotencyKey: string | null): ExportRecord {
    const { partSize } = this.#settings;
    this.#guard();
    return this.#storage.transactionSync(() => {
      this.state.create();
      if (this.state.unfinished() >= MAX_UNFINISHED) {
        throw new TooManyExports(`${MAX_UNFINISHED} exports are unfinished: wait until some have ended`);
      }
      const view = { schema: readSchema(this.#storage.sql), source: () => null };
      const size = componentPartSize(request.compress, partSize);
      firstCheckpoint(this.#storage.sql, view, optionsOf(request, size, this.#storage.sql.databaseSize));
      const record = newRecord(request, partSize, Date.now());
      this.state.insert(record, idempotencyKey);
      if (this.state.current()?.id === record.id) this.#open(record);
      this.state.prune(this.#settings.keepRecords);
      return record;
    });
  }

  /** When there is something to do next, in milliseconds since 1970; null: nothing. */
  nextDue(): number | null {
    if (!this.state.exists) return null;
    const record = this.state.current();
    return record === null ? null : (record.nextTryAt ?? 0);
  }

  /** Whether an export is unfinished. */
  get isBusy(): boolean {
    return this.state.exists && this.state.unfinished() > 0;
  }

  /** Works on the exports that are due, for as many parts as an alarm may make. */
  async run(maxParts: number = this.#settings.budget.alarmParts): Promise<void> {
    // A second alarm, or a request beside it, waits for the same work.
    this.#driving ??= this.#drive(maxParts).finally(() => {
      this.#driving = null;
      if (this.isBusy) return;
      this.#buffers.clear();
      this.#blockBuffers.clear();
    });
    await this.#driving;
  }

  /** Cancels an export that is unfinished; false: it is not. */
  async cancel(id: string): Promise<boolean> {
    const record = this.state.find(id);
    if (record === null || isFinished(record)) return false;
    this.#finish(record, 'cancelled', null);
    await abortUpload(this.bucket, record);
    // R2 may have completed it before that.
    if (record.isWritten) await removeObject(this.bucket, record);
    return true;
  }

  /** Deletes the object of an export that is done. */
  async prune(record: ExportRecord): Promise<void> {
    await removeObject(this.bucket, record);
    const saved = this.state.find(record.id);
    if (saved === null) return;
    saved.prunedAt = Date.now();
    this.state.save(saved);
  }

  async #drive(maxParts: number): Promise<void> {
    for (let parts = 0; parts < maxParts; ) {
      const record = this.state.exists ? this.state.current() : null;
      if (record === null || (record.nextTryAt ?? 0) > Date.now()) return;
      try {
        parts += Math.max(1, await this.#step(record, maxParts - parts));
      } catch (error) {
        parts += 1;
        await this.#failed(record.id, error);
      }
    }
  }

  /** The next step of an export, from what is saved of it to what is saved of it. How many parts it made. */
  async #step(record: ExportRecord, maxParts: number): Promise<number> {
    if (record.status === 'queued') {
      this.#storage.transactionSync(() => this.#open(record));
    } else if (record.uploadId === null) {
      await this.#begin(record);
    } else if (record.isWritten) {
      await this.#complete(record);
    } else {
      return this.#parts(record, maxParts);
    }
    return 0;
  }

  /** Keeps the state of the database, and begins. In a transaction. */
  #open(record: ExportRecord): void {
    const { sql } = this.#storage;
    const { consistency, maxSnapshotBytes } = this.#settings;
    this.#snapshot = null;
    const snapshot = Snapshot.open(sql, consistency, maxSnapshotBytes, record.request);
    const size = componentPartSize(record.request.compress, record.partSize);
    const options = optionsOf(record.request, size, sql.databaseSize);
    record.checkpoint = firstCheckpoint(sql, snapshot, options);
    record.expected = expected(sql, snapshot.schema, record.request);
    record.status = 'running';
    record.startedAt = record.movedAt = Date.now();
    this.state.save(record);
    this.#snapshot = snapshot;
  }

  async #begin(record: ExportRecord): Promise<void> {
    const { name, format, compress } = record.request;
    const wanted = name ?? defaultName(record.createdAt, format, suffix(compress));
    const begun = await beginUpload(this.bucket, this.#settings.prefix, wanted, record);
    const isOurs = this.#save(record.id, (saved) => {
      saved.name = begun.name;
      saved.key = begun.key;
      saved.uploadId = begun.uploadId;
      saved.status = 'running';
    });
    if (!isOurs) await abortUpload(this.bucket, { ...record, ...begun });
  }

  /**
   * Makes parts, while earlier ones are uploaded; saves each when it is safe, in order. Ends after so many; how many it
   * made.
   */
  async #parts(record: ExportRecord, maxParts: number): Promise<number> {
    const budget = await this.#entered(record);
    if (budget === null) return 0;
    const upload = resumeUpload(this.bucket, record);
    this.#turns.begin();
    const { compress, format } = record.request;
    const codec = compress === null ? null : new Codec(compress);
    const reading = { component: new Component(format), memory: { paused: null }, codec };
    const pending: PendingPart[] = [];
    let next: Place | null = this.#place(record);
    let number = record.parts + 1;
    let made = 0;
    try {
      for (;;) {
        const mayMake = made < maxParts && pending.length < budget.uploadedParts;
        if (next !== null && mayMake && !(await this.#isLost(record, pending))) {
          const part = await this.#makePart(reading, next, record, number, budget);
          // Its snapshot is lost, or the export has ended: the next round sees to that.
          if (part === null) continue;
          made += part.cost;
          pending.push({ ...part, receipts: uploading(upload, part) });
          next = part.isLast ? null : part.next;
          if (part.bytes.length > 0) number += 1;
          await this.#turns.give(budget);
        } else {
          const part = pending.shift();
          if (part === undefined || !(await this.#savePart(record.id, part))) return made;
        }
      }
    } finally {
      // No upload goes on behind the back of what follows.
      await Promise.allSettled(pending.map(({ receipts }) => receipts));
    }
  }

  /** Where the next part of an export begins. */
  #place({ id, request, checkpoint, encoded }: ExportRecord): Place {
    if (request.compress === null) return { checkpoint, encoded: null };
    return { checkpoint, encoded: encoded === null ? notBegun(request.compress) : this.state.encoded.load(id, encoded) };
  }

  /**
   * Saves that slices are being made, so that the next instance knows if this one comes to its end meanwhile: after a
   * limit on CPU or memory, smaller slices may do. Null: there were too many such ends.
   */
  async #entered(record: ExportRecord): Promise<Budget | null> {
    const budget = budgetFor(record.request.format, this.#settings.budget);
    const { crashes } = record;
    if (crashes > MAX_CRASHES) {
      await this.#giveUp(record, resetTooOften(crashes));
      return null;
    }
    this.#save(record.id, (saved) => {
      saved.crashes += 1;
    });
    await this.#storage.sync();
    if (crashes === 0) return budget;
    return { ...budget, slicePieces: 1, busySlicePieces: 1, uploadedParts: 1, encodedBlocks: 1 };
  }

  /** Whether the export has ended meanwhile, or its snapshot is lost; then it is started over, or given up. */
  async #isLost(record: ExportRecord, pending: PendingPart[]): Promise<boolean> {
    let loss: Loss | null = null;
    if (this.state.isUnfinished(record.id)) {
      this.#snapshot ??= Snapshot.reopen(this.#storage.sql);
      loss = this.#snapshot === null ? 'schema' : this.#snapshot.check(this.#settings.maxSnapshotBytes);
      if (loss === null) return false;
    }
    const dropped = pending.splice(0);
    await Promise.allSettled(dropped.map(({ receipts }) => receipts));
    const saved = this.state.find(record.id);
    if (loss !== null && saved !== null && !isFinished(saved)) {
      await this.#lost(saved, LOSSES[loss], this.#mayRestart());
    }
    return true;
  }

  /** Null: the snapshot was lost meanwhile, or the export has ended. */
  async #makePart(
    reading: Pick<PartSource, 'component' | 'memory'> & { readonly codec: Codec | null },
    place: Place,
    record: ExportRecord,
    number: number,
    budget: Budget,
  ): Promise<MadePart | null> {
    const view = this.#snapshot;
    if (view === null) return null;
    const { sql } = this.#storage;
    const { id, partSize, request } = record;
    const { compress } = request;
    const { checkpoint, encoded } = place;
    const { component, memory, codec } = reading;
    const isWanted = (): boolean => this.state.isUnfinished(id) && this.#snapshot === view;
    const pieceSize = componentPartSize(compress, partSize);
    const source = {
      component, memory, sql, view, number, partSize, pieceSize, maxParts: MAX_PARTS, budget, turns: this.#turns, buffers: this.#buffers, isWanted,
    };
    const part =
      compress === null || codec === null || encoded === null
        ? await makePart({ ...source, checkpoint: checkpoint ?? '' })
        : await makeEncodedPart({ ...source, checkpoint, from: encoded, compress, codec, blockBuffers: this.#blockBuffers });
    // Others may have changed the schema between its slices. Too many saved rows can wait for the next check.
    return view.check(Infinity) === null ? part : null;
  }

  /** Saves a part when it is safe; false: the export has ended meanwhile. */
  async #savePart(id: string, { bytes, buffer, outcome, receipts, slices, next, isLast }: PendingPart): Promise<boolean> {
    const uploaded = await receipts;
    await this.#hash.add(id, this.state.find(id)?.bytes ?? 0, bytes);
    // R2 has it. One whose upload has failed may still be read, and is left to the garbage collector.
    this.#buffers.give(buffer);
    return this.#save(id, (saved) => {
      this.state.addParts(saved.id, uploaded);
      saved.checkpoint = next.checkpoint;
      if (next.encoded !== null) saved.encoded = this.state.encoded.save(id, next.encoded, saved.encoded);
      if (outcome !== null) {
        const counts = outcome.tag === 'more' ? outcome.val.progress : outcome.val;
        saved.tables = counts.tables;
        saved.rows = Number(counts.rows);
      }
      saved.bytes += bytes.length;
      saved.parts += uploaded.length;
      saved.slices += slices;
      saved.status = 'running';
      Object.assign(saved, { attempts: 0, crashes: 0, error: null, nextTryAt: null });
      if (outcome?.tag === 'done') {
        saved.warnings = outcome.val.warnings;
        saved.damaged = outcome.val.damaged;
      }
      if (isLast) {
        saved.isWritten = true;
        this.#closeSnapshot();
      }
    });
  }

  async #complete(record: ExportRecord): Promise<void> {
    await notGone(completeUpload(this.bucket, record, this.state.parts(record.id)));
    let sha256 = await this.#hash.finish(record.id, record.bytes);
    if (sha256 === null) {
      const object = await this.bucket.get(record.key ?? '');
      if (object === null) throw new Error(`object ${JSON.stringify(record.key)} is not in R2`);
      sha256 = await hashOf(object.body);
    }
    const isOurs = this.#save(record.id, (saved) => {
      saved.sha256 = sha256;
      this.#end(saved, 'done', null);
    });
    // It was cancelled while R2 completed it.
    if (!isOurs) await removeObject(this.bucket, record);
  }

  /** Saves a change of an unfinished export, in one transaction; false: it has ended meanwhile. */
  #save(id: string, change: (record: ExportRecord) => void): boolean {
    return this.#storage.transactionSync(() => {
      const record = this.state.find(id);
      if (record === null || isFinished(record)) return false;
      record.movedAt = Date.now();
      change(record);
      this.state.save(record);
      return true;
    });
  }

  /** Saves that an export has failed in a step: it is tried again, started over, or given up. */
  async #failed(id: string, error: unknown): Promise<void> {
    const record = this.state.find(id);
    if (record === null || isFinished(record)) return;
    const text = error instanceof Error ? error.message : String(error);
    if (error instanceof UploadIsGone) {
      await this.#lost(record, 'the upload is no longer known to R2', true);
    } else if (error instanceof NameIsTaken && record.isWritten) {
      await this.#lost(record, text, true);
    } else if (isFinal(error) || record.attempts + 1 >= MAX_ATTEMPTS) {
      await this.#giveUp(record, text);
    } else {
      this.#save(id, (saved) => {
        saved.attempts += 1;
        saved.crashes = 0;
        saved.status = saved.status === 'queued' ? 'queued' : 'failing';
        saved.error = text;
        saved.nextTryAt = retryAt(saved.attempts, this.#settings);
      });
    }
  }

  #mayRestart(): boolean {
    if (this.#settings.consistency === 'snapshot') return this.#settings.whenLost === 'restart';
    return this.#settings.consistency === 'restart';
  }

  /** Starts an export over, or gives it up. */
  async #lost(record: ExportRecord, reason: string, mayRestart: boolean): Promise<void> {
    if (!mayRestart || record.restarts >= MAX_RESTARTS) {
      const often = record.restarts === 0 ? '' : `, also after ${record.restarts} new starts`;
      await this.#giveUp(record, `${reason}${often}`);
      return;
    }
    this.#save(record.id, (saved) => {
      Object.assign(saved, { uploadId: null, key: null, name: null, encoded: null, isWritten: false });
      Object.assign(saved, { tables: 0, rows: 0, bytes: 0, parts: 0, crashes: 0 });
      saved.restarts += 1;
      saved.error = `started over: ${reason}`;
      this.state.removeParts(saved.id);
      this.#open(saved);
    });
    await abortUpload(this.bucket, record);
  }

  async #giveUp(record: ExportRecord, error: string): Promise<void> {
    this.#finish(record, 'failed', error);
    await abortUpload(this.bucket, record);
  }

  #finish(record: ExportRecord, status: 'failed' | 'cancelled', error: string | null): void {
    this.#save(record.id, (saved) => this.#end(saved, status, error));
  }

  #end(record: ExportRecord, status: 'done' | 'failed' | 'cancelled', error: string | null): void {
    const hasSnapshot = record.status !== 'queued';
    record.status = status;
    record.error = error;
    record.checkpoint = null;
    record.nextTryAt = null;
    record.finishedAt = Date.now();
    if (record.callback !== null) record.callback.nextTryAt = dueAfterEnd(record.finishedAt);
    this.state.removeParts(record.id);
    if (hasSnapshot) this.#closeSnapshot();
  }

  #closeSnapshot(): void {
    Snapshot.remove(this.#storage.sql);
    this.#snapshot = null;
  }
}

// What a Durable Object holds to have its database exported.

import { Alarms, type AlarmHandler } from './alarms.js';
import { Callbacks } from './callbacks.js';
import { Imports } from './import/imports.js';
import type { ImportOptions } from './import/state.js';
import { importStatus, type ImportStatus } from './import/status.js';
import { Jobs } from './jobs.js';
import { settingsOf, type ExporterOptions, type Settings } from './options.js';
import { EventStreams } from './routes/events.js';
import { fromFields } from './routes/parameters.js';
import { ApiError } from './routes/responses.js';
import { respond } from './routes/routes.js';
import { Streams } from './streams.js';
import { Turns } from './turns.js';

/**
 * Exports the object's SQLite database, slice by slice.
 *
 * ```ts
 * export class Room extends DurableObject<Env> {
 *   #exporter = new Exporter(this.ctx, { bucket: this.env.EXPORT_BUCKET });
 *
 *   async fetch(request: Request) {
 *     return (await this.#exporter.fetch(request)) ?? new Response('my own answer');
 *   }
 *   alarm(info?: AlarmInvocationInfo) {
 *     return this.#exporter.alarm(info, () => this.myOwnAlarm());
 *   }
 * }
 * ```
 *
 * The routes ask for no permission: let only those requests through that may read the whole database.
 */
export class Exporter {
  readonly #settings: Settings;
  readonly #jobs: Jobs | null;
  readonly #callbacks: Callbacks | null;
  readonly #streams: Streams;
  readonly #imports: Imports;
  readonly #turns: Turns;
  readonly #events = new EventStreams();
  readonly #alarms: Alarms;

  constructor(ctx: DurableObjectState, options: ExporterOptions = {}) {
    this.#settings = settingsOf(ctx.id, options);
    const { bucket } = this.#settings;
    this.#turns = new Turns(ctx.storage.sql);
    const isExporting = (): boolean => this.#jobs?.isBusy === true || this.#streams.nextDue() !== null;
    this.#imports = new Imports(ctx.storage, this.#settings, isExporting);
    const guard = (): void => this.#imports.refuseIfRunning();
    this.#jobs = bucket === null ? null : new Jobs(ctx.storage, this.#settings, bucket, guard, this.#turns);
    this.#callbacks = this.#jobs === null ? null : new Callbacks(this.#jobs.state, this.#settings);
    this.#streams = new Streams(ctx.storage, this.#settings, guard, this.#turns);
    this.#alarms = new Alarms(ctx.storage, () => this.#nextDue());
    // The platform gives an alarm up after six failures: whatever wakes the object sets it again.
    if (this.#nextDue() !== null) ctx.waitUntil(this.#alarms.arm());
  }

  /** Answers a request to `/export/…`; null: it is to something else. */
  async fetch(request: Request): Promise<Response | null> {
    const answer = await respond(request, {
      settings: this.#settings,
      jobs: this.#jobs,
      streams: this.#streams,
      events: this.#events,
      alarms: this.#alarms,
      requireJobs: () => this.#requireJobs(),
    });
    if (answer === null) this.#turns.noteRequest();
    return answer;
  }

  /** The object's `alarm`. `handler`: the user's own, called when an alarm is due that was set by `setAlarm` here. */
  alarm(info?: AlarmInvocationInfo, handler?: AlarmHandler): Promise<void> {
    return this.#alarms.fire(info, handler, async () => {
      if (this.#jobs === null) this.#streams.sweep();
      await this.#jobs?.run();
      await this.#callbacks?.send();
      await this.#imports.run();
    });
  }

  /**
   * Starts an export as `POST /export/dump` does, and returns its id. It is the state of the database at this moment,
   * unless another export is unfinished.
   */
  async start(parameters: Record<string, unknown> = {}): Promise<string> {
    const { id } = this.#requireJobs().add(fromFields(parameters, this.#settings), null);
    await this.#alarms.arm();
    return id;
  }

  /**
   * Imports a dump from the bucket into this object, by alarms; its id. `key`: the whole key. The object must be empty,
   * and the dump complete and made for the target `d1`: else it throws an `ImportError`, and nothing is changed. It also
   * throws what R2 throws.
   */
  async importFrom(key: string, options: ImportOptions = {}): Promise<string> {
    const { id } = await this.#imports.add(key, options);
    await this.#alarms.arm();
    return id;
  }

  /** How far an import is; without an id, the newest one. Null: there is none. */
  importStatus(id?: string): ImportStatus | null {
    const record = id === undefined ? this.#imports.states.newest() : this.#imports.states.find(id);
    return record === null ? null : importStatus(record);
  }

  /**
   * Ends an import that is unfinished or has failed, and drops the tables and views that it has made, by alarms. False:
   * there is nothing to cancel.
   */
  async cancelImport(id: string): Promise<boolean> {
    const isCancelled = this.#imports.cancel(id);
    await this.#alarms.arm();
    return isCancelled;
  }

  /** As `ctx.storage.setAlarm`, beside the exports' alarms. */
  setAlarm(time: number | Date): Promise<void> {
    return this.#alarms.setAlarm(time);
  }

  /** As `ctx.storage.getAlarm`, without the exports' alarms. */
  getAlarm(): Promise<number | null> {
    return this.#alarms.getAlarm();
  }

  /** As `ctx.storage.deleteAlarm`, without the exports' alarms. */
  deleteAlarm(): Promise<void> {
    return this.#alarms.deleteAlarm();
  }

  #requireJobs(): Jobs {
    if (this.#jobs !== null) return this.#jobs;
    const text = 'this object has no bucket and keeps no exports: GET /export/dump streams each dump';
    throw new ApiError(404, text);
  }

  #nextDue(): number | null {
    const exports =
      this.#jobs === null
        ? [this.#streams.nextDue()]
        : [this.#jobs.nextDue(), this.#callbacks?.nextDue() ?? null];
    const times = [...exports, this.#imports.nextDue()].filter((time) => time !== null);
    return times.length === 0 ? null : Math.min(...times);
  }
}

// An object has a single alarm. This shares it between the exports and the user's own: both due times are saved, the
// earlier one is set, and the user's handler is called only when theirs is due. None is lost, whatever is evicted.
//
// An alarm that the user has set directly in the storage is noticed and taken over, too; but it may have put off the
// exports until then.

/** The wait after the first failure of the user's handler, which doubles each time; as the platform does it. */
const FIRST_RETRY_MS = 2_000;
const MAX_RETRIES = 6;

export type AlarmHandler = (info: AlarmInvocationInfo) => void | Promise<void>;

/** The times that are saved, in milliseconds since 1970. */
type Entry =
  /** When the user's alarm is due. */
  | 'user'
  /** When the user's alarm was due whose handler has not succeeded yet, and when it is called again. */
  | 'running'
  | 'retry'
  /** How often it has failed. */
  | 'failures'
  /** What the object's alarm was set to, and what it was when it last came: it may come again. */
  | 'armed'
  | 'fired';

export class Alarms {
  readonly #storage: DurableObjectStorage;
  readonly #nextDue: () => number | null;
  #arming: Promise<void> = Promise.resolve();
  #isCreated = false;

  /** `nextDue`: when the exports want to be called. */
  constructor(storage: DurableObjectStorage, nextDue: () => number | null) {
    this.#storage = storage;
    this.#nextDue = nextDue;
  }

  /** As the storage's own method, for the user. */
  async setAlarm(time: number | Date): Promise<void> {
    this.#put('user', Number(time));
    await this.arm();
  }

  /** As the storage's own method, for the user. */
  async getAlarm(): Promise<number | null> {
    await this.arm();
    return this.#get('user');
  }

  /** As the storage's own method, for the user. */
  async deleteAlarm(): Promise<void> {
    // What was set directly is taken over first, and so deleted with the rest.
    await this.arm();
    this.#put('user', null);
    await this.arm();
  }

  /** The object's alarm: calls the user's handler if theirs is due, and always arms what is next. */
  async fire(
    info: AlarmInvocationInfo | undefined,
    handler: AlarmHandler | undefined,
    work: () => Promise<void>,
  ): Promise<void> {
    this.#adoptFired(info);
    try {
      await this.#callUser(handler);
      await work();
    } finally {
      await this.arm();
    }
  }

  /** Sets the object's alarm to what is due first. */
  async arm(): Promise<void> {
    // One at a time: reading the alarm takes a turn.
    const arming = this.#arming.then(() => this.#arm());
    this.#arming = arming.catch(() => undefined);
    await arming;
  }

  async #arm(): Promise<void> {
    const set = await this.#storage.getAlarm();
    if (set !== null && set !== this.#get('armed')) this.#put('user', set);
    const due = [this.#get('user'), this.#get('retry'), this.#nextDue()].filter((time) => time !== null);
    if (due.length === 0) {
      if (set !== null) await this.#storage.deleteAlarm();
      this.#put('armed', null);
      return;
    }
    const first = Math.max(Date.now(), Math.min(...due));
    if (set === first || (set !== null && set <= Date.now())) return;
    this.#put('armed', first);
    await this.#storage.setAlarm(first);
    // The platform may have moved it: a time that has passed becomes its present.
    const armed = await this.#storage.getAlarm();
    if (armed !== null) this.#put('armed', armed);
  }

  /** An alarm that was not set here is the user's. */
  #adoptFired(info: AlarmInvocationInfo | undefined): void {
    const armed = this.#get('armed');
    const scheduled = (info as { scheduledTime?: number } | undefined)?.scheduledTime;
    const isKnown = scheduled === armed || scheduled === this.#get('fired');
    if (scheduled !== undefined) {
      if (!isKnown && this.#get('user') === null) this.#put('user', scheduled);
      this.#put('fired', scheduled);
    }
    this.#put('armed', null);
  }

  async #callUser(handler: AlarmHandler | undefined): Promise<void> {
    const now = Date.now();
    const retry = this.#get('retry');
    if (retry === null || retry > now) {
      const due = this.#get('user');
      if (due === null || due > now || retry !== null) return;
      // The handler may set its next alarm: that is another entry.
      this.#put('running', due);
      this.#put('retry', due);
      this.#put('user', null);
      this.#put('failures', 0);
    }
    const failures = this.#get('failures') ?? 0;
    this.#put('failures', failures + 1);
    try {
      const scheduledTime = this.#get('running') ?? now;
      await handler?.({ isRetry: failures > 0, retryCount: failures, scheduledTime } as AlarmInvocationInfo);
    } catch (error) {
      if (failures < MAX_RETRIES) {
        console.error(`the alarm handler failed, and will be called again: ${String(error)}`);
        this.#put('retry', Date.now() + FIRST_RETRY_MS * 2 ** failures);
        return;
      }
      console.error(`the alarm handler failed ${failures + 1} times, and is given up: ${String(error)}`);
    }
    this.#put('running', null);
    this.#put('retry', null);
    this.#put('failures', null);
  }

  #create(): void {
    if (this.#isCreated) return;
    this.#storage.sql.exec(
      'CREATE TABLE IF NOT EXISTS tmp_export_alarms (name TEXT PRIMARY KEY, due) WITHOUT ROWID',
    );
    this.#isCreated = true;
  }

  #get(name: Entry): number | null {
    this.#create();
    const query = 'SELECT due FROM tmp_export_alarms WHERE name = ?1';
    const [row] = [...this.#storage.sql.exec(query, name).raw()];
    return row === undefined ? null : Number(row[0]);
  }

  #put(name: Entry, due: number | null): void {
    this.#create();
    if (due === null) {
      this.#storage.sql.exec('DELETE FROM tmp_export_alarms WHERE name = ?1', name);
    } else {
      this.#storage.sql.exec('INSERT OR REPLACE INTO tmp_export_alarms VALUES (?1, ?2)', name, due);
    }
  }
}

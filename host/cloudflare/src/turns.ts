// Others' turns: between two slices everybody else in the object may run, and where somebody does, they are given longer,
// and slices become small.
//
// Whoever comes is known by what they leave: a request passes through the exporter's `fetch`, and a write moves SQLite's
// count of changes. Both cost nothing to look at.

import type { Budget } from './pacing.js';

/** After so many turns in which nobody came, slices are large again. */
const QUIET_TURNS = 200;

/** The most pauses in a row: an export moves on, however many requests there are. */
const MAX_PAUSES = 2;

export class Turns {
  readonly #sql: SqlStorage;
  #requests = 0;
  #seen = 0;
  /** How many turns have passed since somebody came. */
  #quiet = QUIET_TURNS;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
  }

  /** A request has come. */
  noteRequest(): void {
    this.#requests += 1;
  }

  /** From now on, those who come are noticed. */
  begin(): void {
    this.#seen = this.#requests;
  }

  /** Whether others have come lately. */
  get isBusy(): boolean {
    return this.#quiet < QUIET_TURNS;
  }

  /** Lets others run until nobody comes any more, or for as long as they are given at most. */
  async give({ pauseMs, busyPauseMs }: Budget): Promise<void> {
    this.#quiet += 1;
    let changes = this.#changes();
    await scheduler.wait(pauseMs);
    for (let pauses = 0; pauses < MAX_PAUSES; pauses++) {
      const now = this.#changes();
      if (this.#requests === this.#seen && now === changes) return;
      changes = now;
      this.#seen = this.#requests;
      this.#quiet = 0;
      await scheduler.wait(busyPauseMs);
    }
  }

  #changes(): SqlStorageValue | undefined {
    return [...this.#sql.exec('SELECT total_changes()').raw()][0]?.[0];
  }
}

// partway-cloudflare: exports the SQLite database of a Durable Object to R2, and imports it from there, a bounded slice at
// a time.

export { Exporter } from './exporter.js';
export { nextSpread } from './schedule.js';
export { ImportError } from './import/error.js';
export type { AlarmHandler } from './alarms.js';
export type { ExporterOptions } from './options.js';
export type { ImportBudget } from './import/budget.js';
export type { ImportErrorReason } from './import/error.js';
export type { ImportOptions } from './import/state.js';
export type { ImportStatus } from './import/status.js';
export type { Budget } from './pacing.js';
export type { Consistency } from './snapshot/snapshot.js';

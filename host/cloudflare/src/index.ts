// partway-cloudflare: exports the SQLite database of a Durable Object to R2, a bounded slice at a time.

export { Exporter } from './exporter.js';
export { nextSpread } from './schedule.js';
export type { AlarmHandler } from './alarms.js';
export type { ExporterOptions } from './options.js';
export type { Budget } from './pacing.js';
export type { Consistency } from './snapshot/snapshot.js';

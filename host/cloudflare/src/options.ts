// What an object sets for its exports.

import { DEFAULT_IMPORT_BUDGET, type ImportBudget } from './import/budget.js';
import { DEFAULT_BUDGET, type Budget } from './pacing.js';
import type { Consistency } from './snapshot/snapshot.js';

export interface ExporterOptions {
  /** Where exports go. Without it, dumps are only streamed. */
  readonly bucket?: R2Bucket;
  /**
   * What the keys of this object's exports begin with; by default its id and a slash, so that no two objects
   * write to one key.
   */
  readonly prefix?: string;
  /** What an export does when others write while it runs; by default `snapshot`. */
  readonly consistency?: Consistency;
  /** What it does when the snapshot is lost: to a change of the schema, or to too many saved rows. */
  readonly whenLost?: 'restart' | 'fail';
  /** The most bytes of rows that a snapshot saves; by default 64 MiB. Checked before every slice. */
  readonly maxSnapshotBytes?: number;
  /** How much a slice and an alarm do. */
  readonly budget?: Partial<Budget>;
  /** How much a slice and an alarm of an import do. */
  readonly importBudget?: Partial<ImportBudget>;
  /** The size of parts in bytes: R2 takes 5 MiB and more. */
  readonly partSize?: number;
  /** Signs callbacks: `whsec_` and Base64, or any text of 16 bytes and more. Without it there are none. */
  readonly callbackSecret?: string;
  /** The database's name in statuses and callbacks; by default the object's id. */
  readonly database?: string;
  /** A GET responds with the dump itself if it is done within so many parts; by default 4. */
  readonly inlineParts?: number;
  /** The wait after the first failure, in milliseconds; by default 2,000. It doubles each time, six times. */
  readonly firstRetryMs?: number;
  /** How many finished exports, and how many imports, are remembered; by default 100. */
  readonly keepRecords?: number;
}

/** The options, with what is not given filled in. */
export interface Settings {
  readonly bucket: R2Bucket | null;
  readonly prefix: string;
  readonly consistency: Consistency;
  readonly whenLost: 'restart' | 'fail';
  readonly maxSnapshotBytes: number;
  readonly budget: Budget;
  readonly importBudget: ImportBudget;
  readonly partSize: number;
  readonly callbackSecret: string | null;
  readonly database: string;
  readonly inlineParts: number;
  readonly firstRetryMs: number;
  readonly keepRecords: number;
}

export function settingsOf(id: DurableObjectId, options: ExporterOptions): Settings {
  return {
    bucket: options.bucket ?? null,
    prefix: options.prefix ?? `${id.toString()}/`,
    consistency: options.consistency ?? 'snapshot',
    whenLost: options.whenLost ?? 'restart',
    maxSnapshotBytes: options.maxSnapshotBytes ?? 64 * 1024 * 1024,
    budget: { ...DEFAULT_BUDGET, ...options.budget },
    importBudget: { ...DEFAULT_IMPORT_BUDGET, ...options.importBudget },
    partSize: options.partSize ?? 5 * 1024 * 1024,
    callbackSecret: options.callbackSecret ?? null,
    database: options.database ?? id.toString(),
    inlineParts: options.inlineParts ?? 4,
    firstRetryMs: options.firstRetryMs ?? 2_000,
    keepRecords: options.keepRecords ?? 100,
  };
}

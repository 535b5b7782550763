// The status of an import, as users see it.

import type { ImportRecord, ImportState } from './state.js';

export interface ImportStatus {
  readonly importId: string;
  /** `failing`: it is tried again at `nextTryAt`. `cancelling`: what it made is being dropped. */
  readonly status: ImportState;
  readonly key: string;
  /** Bytes of the dump. */
  readonly bytes: { readonly done: number; readonly expected: number };
  readonly rows: { readonly done: number; readonly expected: number };
  readonly tables: number;
  readonly slices: number;
  /** What has failed last. */
  readonly error: string | null;
  /** Failures since the last progress. */
  readonly attempts: number;
  /** Times are in ISO 8601. */
  readonly nextTryAt: string | null;
  readonly createdAt: string;
  readonly movedAt: string;
  readonly finishedAt: string | null;
}

export function importStatus(record: ImportRecord): ImportStatus {
  const time = (at: number | null): string | null => (at === null ? null : new Date(at).toISOString());
  return {
    importId: record.id,
    status: record.status,
    key: record.object.key,
    bytes: { done: record.offset, expected: record.object.size },
    rows: { done: record.rows, expected: record.expected.rows },
    tables: record.expected.tables,
    slices: record.slices,
    error: record.error,
    attempts: record.attempts,
    nextTryAt: time(record.nextTryAt),
    createdAt: new Date(record.createdAt).toISOString(),
    movedAt: new Date(record.movedAt).toISOString(),
    finishedAt: time(record.finishedAt),
  };
}

// The status of an export, as clients see it.

import { share } from '../estimate.js';
import type { Settings } from '../options.js';
import { clientState, isFinished, type ExportRecord } from '../state.js';

/** When to ask again for a status that says nothing of the end, and the most to wait, in seconds. */
const RETRY_AFTER = 2;
const MAX_RETRY_AFTER = 30;

const YEAR_MS = 366 * 24 * 3_600_000;

/** An export that was requested. */
export function accepted(record: ExportRecord): Record<string, unknown> {
  return {
    exportId: record.id,
    status: clientState(record),
    statusUrl: `/export/status/${record.id}`,
    downloadUrl: `/export/download/${record.id}`,
  };
}

export function status(record: ExportRecord, settings: Settings): Record<string, unknown> {
  const now = Date.now();
  const isDone = record.status === 'done';
  const { tables, rows } = expectedOf(record);
  const seconds = ((record.finishedAt ?? record.movedAt) - record.startedAt) / 1000;
  const left = millisecondsLeft(record);
  const isTriedAgain = record.attempts > 0 && (record.nextTryAt ?? 0) > now;
  return {
    ...accepted(record),
    database: settings.database,
    format: record.request.format,
    name: record.name,
    location: isDone ? `r2:${record.key}` : null,
    sha256: record.sha256,
    tables: { done: record.tables, expected: tables },
    rows: { done: record.rows, expected: rows },
    progress: progress(record),
    bytes: record.bytes,
    parts: record.parts,
    slices: record.slices,
    bytesPerSecond: seconds > 0 ? Math.round(record.bytes / seconds) : 0,
    expectedEnd: left === null ? null : time(now + left),
    createdAt: time(record.createdAt),
    movedAt: time(record.movedAt),
    finishedAt: time(record.finishedAt),
    nextTryAt: isTriedAgain ? time(record.nextTryAt) : null,
    attempts: record.attempts,
    restarts: record.restarts,
    error: record.error,
    warnings: record.warnings,
    damaged: record.damaged,
    scheduled: false,
    prunedAt: time(record.prunedAt),
    callback: callback(record),
  };
}

/** When to ask for the status of an unfinished export again, in seconds. */
export function retryAfter(record: ExportRecord): string {
  const left = millisecondsLeft(record);
  const seconds = left === null ? RETRY_AFTER : Math.ceil(left / 1000);
  return String(Math.min(Math.max(seconds, 1), MAX_RETRY_AFTER));
}

/** How much there is to export: known once all is there, and no less than what is done. */
function expectedOf(record: ExportRecord): { tables: number; rows: number } {
  const { status, tables, rows, damaged, expected } = record;
  if (status === 'done' && damaged.length === 0) return { tables, rows };
  return { tables: Math.max(expected.tables, tables), rows: Math.max(expected.rows ?? 0, rows) };
}

/** Which share is done, from 0 to 1; null: nobody knows. */
function progress(record: ExportRecord): number | null {
  if (record.status === 'done') return 1;
  const done = share(record.rows, record.expected);
  return done === null ? null : Math.floor(done * 1000) / 1000;
}

/** How long an export will still take; null while that can't be estimated. */
function millisecondsLeft(record: ExportRecord): number | null {
  const done = share(record.rows, record.expected);
  if (isFinished(record) || done === null) return null;
  const left = ((record.movedAt - record.startedAt) * (1 - done)) / done;
  // More than a year, and NaN, tell nothing.
  return left > 0 && left < YEAR_MS ? left : null;
}

function callback(record: ExportRecord): Record<string, unknown> | null {
  if (record.callback === null) return null;
  return {
    // Scheme, host and port: the rest may be a secret.
    host: new URL(record.request.callbackUrl ?? '').origin,
    attempts: record.callback.attempts,
    deliveredAt: time(record.callback.deliveredAt),
    nextTryAt: time(record.callback.nextTryAt),
    error: record.callback.error,
  };
}

function time(at: number | null): string | null {
  return at === null ? null : new Date(at).toISOString();
}

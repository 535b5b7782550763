// The status of an export, as clients see it.

import type { Settings } from '../options.js';
import { isFinished, type ExportRecord } from '../state.js';

/** An export that was requested. */
export function accepted(record: ExportRecord): Record<string, unknown> {
  return {
    exportId: record.id,
    status: record.status,
    statusUrl: `/export/status/${record.id}`,
    downloadUrl: `/export/download/${record.id}`,
  };
}

export function status(record: ExportRecord, settings: Settings): Record<string, unknown> {
  const isDone = record.status === 'done';
  const seconds = ((record.finishedAt ?? record.movedAt) - record.createdAt) / 1000;
  return {
    ...accepted(record),
    database: settings.database,
    format: record.request.format,
    name: record.name,
    location: isDone ? `r2:${record.key}` : null,
    sha256: record.sha256,
    tables: { done: record.tables, expected: record.tables },
    rows: { done: record.rows, expected: record.rows },
    bytes: record.bytes,
    parts: record.parts,
    slices: record.slices,
    bytesPerSecond: isFinished(record) && seconds > 0 ? Math.round(record.bytes / seconds) : 0,
    expectedEnd: null,
    createdAt: time(record.createdAt),
    movedAt: time(record.movedAt),
    finishedAt: time(record.finishedAt),
    nextTryAt: record.attempts > 0 ? time(record.nextTryAt) : null,
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

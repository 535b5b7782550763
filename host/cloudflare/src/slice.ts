// One slice: a call of the component, from reading rows to parts in memory. Nothing else runs meanwhile.

import { Component, type Imports, type Options, type Outcome } from './component.js';
import { pacing, type Budget } from './pacing.js';
import { SliceParts, type Part } from './parts.js';
import { Rows, type ScanMemory, type View } from './rows/rows.js';

export interface SliceResult {
  readonly outcome: Outcome;
  readonly parts: readonly Part[];
}

/** Checks options against a schema; the first checkpoint. */
export function firstCheckpoint(sql: SqlStorage, view: View, options: Options): string {
  const parts = new SliceParts(1, options.partSize);
  return withImports(sql, view, { paused: null }, parts, null, (imports) => new Component().start(imports, options));
}

/** Does a slice from a checkpoint on, in an instance that may have done others. `written`: how many parts there are before it. */
export function runSlice(
  component: Component,
  sql: SqlStorage,
  view: View,
  memory: ScanMemory,
  checkpoint: string,
  written: number,
  partSize: number,
  maxParts: number,
  budget: Budget,
): SliceResult {
  const parts = new SliceParts(written + 1, partSize);
  const outcome = withImports(sql, view, memory, parts, budget, (imports) =>
    component.resume(imports, checkpoint, maxParts),
  );
  return { outcome, parts: parts.parts };
}

function withImports<T>(
  sql: SqlStorage,
  view: View,
  memory: ScanMemory,
  parts: SliceParts,
  budget: Budget | null,
  call: (imports: Imports) => T,
): T {
  const rows = new Rows(sql, view, memory);
  try {
    const paced = budget === null ? { shouldYield: () => false } : pacing(budget, () => rows.read);
    return call({ rows: rows.imports, parts: parts.imports, pacing: paced });
  } finally {
    rows.close();
  }
}

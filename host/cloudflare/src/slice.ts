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
  const parts = new SliceParts(1, options.partSize, 0);
  return withImports(sql, view, { paused: null }, parts, null, (imports) => new Component(options.format).start(imports, options));
}

/** What a slice is made of. */
export interface SliceSource {
  /** An instance that may have done other slices. */
  readonly component: Component;
  readonly sql: SqlStorage;
  readonly view: View;
  readonly memory: ScanMemory;
  readonly checkpoint: string;
  /** How many of the component's parts there are before it, and how many there may ever be. */
  readonly written: number;
  readonly maxTotalParts: number;
  readonly partSize: number;
  /** How many it makes at most. */
  readonly maxParts: number;
  readonly budget: Budget;
}

/** Does a slice from a checkpoint on. It may make no parts, if its checkpoint moves on. */
export function runSlice(source: SliceSource): SliceResult {
  const { component, sql, view, memory, checkpoint, budget } = source;
  const parts = new SliceParts(source.written + 1, source.partSize, source.maxTotalParts);
  const outcome = withImports(sql, view, memory, parts, budget, (imports) =>
    component.resume(imports, checkpoint, source.maxParts),
  );
  if (outcome.tag === 'more' && parts.parts.length === 0 && outcome.val.checkpoint === checkpoint) {
    throw new Error('the component broke the contract: it ended a slice without writing a part or getting any further');
  }
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
    const paced = budget === null ? { shouldYield: () => false } : pacing(budget, () => ({ ...rows.read, parts: parts.parts.length }));
    return call({ rows: rows.imports, parts: parts.imports, pacing: paced });
  } finally {
    rows.close();
  }
}

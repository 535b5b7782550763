// When a slice should end. Clocks stand still inside a Worker, so work is counted instead.

/** How much one slice, and one alarm of several slices, may do. */
export interface Budget {
  /** Parts that a slice makes before they are uploaded. They are in memory together. */
  readonly sliceParts: number;
  /** Rows that a slice reads, but never before it has written a part. */
  readonly sliceRows: number;
  /** Parts that an alarm makes before the next one is set. */
  readonly alarmParts: number;
}

/**
 * 4 parts of 5 MiB are uploaded at a time: with the component and what it reads this stays far below the 128 MB of an
 * isolate. An alarm makes 120 MiB of dump: some seconds of its 30 s of CPU time.
 */
export const DEFAULT_BUDGET: Budget = { sliceParts: 4, sliceRows: 1_000_000, alarmParts: 24 };

/** The imports of one slice. */
export function pacing(budget: Budget, rowsRead: () => number): { shouldYield(): boolean } {
  return { shouldYield: () => rowsRead() >= budget.sliceRows };
}

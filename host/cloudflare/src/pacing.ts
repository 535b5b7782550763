// When a slice should end. Clocks stand still inside a Worker, so work is counted instead.

/** How much one slice, and one alarm of many slices, may do. */
export interface Budget {
  /**
   * Pieces that a slice makes: tenths of a part, 512 KiB. Nothing else runs in the object meanwhile: it is how long a
   * writer may have to wait.
   */
  readonly slicePieces: number;
  /** Rows that a slice reads, but never before it has written a piece. */
  readonly sliceRows: number;
  /** How long others have their turn between two slices, in milliseconds: at least one round of the event loop. */
  readonly pauseMs: number;
  /** Parts that are uploaded beside further slices, and so are in memory together. */
  readonly uploadedParts: number;
  /** Parts that an alarm makes before the next one is set. */
  readonly alarmParts: number;
}

/**
 * A slice makes 512 KiB of dump, which takes some hundredths of a second. Four parts, the component and what it reads are
 * in memory together: some 50 MB, and what is not collected yet. An alarm makes 120 MiB: some seconds of its 30 s of CPU
 * time.
 */
export const DEFAULT_BUDGET: Budget = {
  slicePieces: 1,
  sliceRows: 1_000_000,
  pauseMs: 1,
  uploadedParts: 4,
  alarmParts: 24,
};

/** The imports of one slice. */
export function pacing(budget: Budget, rowsRead: () => number): { shouldYield(): boolean } {
  return { shouldYield: () => rowsRead() >= budget.sliceRows };
}

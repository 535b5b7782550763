// When a slice should end. Clocks stand still inside a Worker, so work is counted instead.

/** How much one slice, and one alarm of many slices, may do. */
export interface Budget {
  /**
   * Pieces that a slice makes while nobody else comes: eightieths of a part, 64 KiB. Nothing else runs in the object
   * meanwhile.
   */
  readonly slicePieces: number;
  /** Pieces that a slice makes while others come: it is how long a request may have to wait. */
  readonly busySlicePieces: number;
  /** Rows that a slice reads, but never before it has written a piece, if it writes any. */
  readonly sliceRows: number;
  /** How long others have their turn between two slices, in milliseconds: at least one round of the event loop. */
  readonly pauseMs: number;
  /** How long they have if somebody has come, and again as long as somebody comes, twice at most. */
  readonly busyPauseMs: number;
  /** Parts that are uploaded beside further slices, and so are in memory together. */
  readonly uploadedParts: number;
  /**
   * Blocks of 1 MiB of a compressed object that are made before how far it is is saved, if they make no part; fewer with
   * a level that takes longer.
   */
  readonly encodedBlocks: number;
  /** Parts that an alarm makes before the next one is set: as many bytes of dump, whether they are compressed or not. */
  readonly alarmParts: number;
}

/**
 * A slice makes 1 MiB of dump, which takes some hundredths of a second, and 64 KiB while others come. Four parts, the
 * component and what it reads are in memory together: some 50 MB, and some that is not collected yet. An alarm makes
 * 120 MiB: some seconds of its 30 s of CPU time.
 */
export const DEFAULT_BUDGET: Budget = {
  slicePieces: 16,
  busySlicePieces: 1,
  sliceRows: 1_000_000,
  pauseMs: 1,
  busyPauseMs: 5,
  uploadedParts: 4,
  encodedBlocks: 40,
  alarmParts: 24,
};

/** As many pieces of a Parquet file as a row group may well have, compressed. */
const ROW_GROUP_PIECES = 4;

/**
 * The budget for a format. A slice of a Parquet file makes a whole row group, however little of it is written: smaller
 * slices would do the same work again and again.
 */
export function budgetFor(format: string, budget: Budget): Budget {
  const { slicePieces, busySlicePieces } = budget;
  if (format !== 'parquet') return budget;
  return { ...budget, busySlicePieces: Math.min(ROW_GROUP_PIECES * busySlicePieces, slicePieces) };
}

/**
 * So many batches, of some 48 KiB each, a slice may read that writes nothing: a look at the rows, which would else be one
 * slice of as many rows as there may be. It takes as long as a slice of dump.
 */
const LOOK_BATCHES = 16;

/** What a slice has done so far. */
export interface Done {
  readonly rows: number;
  readonly batches: number;
  readonly parts: number;
}

/** The imports of one slice. A component that gets no further without a part does not ask before it has written one. */
export function pacing(budget: Budget, done: () => Done): { shouldYield(): boolean } {
  let isOver = false;
  return {
    shouldYield: () => {
      const { rows, batches, parts } = done();
      isOver ||= rows >= budget.sliceRows || (parts === 0 && batches >= LOOK_BATCHES);
      return isOver;
    },
  };
}

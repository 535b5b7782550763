// How much of an import is done at a time. Clocks stand still inside a Worker, so work is counted instead.

/** How much one slice, and one alarm of many slices, may do. */
export interface ImportBudget {
  /** Bytes of the dump that a slice runs. Nothing else runs in the object meanwhile. */
  readonly sliceBytes: number;
  /** Statements that a slice runs. */
  readonly sliceStatements: number;
  /** Rows that a step of the check of foreign keys reads. */
  readonly checkRows: number;
  /** How long others have their turn between two slices, in milliseconds: at least one round of the event loop. */
  readonly pauseMs: number;
  /** Bytes of the dump that an alarm runs before the next one is set. */
  readonly alarmBytes: number;
}

/** A slice runs for some hundredths of a second, an alarm for some seconds of its 30 s of CPU time. */
export const DEFAULT_IMPORT_BUDGET: ImportBudget = {
  sliceBytes: 1024 * 1024,
  sliceStatements: 1_000,
  checkRows: 50_000,
  pauseMs: 1,
  alarmBytes: 64 * 1024 * 1024,
};

/** Less work for a slice, after the instance has come to its end in the middle of one: by a limit on CPU or memory? */
export function smaller(budget: ImportBudget, crashes: number): ImportBudget {
  const divided = (most: number): number => Math.max(1, Math.floor(most / 4 ** crashes));
  return {
    ...budget,
    sliceBytes: divided(budget.sliceBytes),
    sliceStatements: divided(budget.sliceStatements),
    checkRows: divided(budget.checkRows),
  };
}

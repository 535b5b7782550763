// Cells as SQLite's rows bring them to JavaScript.

/** A result of a query. Text comes as a string, a blob as an ArrayBuffer. */
export type Cell = SqlStorageValue;

/** The contract's codes of cells. */
export const INTEGER = 1;
export const REAL = 2;
export const TEXT = 3;
export const BLOB = 4;
export const NULL = 5;
export const LONG_TEXT = 6;
export const LONG_BLOB = 7;

/** The codes of SQLite's storage classes, by the names that `typeof` gives. */
export const KINDS: Readonly<Record<string, number>> = {
  integer: INTEGER,
  real: REAL,
  text: TEXT,
  blob: BLOB,
  null: NULL,
};

/** What text has in the place of bytes that are not UTF-8, or for itself. */
export const REPLACEMENT = '\uFFFD';

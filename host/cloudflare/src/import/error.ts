// Why an import can't start, or can't go on.

/** What a caller can tell refusals and failures apart by. */
export type ImportErrorReason =
  /** The exporter has no bucket to import from. */
  | 'no-bucket'
  /** The object has tables of its own. */
  | 'not-empty'
  /** An import or an export is unfinished in the object. */
  | 'busy'
  /** There is no such dump in the bucket. */
  | 'missing'
  /** It is not a dump that Partway made, or a newer version of Partway made it. */
  | 'not-a-dump'
  /** Its end is missing, or it is damaged. */
  | 'cut-off'
  /** It was made for the `sqlite3` program. */
  | 'wrong-target'
  /** It lacks rows of a damaged database. */
  | 'incomplete'
  /** It was replaced or deleted while it was imported. */
  | 'replaced'
  /** A statement failed. */
  | 'statement'
  /** Rows refer to others that do not exist. */
  | 'foreign-key';

/** Trying again would not help: something else has to be done first, as the message says. */
export class ImportError extends Error {
  override readonly name = 'ImportError';
  readonly reason: ImportErrorReason;

  constructor(reason: ImportErrorReason, message: string) {
    super(message);
    this.reason = reason;
  }
}

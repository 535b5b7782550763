// The errors of the contract's interfaces. The component gets the variant; everybody else the message.

import type { Error as RowsErrorVariant } from '../component/interfaces/partway-pipe-rows.js';

type Tag = Exclude<RowsErrorVariant['tag'], 'interrupted'>;

/** Why something could not be read: what the imports of `rows` throw. */
export class RowsError extends Error {
  readonly payload: RowsErrorVariant;

  constructor(tag: Tag, message: string) {
    super(message);
    this.name = 'RowsError';
    this.payload = { tag, val: message };
  }
}

/** The error of a failed query about a table, or about the schema. */
export function readFailed(subject: string, error: unknown): RowsError {
  if (error instanceof RowsError) return error;
  const message = error instanceof Error ? error.message : String(error);
  const isCorrupt = /SQLITE_(CORRUPT|NOTADB)|malformed/.test(message);
  return new RowsError(isCorrupt ? 'corrupt' : 'failed', `${subject} can't be read: ${message}`);
}

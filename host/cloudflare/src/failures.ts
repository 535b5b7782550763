// Which failures of a step are worth another try.

import { CodecError } from './codec.js';
import { ExportError } from './component.js';
import { CheckpointIsTooLong } from './part.js';
import { SnapshotError } from './snapshot/snapshot.js';
import { NameIsTaken } from './upload.js';

/** Whether trying again would not help. */
export function isFinal(error: unknown): boolean {
  const kinds = [SnapshotError, CodecError, NameIsTaken, CheckpointIsTooLong];
  if (kinds.some((kind) => error instanceof kind)) return true;
  return (
    error instanceof ExportError &&
    !['read-failed', 'write-failed', 'interrupted'].includes(error.tag)
  );
}

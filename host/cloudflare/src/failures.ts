// Which failures of a step are worth another try.

import { CodecError } from './codec.js';
import { ExportError } from './component.js';
import { SnapshotError } from './snapshot/snapshot.js';
import { NameIsTaken } from './upload.js';

/** Whether trying again would not help. */
export function isFinal(error: unknown): boolean {
  if (error instanceof SnapshotError || error instanceof CodecError || error instanceof NameIsTaken) return true;
  return (
    error instanceof ExportError &&
    !['read-failed', 'write-failed', 'interrupted'].includes(error.tag)
  );
}

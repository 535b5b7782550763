// An export's object in R2: begun under a name that is free, completed once, or given up.

import { mediaType } from './formats.js';
import { numberedName } from './names.js';
import type { MadePart } from './part.js';
import type { ExportRecord } from './state.js';

/** What tells an export's object from others. */
const EXPORT_ID = 'partway-export';

/** The attempts at finding a free name. */
const MAX_NAMES = 100;

/** R2 has no such upload, any more or ever. */
export class UploadIsGone extends Error {
  override readonly name = 'UploadIsGone';
}

/** Another object has taken the name meanwhile. */
export class NameIsTaken extends Error {
  override readonly name = 'NameIsTaken';
}

export interface Begun {
  readonly name: string;
  readonly key: string;
  readonly uploadId: string;
}

/** Begins an upload: no object that exists is overwritten. */
export async function beginUpload(
  bucket: R2Bucket,
  prefix: string,
  wanted: string,
  record: ExportRecord,
): Promise<Begun> {
  for (let number = 1; number <= MAX_NAMES; number++) {
    const name = numberedName(wanted, number);
    const key = prefix + name;
    if ((await bucket.head(key)) !== null) continue;
    const contentType = mediaType(record.request);
    const upload = await bucket.createMultipartUpload(key, {
      httpMetadata: { contentType },
      customMetadata: { [EXPORT_ID]: record.id },
    });
    return { name, key, uploadId: upload.uploadId };
  }
  throw new NameIsTaken(`all names from ${wanted} to ${numberedName(wanted, MAX_NAMES)} are taken`);
}

export function resumeUpload(bucket: R2Bucket, record: ExportRecord): R2MultipartUpload {
  return bucket.resumeMultipartUpload(record.key ?? '', record.uploadId ?? '');
}

/** Completes an upload; doing so again does no harm. */
export async function completeUpload(
  bucket: R2Bucket,
  record: ExportRecord,
  parts: R2UploadedPart[],
): Promise<void> {
  const existing = await bucket.head(record.key ?? '');
  if (existing !== null) {
    if (isObjectOf(existing, record)) return;
    throw new NameIsTaken(`the name ${JSON.stringify(record.name)} was taken by another object meanwhile`);
  }
  const { size } = await notGone(resumeUpload(bucket, record).complete(parts));
  if (size !== record.bytes) {
    throw new Error(`R2 made an object of ${size} bytes out of parts of ${record.bytes}`);
  }
}

/** Whether an object is the complete one of this export. */
export function isObjectOf(object: R2Object, record: ExportRecord): boolean {
  return object.customMetadata?.[EXPORT_ID] === record.id && object.size === record.bytes;
}

/** Deletes the object of an export; one that is not its own, or not there, is left alone. */
export async function removeObject(bucket: R2Bucket, record: ExportRecord): Promise<void> {
  const object = await bucket.head(record.key ?? '');
  if (object !== null && isObjectOf(object, record)) await bucket.delete(record.key ?? '');
}

/** Gives an upload up; what can't be aborted now is dropped by R2 after 7 days. */
export async function abortUpload(bucket: R2Bucket, record: ExportRecord): Promise<void> {
  if (record.uploadId === null) return;
  try {
    await resumeUpload(bucket, record).abort();
  } catch (error) {
    console.warn(`the upload of export ${record.id} could not be aborted: ${String(error)}`);
  }
}

/** R2's code for an upload that does not exist. */
export async function notGone<T>(request: Promise<T>): Promise<T> {
  try {
    return await request;
  } catch (error) {
    if (/\(10024\)/.test(String(error))) throw new UploadIsGone(String(error), { cause: error });
    throw error;
  }
}

/** Begins to upload a part; an empty one is none. A failure is met when the receipts are waited for. */
export function uploading(upload: R2MultipartUpload, part: MadePart): Promise<R2UploadedPart[]> {
  if (part.bytes.length === 0) return Promise.resolve([]);
  const receipts = notGone(upload.uploadPart(part.number, part.bytes).then((receipt) => [receipt]));
  receipts.catch(() => undefined);
  return receipts;
}

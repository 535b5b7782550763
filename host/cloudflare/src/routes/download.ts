// `/export/download/{id}`: objects in R2.

import { clientState, isFinished, type ExportRecord } from '../state.js';
import { isObjectOf } from '../upload.js';
import { select } from './range.js';
import { ApiError, fileHeaders } from './responses.js';
import { retryAfter } from './status.js';

/** The object of an export, or those of its bytes that the headers ask for. */
export async function download(
  bucket: R2Bucket,
  find: () => ExportRecord,
  request: Request,
): Promise<Response> {
  const redirects = wantsRedirect(new URL(request.url).searchParams);
  const record = find();
  const { id, status } = record;
  if (status === 'done' && record.prunedAt !== null) {
    throw new ApiError(410, `the object of export ${id} has been deleted`);
  }
  if (status === 'failed' || status === 'cancelled') {
    const ended = status === 'failed' ? 'has' : 'was';
    throw new ApiError(410, `export ${id} ${ended} ${status}, and there is nothing to download`);
  }
  if (!isFinished(record)) {
    const text = `export ${id} is not done, but ${clientState(record)}: wait until its status is done, and try again`;
    throw new ApiError(409, text, { 'retry-after': retryAfter(record) });
  }
  if (redirects && request.method === 'GET') {
    throw new ApiError(400, 'an R2 binding has no URLs for its objects: download them without redirect=1');
  }
  return object(bucket, record, request);
}

function wantsRedirect(query: URLSearchParams): boolean {
  let redirects = false;
  for (const [name, value] of query) {
    if (name !== 'redirect' || !/^[01]$/.test(value)) {
      throw new ApiError(400, 'the query may only have redirect=1 or redirect=0');
    }
    redirects = value === '1';
  }
  return redirects;
}

/** The object of an export that is done. */
export async function object(
  bucket: R2Bucket,
  record: ExportRecord,
  request: Request,
): Promise<Response> {
  const key = record.key ?? '';
  const head = await bucket.head(key);
  if (head === null || !isObjectOf(head, record)) {
    throw new ApiError(410, `the object of export ${record.id} is gone`);
  }
  const tag = `"${record.sha256 ?? ''}"`;
  const length = record.bytes;
  const isHead = request.method === 'HEAD';
  const selection = select(request.headers, tag, length);
  const headers: Record<string, string> = {
    etag: tag,
    'accept-ranges': 'bytes',
    // The bytes of an export never change, but a cache has to ask each time whether the client may have them.
    'cache-control': 'private, no-cache',
  };
  if (selection.kind === 'not-modified') return new Response(null, { status: 304, headers });
  Object.assign(headers, fileHeaders(record.name ?? '', record.request));
  // Ranges are for GET alone (RFC 9110, 14.2).
  if (isHead) {
    return new Response(null, { headers: { ...headers, 'content-length': String(length) } });
  }
  if (selection.kind === 'not-satisfiable') {
    const text = `the object has ${length} bytes, and none of those requested`;
    throw new ApiError(416, text, { 'content-range': `bytes */${length}` });
  }
  const part = selection.kind === 'part' ? selection : { start: 0, end: length };
  const stored = await bucket.get(key, { range: { offset: part.start, length: part.end - part.start } });
  if (stored === null) throw new ApiError(410, `the object of export ${record.id} is gone`);
  // The client knows the length, and so notices when the body breaks off.
  const body = stored.body.pipeThrough(new FixedLengthStream(part.end - part.start));
  if (selection.kind !== 'part') return new Response(body, { headers });
  headers['content-range'] = `bytes ${part.start}-${part.end - 1}/${length}`;
  return new Response(body, { status: 206, headers });
}

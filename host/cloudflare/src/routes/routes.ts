// The routes of the service, with the same answers.

import type { Alarms } from '../alarms.js';
import { ExportError } from '../component.js';
import { ImportError } from '../import/error.js';
import { TooManyExports, type Jobs } from '../jobs.js';
import type { Settings } from '../options.js';
import { SnapshotError } from '../snapshot/snapshot.js';
import type { ExportRecord } from '../state.js';
import { StreamIsBusy, type Streams } from '../streams.js';
import { download } from './download.js';
import { getDump, postDump } from './dump.js';
import { ApiError, result } from './responses.js';
import { status } from './status.js';

/** What the handlers work with. */
export interface Context {
  readonly settings: Settings;
  /** Null where there is no bucket. */
  readonly jobs: Jobs | null;
  readonly streams: Streams;
  readonly alarms: Alarms;
  requireJobs(): Jobs;
}

const DEFAULT_LIMIT = 100;
const MAX_LIMIT = 1000;

/** Answers a request to one of the routes; null: it is to something else. */
export async function respond(request: Request, context: Context): Promise<Response | null> {
  const { pathname } = new URL(request.url);
  const isOurs = pathname === '/exports' || pathname === '/databases' || pathname.startsWith('/export/');
  if (!isOurs) return null;
  try {
    return await route(pathname, request, context);
  } catch (error) {
    return apiError(error).response;
  }
}

async function route(path: string, request: Request, context: Context): Promise<Response> {
  const { method } = request;
  if (path === '/export/dump') {
    if (method === 'GET') return getDump(request, context);
    if (method === 'POST') return postDump(request, context);
    const text = method === 'HEAD' ? 'each GET here starts an export: send a GET or a POST' : null;
    throw notAllowed(path, method, 'GET, POST', text);
  }
  if (path === '/exports') {
    if (method !== 'GET') throw notAllowed(path, method, 'GET');
    return list(new URL(request.url).searchParams, context);
  }
  if (path === '/databases') {
    if (method !== 'GET') throw notAllowed(path, method, 'GET');
    const { database, bucket } = context.settings;
    return result(200, { databases: [database], keepsExports: bucket !== null });
  }
  const [, name = '', id] = /^\/export\/(?:(status|download)\/)?([^/]+)$/.exec(path) ?? [];
  if (id === undefined) throw new ApiError(404, `there is nothing at ${JSON.stringify(path)}`);
  const find = (): ExportRecord => findRecord(context.requireJobs(), decodeURIComponent(id));
  if (name === 'status') {
    if (method !== 'GET') throw notAllowed(path, method, 'GET');
    return result(200, status(find(), context.settings));
  }
  if (name === 'download') {
    if (method !== 'GET' && method !== 'HEAD') throw notAllowed(path, method, 'GET, HEAD');
    return download(context.requireJobs().bucket, find(), request);
  }
  if (method !== 'DELETE') throw notAllowed(path, method, 'DELETE');
  return remove(find(), new URL(request.url).search, context);
}

function findRecord(jobs: Jobs, id: string): ExportRecord {
  const record = jobs.state.exists ? jobs.state.find(id) : null;
  if (record !== null) return record;
  throw new ApiError(404, `there is no export ${JSON.stringify(id)}: GET /exports lists all exports`);
}

function list(query: URLSearchParams, { settings, requireJobs }: Context): Response {
  const jobs = requireJobs();
  let limit = DEFAULT_LIMIT;
  for (const [name, value] of query) {
    limit = Number(value);
    if (name !== 'limit' || !/^\d+$/.test(value) || limit < 1 || limit > MAX_LIMIT) {
      throw new ApiError(400, `the query may only have a limit from 1 to ${MAX_LIMIT}`);
    }
  }
  const records = jobs.state.exists ? jobs.state.list(limit) : [];
  return result(200, records.map((record) => status(record, settings)));
}

/** Cancels an export; if it is done, deletes its object; if it has no object, forgets it. */
async function remove(record: ExportRecord, query: string, context: Context): Promise<Response> {
  const jobs = context.requireJobs();
  const { id } = record;
  if (query !== '' && query !== '?if=unfinished') {
    throw new ApiError(400, 'the query may only have if=unfinished');
  }
  if (await jobs.cancel(id)) {
    await context.alarms.arm();
    return result(202, { exportId: id, status: 'cancelled' });
  }
  const now = findRecord(jobs, id);
  if (query !== '') {
    throw new ApiError(409, `export ${id} is already ${now.status}: there is nothing to cancel`);
  }
  const pruned = now.status === 'done' && now.prunedAt === null;
  if (pruned) {
    await jobs.prune(now);
  } else if (now.callback !== null && now.callback.nextTryAt !== null) {
    throw new ApiError(409, `export ${id} can't be forgotten yet: its callback is still to be sent`);
  } else {
    jobs.state.remove(id);
  }
  return result(200, { exportId: id, status: now.status, pruned, forgotten: !pruned });
}

function notAllowed(path: string, method: string, allow: string, text: string | null = null): ApiError {
  const message = text ?? `${JSON.stringify(path)} does not allow ${method}: the Allow header lists the methods it allows`;
  return new ApiError(405, message, { allow });
}

/** What a client is told of an error. */
function apiError(error: unknown): ApiError {
  if (error instanceof ApiError) return error;
  if (error instanceof TooManyExports) return new ApiError(429, error.message, { 'retry-after': '10' });
  if (error instanceof StreamIsBusy) return new ApiError(429, error.message, { 'retry-after': '10' });
  if (error instanceof ExportError && error.tag === 'invalid-options') {
    return new ApiError(400, error.message);
  }
  if (error instanceof ImportError) return new ApiError(409, error.message, { 'retry-after': '10' });
  if (error instanceof SnapshotError) return new ApiError(500, error.message);
  console.error(error);
  return new ApiError(500, error instanceof Error ? error.message : String(error));
}

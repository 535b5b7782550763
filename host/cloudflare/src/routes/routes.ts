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
import type { EventStreams } from './events.js';
import { list, remove } from './exports.js';
import { ApiError, result } from './responses.js';
import { status } from './status.js';

/** What the handlers work with. */
export interface Context {
  readonly settings: Settings;
  /** Null where there is no bucket. */
  readonly jobs: Jobs | null;
  readonly streams: Streams;
  readonly events: EventStreams;
  readonly alarms: Alarms;
  requireJobs(): Jobs;
}

/** A route's handlers, by their methods. A HEAD is answered as a GET, without the body. */
type Handlers = Readonly<Partial<Record<'GET' | 'POST' | 'DELETE', () => Response | Promise<Response>>>>;

/** Answers a request to one of the routes; null: it is to something else. */
export async function respond(request: Request, context: Context): Promise<Response | null> {
  const { pathname } = new URL(request.url);
  const isOurs = pathname === '/exports' || pathname === '/databases' || pathname.startsWith('/export/');
  if (!isOurs) return null;
  let response: Response;
  try {
    response = await handle(pathname, request, handlers(pathname, request, context));
  } catch (error) {
    response = apiError(error).response;
  }
  return request.method === 'HEAD' ? new Response(null, response) : response;
}

async function handle(path: string, request: Request, handlers: Handlers): Promise<Response> {
  const method = request.method === 'HEAD' ? 'GET' : request.method;
  const isDump = path === '/export/dump';
  const handler = handlers[method as keyof Handlers];
  if (handler !== undefined && !(isDump && request.method === 'HEAD')) return handler();
  const text =
    request.method === 'HEAD' && isDump
      ? 'each GET here starts an export: send a GET or a POST'
      : `${JSON.stringify(path)} does not allow ${request.method}: the Allow header lists the methods it allows`;
  const allow = Object.keys(handlers).flatMap((name) => (name === 'GET' && !isDump ? ['GET', 'HEAD'] : [name]));
  throw new ApiError(405, text, { allow: allow.join(',') });
}

function handlers(path: string, request: Request, context: Context): Handlers {
  const { settings } = context;
  const query = new URL(request.url).searchParams;
  switch (path) {
    case '/export/dump':
      return { GET: () => getDump(request, context), POST: () => postDump(request, context) };
    case '/exports':
      return { GET: () => list(query, context) };
    case '/databases':
      return {
        GET: () => result(200, { databases: [settings.database], keepsExports: settings.bucket !== null }),
      };
  }
  const [, before = '', id = '', after = ''] = /^\/export\/(status\/|download\/)?([^/]+)(\/events)?$/.exec(path) ?? [];
  const find = (): ExportRecord => findRecord(context.requireJobs(), decoded(id));
  switch (id === '' ? '' : `${before}ID${after}`) {
    case 'status/ID':
      return { GET: () => result(200, status(find(), settings)) };
    case 'status/ID/events':
      return { GET: () => context.events.respond(request, find, settings) };
    case 'download/ID':
      return { GET: () => download(context.requireJobs().bucket, find, request) };
    case 'ID':
      return { DELETE: () => remove(find, new URL(request.url).search, context) };
    default:
      throw new ApiError(404, `there is nothing at ${JSON.stringify(path)}`);
  }
}

function decoded(id: string): string {
  try {
    return decodeURIComponent(id);
  } catch {
    return '…';
  }
}

function findRecord(jobs: Jobs, id: string): ExportRecord {
  const record = jobs.state.exists ? jobs.state.find(id) : null;
  if (record !== null) return record;
  throw new ApiError(404, `there is no export ${JSON.stringify(id)}: GET /exports lists all exports`);
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

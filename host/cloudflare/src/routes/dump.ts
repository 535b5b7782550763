// `/export/dump`: a GET responds with the dump where it is small, a POST always with where it will be.

import { suffix } from '../codec.js';
import type { Jobs } from '../jobs.js';
import { defaultName } from '../names.js';
import type { ExportRecord, ExportRequest } from '../state.js';
import { object } from './download.js';
import { fromBody, fromQuery } from './parameters.js';
import { ApiError, fileHeaders, result } from './responses.js';
import type { Context } from './routes.js';
import { accepted, retryAfter } from './status.js';

const MAX_KEY_LENGTH = 255;

export async function getDump(request: Request, context: Context): Promise<Response> {
  const parameters = fromQuery(new URL(request.url).searchParams, context.settings);
  if (context.jobs === null) return stream(parameters, context);
  const { jobs, settings } = context;
  const { id } = jobs.add(parameters, null);
  await jobs.run(settings.inlineParts);
  await context.alarms.arm();
  const record = jobs.state.find(id);
  switch (record?.status) {
    case 'done': {
      if (record.damaged.length > 0) {
        const where = `What could be read is at /export/download/${id}`;
        throw new ApiError(500, `the dump is incomplete: ${record.damaged.join(', ')}. ${where}`);
      }
      const response = await object(jobs.bucket, record, new Request(request.url));
      // Ranges of the same bytes are at the Content-Location; here each GET starts an export.
      response.headers.delete('accept-ranges');
      response.headers.set('content-location', `/export/download/${id}`);
      return response;
    }
    case 'failing':
    case 'failed':
      throw new ApiError(500, record.error ?? 'the export failed');
    case 'cancelled':
      throw new ApiError(409, 'the export was cancelled before it was done');
    default:
      if (record === null) throw new ApiError(404, 'the export is no longer known');
      return acceptedResponse(record);
  }
}

export async function postDump(request: Request, context: Context): Promise<Response> {
  const jobs = context.requireJobs();
  const key = idempotencyKey(request);
  const parameters = await fromBody(request, context.settings);
  const known = key === null ? null : knownExport(jobs, key, parameters);
  const record = known ?? jobs.add(parameters, key);
  await context.alarms.arm();
  return acceptedResponse(record);
}

async function stream(parameters: ExportRequest, { streams, alarms }: Context): Promise<Response> {
  const name = parameters.name ?? defaultName(Date.now(), parameters.format, suffix(parameters.compress));
  const body = streams.open(parameters);
  // Should the client go away, or this instance, the alarm cleans up.
  await alarms.arm();
  return new Response(body, { headers: fileHeaders(name, parameters) });
}

/** A request that was made before has its export, even if its table has been dropped since. */
function knownExport(jobs: Jobs, key: string, parameters: ExportRequest): ExportRecord | null {
  if (!jobs.state.exists) return null;
  const record = jobs.state.findByKey(key);
  if (record !== null && JSON.stringify(record.request) !== JSON.stringify(parameters)) {
    const text = `the Idempotency-Key was used for another request, export ${record.id}: use a new one`;
    throw new ApiError(422, text);
  }
  return record;
}

function idempotencyKey(request: Request): string | null {
  const key = request.headers.get('idempotency-key');
  if (key === null) return null;
  if (!/^[\x20-\x7e]+$/.test(key) || key.trim() === '' || key.length > MAX_KEY_LENGTH) {
    throw new ApiError(
      400,
      `the Idempotency-Key can't be used: give one, of 1 to ${MAX_KEY_LENGTH} printable ASCII characters`,
    );
  }
  return key.trim();
}

/** 202, with where the status is and when to ask for it. */
function acceptedResponse(record: ExportRecord): Response {
  return result(202, accepted(record), {
    location: `/export/status/${record.id}`,
    'retry-after': retryAfter(record),
  });
}

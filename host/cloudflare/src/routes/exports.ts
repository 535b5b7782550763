// `/exports` lists exports, `DELETE /export/{id}` cancels or removes one.

import { clientState, type ExportRecord } from '../state.js';
import { ApiError, result } from './responses.js';
import type { Context } from './routes.js';
import { status } from './status.js';

const DEFAULT_LIMIT = 100;
const MAX_LIMIT = 1000;

export function list(query: URLSearchParams, { settings, requireJobs }: Context): Response {
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
export async function remove(find: () => ExportRecord, query: string, context: Context): Promise<Response> {
  const jobs = context.requireJobs();
  const { id } = find();
  if (query !== '' && query !== '?if=unfinished') {
    throw new ApiError(400, 'the query may only have if=unfinished');
  }
  if (await jobs.cancel(id)) {
    await context.alarms.arm();
    return result(202, { exportId: id, status: 'cancelled' });
  }
  const now = find();
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
  return result(200, { exportId: id, status: clientState(now), pruned, forgotten: !pruned });
}

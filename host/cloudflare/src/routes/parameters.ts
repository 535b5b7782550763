// The parameters of an export: from the query of a GET, or the JSON body of a POST.

import { callbackUrlError } from '../callbacks.js';
import { CodecError, describe } from '../codec.js';
import { misplacedOption } from '../formats.js';
import { isPlainName } from '../names.js';
import type { Settings } from '../options.js';
import type { ExportRequest } from '../state.js';
import { ApiError } from './responses.js';

/** The largest body, and the most that is read of a larger one, in bytes. */
const MAX_BODY = 64 * 1024;
const MAX_DRAINED = 1024 * 1024;

const NAMES =
  'database, format, table, excludeTable, content, limit, target, null, header, blobs, types, uncompressed, compress, name and callbackUrl';

const TEXTS = ['database', 'format', 'content', 'target', 'null', 'blobs', 'types', 'compress', 'name', 'callbackUrl'] as const;
const SWITCHES = ['header', 'uncompressed'] as const;
const LISTS = ['tables', 'excludeTables'] as const;

/** What a query calls the lists, whose values it repeats. */
const IN_QUERY: ReadonlyMap<string, (typeof LISTS)[number]> = new Map([['table', 'tables'], ['excludeTable', 'excludeTables']]);

/** The most rows that a limit may be: the service has 64 bits for it. */
const MOST_ROWS = 2n ** 63n - 1n;

type Fields = {
  [Name in (typeof TEXTS)[number]]?: string | null;
} & {
  [Name in (typeof SWITCHES)[number]]?: boolean | null;
} & {
  [Name in (typeof LISTS)[number]]?: string[];
} & { limit?: number | null };

/** Unknown parameters are refused: a client that asks for `tabel=users` must not get everything. */
export function fromQuery(query: URLSearchParams, settings: Settings): ExportRequest {
  const fields: Fields = {};
  const once = (name: keyof Fields): void => {
    if (fields[name] !== undefined) throw bad(`the query has ${name} twice: give it once`);
  };
  for (const [name, value] of query) {
    const list = IN_QUERY.get(name);
    if (list !== undefined) {
      (fields[list] ??= []).push(value);
    } else if (isOne(SWITCHES, name)) {
      if (value !== 'true' && value !== 'false') {
        throw bad(`${name} can't be ${JSON.stringify(value)}: give true or false`);
      }
      once(name);
      fields[name] = value === 'true';
    } else if (name === 'limit') {
      if (!/^[+-]?\d+$/.test(value) || BigInt(value.replace('+', '')) > MOST_ROWS) {
        throw bad(`limit can't be ${JSON.stringify(value)}: give a number of rows`);
      }
      once(name);
      fields.limit = Number(value);
    } else if (isOne(TEXTS, name)) {
      once(name);
      fields[name] = value;
    } else {
      const unknown = `the query has an unknown parameter ${JSON.stringify(name)}`;
      throw bad(`${unknown}: it may have ${NAMES}`);
    }
  }
  return checked(fields, settings);
}

/** An empty body means defaults. The database may be named in the query as well. */
export async function fromBody(request: Request, settings: Settings): Promise<ExportRequest> {
  const query = new URL(request.url).searchParams;
  let inQuery: string | null = null;
  for (const [name, value] of query) {
    if (name !== 'database') {
      throw bad('the query of a POST may only have the database: send the other parameters in the body');
    }
    if (inQuery !== null) throw bad('the query has database twice: give it once');
    inQuery = value;
  }
  const named = inQuery === null ? {} : { database: inQuery };
  const text = await limited(request);
  if (text === '') return checked(named, settings);
  const type = (request.headers.get('content-type') ?? '').split(';')[0]?.trim() ?? '';
  // A page of another site could send any other type from a browser without a preflight request.
  if (type.toLowerCase() !== 'application/json') {
    throw new ApiError(415, 'the body must be JSON: send it as Content-Type: application/json');
  }
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch (error) {
    throw bad(`the body can't be read: ${(error as Error).message}`);
  }
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    throw bad("the body can't be read: it must be a JSON object");
  }
  const fields = fieldsOf(body as Record<string, unknown>);
  if (inQuery !== null && fields.database !== undefined && fields.database !== inQuery) {
    throw bad('the query and the body name different databases: name one');
  }
  return checked({ ...fields, ...named }, settings);
}

/** The fields of a body. */
export function fromFields(fields: Record<string, unknown>, settings: Settings): ExportRequest {
  return checked(fieldsOf(fields), settings);
}

async function limited(request: Request): Promise<string> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of request.body ?? []) {
    length += chunk.length;
    if (length <= MAX_BODY) chunks.push(chunk);
    // A client that still sends would not see the answer.
    else if (length > MAX_DRAINED) break;
  }
  if (length > MAX_BODY) throw new ApiError(413, `the body is larger than ${MAX_BODY / 1024} KiB`);
  return new Blob(chunks).text();
}

function fieldsOf(body: Record<string, unknown>): Fields {
  const fields: Fields = {};
  for (const [name, value] of Object.entries(body)) {
    const wrong = (what: string): ApiError => bad(`the body can't be read: ${name} must be ${what}`);
    if (isOne(LISTS, name)) {
      if (!Array.isArray(value) || value.some((table) => typeof table !== 'string')) throw wrong('a list of names');
      fields[name] = value as string[];
    } else if (isOne(SWITCHES, name)) {
      if (value !== null && typeof value !== 'boolean') throw wrong('true or false');
      fields[name] = value;
    } else if (name === 'limit') {
      const isRows = typeof value === 'number' && Number.isInteger(value) && value <= MOST_ROWS;
      if (value !== null && !isRows) throw wrong('a number of rows');
      fields.limit = value;
    } else if (isOne(TEXTS, name)) {
      if (value !== null && typeof value !== 'string') throw wrong('text');
      if (value !== null) fields[name] = value;
    } else {
      throw bad(`the body can't be read: there is no parameter ${JSON.stringify(name)}`);
    }
  }
  return fields;
}

function isOne<Name extends string>(names: readonly Name[], name: string): name is Name {
  return (names as readonly string[]).includes(name);
}

function checked(fields: Fields, settings: Settings): ExportRequest {
  const { database, format = 'sql', tables = [], excludeTables = [], limit = null, name = null } = fields;
  const { header = null, uncompressed = null, callbackUrl = null } = fields;
  checkDatabase(database ?? null, settings);
  if (limit !== null && limit < 0) throw bad(`the limit ${limit} is less than no rows`);
  const request = {
    format: format ?? 'sql',
    tables,
    excludeTables,
    content: oneOf(fields.content, 'content', ['schema', 'data']),
    limit,
    target: oneOf(fields.target, 'target', ['sqlite', 'd1']),
    null: fields.null ?? null,
    header,
    blobs: oneOf(fields.blobs, 'encoding of blobs', ['hex', 'base64']),
    types: oneOf(fields.types, 'choice of types', ['stored', 'declared']),
    uncompressed,
    compress: compression(fields.compress ?? null),
    name,
    callbackUrl,
  };
  const misplaced = misplacedOption(request);
  if (misplaced !== null) throw bad(misplaced);
  if (name !== null && !isPlainName(name)) {
    throw bad(
      `the name ${JSON.stringify(name)} can't be used: give a plain name of 1 to 200 bytes, without slashes, that does not begin with a dot`,
    );
  }
  if (name !== null && /[\u0000-\u001f\u007f-\u009f]/.test(name)) {
    throw bad("the name can't be used: it has control characters");
  }
  if (callbackUrl !== null) checkCallback(callbackUrl, settings);
  return request;
}

/** One of two words; null: none is given. */
function oneOf<Word extends string>(
  given: string | null | undefined,
  what: string,
  words: readonly [Word, Word],
): Word | null {
  const word = given ?? null;
  if (word === null || isOne(words, word)) return word;
  throw bad(`there is no ${what} ${JSON.stringify(word)}: use ${words.join(' or ')}`);
}

/** A compression that there is; null: none. */
function compression(compress: string | null): string | null {
  if (compress === null || compress === 'none') return null;
  try {
    describe(compress);
  } catch (error) {
    if (error instanceof CodecError) throw bad(error.message);
    throw error;
  }
  return compress;
}

function checkDatabase(database: string | null, settings: Settings): void {
  if (database === null || database === settings.database) return;
  const available = `available: ${settings.database}`;
  throw new ApiError(404, `there is no database ${JSON.stringify(database)}; ${available}`);
}

function checkCallback(url: string, settings: Settings): void {
  if (settings.bucket === null) {
    throw bad('a streamed dump has no callback: it ends with its response. Leave out callbackUrl');
  }
  const reason =
    settings.callbackSecret === null
      ? 'this object has no secret to sign it with (callbackSecret)'
      : callbackUrlError(url);
  if (reason !== null) throw bad(`the callbackUrl can't be used: ${reason}`);
}

function bad(message: string): ApiError {
  return new ApiError(400, message);
}

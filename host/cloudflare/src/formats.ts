// The component's formats: which options each has, by which settings it knows them, and what an object in it is.

import { describe } from './codec.js';

/** A format, and its options: null where none is given. */
export interface FormatRequest {
  readonly format: string;
  /** What will load a SQL dump: `sqlite` or `d1`. */
  readonly target: string | null;
  /** CSV: what stands for NULL. */
  readonly null?: string | null;
  /** CSV: whether the first line names the columns. */
  readonly header?: boolean | null;
  /** How CSV, NDJSON and JSON write blobs: `hex` or `base64`. */
  readonly blobs?: string | null;
  /** Parquet: by what the columns get their types, `stored` or `declared`. */
  readonly types?: string | null;
  /** Parquet: whether its pages are not compressed. */
  readonly uncompressed?: boolean | null;
}

/** The formats that have an option. */
const FORMATS_WITH = {
  target: ['sql'],
  null: ['csv'],
  header: ['csv'],
  blobs: ['csv', 'ndjson', 'json'],
  types: ['parquet'],
  uncompressed: ['parquet'],
} as const;

const MEDIA_TYPES: Readonly<Record<string, string>> = {
  sql: 'application/sql',
  csv: 'text/csv; charset=utf-8',
  ndjson: 'application/x-ndjson',
  json: 'application/json',
  parquet: 'application/vnd.apache.parquet',
};

/** About how many row groups a Parquet file has at most, and their sizes. */
const ROW_GROUPS = 512;
const MIN_ROW_GROUP = 1024 * 1024;
const MAX_ROW_GROUP = 8 * 1024 * 1024;

/** The media type of an object. A compressed one is what it is: it has no `Content-Encoding`. */
export function mediaType({ format, compress }: { format: string; compress: string | null }): string {
  if (compress !== null) return describe(compress).mediaType;
  return Object.hasOwn(MEDIA_TYPES, format) ? (MEDIA_TYPES[format] as string) : 'application/octet-stream';
}

/** What is wrong with the options of a request's format; null: nothing. A format that is none, the component refuses. */
export function misplacedOption(request: FormatRequest): string | null {
  const { format } = request;
  if (!Object.hasOwn(MEDIA_TYPES, format)) return null;
  const given = {
    target: request.target !== null,
    null: (request.null ?? null) !== null,
    header: request.header === false,
    blobs: (request.blobs ?? null) !== null,
    types: (request.types ?? null) !== null,
    uncompressed: request.uncompressed === true,
  };
  for (const [name, formats] of Object.entries(FORMATS_WITH)) {
    if (given[name as keyof typeof given] && !(formats as readonly string[]).includes(format)) {
      return `${name} can't be used with format ${format}: it is for ${formats.join(', ')}`;
    }
  }
  return null;
}

/** The settings of a request's format that differ from the component's defaults, for a database of so many bytes. */
export function formatSettings(request: FormatRequest, databaseSize: number): [string, string][] {
  const settings: [string, string | null | undefined][] = [
    ['target', request.target === 'd1' ? 'd1' : null],
    ['null', request.null],
    ['header', request.header === false ? 'no' : null],
    ['blobs', request.blobs],
    ['types', request.types],
    ['compression', request.uncompressed === true ? 'none' : null],
    ['row-group', request.format === 'parquet' ? String(rowGroup(databaseSize)) : null],
  ];
  return settings.flatMap(([name, value]) => (value === null || value === undefined ? [] : [[name, value]]));
}

/**
 * How many bytes of values a row group of a Parquet file has. It is made as a whole in one slice, while others wait, and
 * again by the next slice if that begins within it; but each takes its place in the checkpoint.
 */
function rowGroup(databaseSize: number): number {
  const bytes = 2 ** Math.ceil(Math.log2(databaseSize / ROW_GROUPS));
  return Math.min(Math.max(bytes, MIN_ROW_GROUP), MAX_ROW_GROUP);
}

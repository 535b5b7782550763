// Responses: `{"result": …}`, or `{"result": null, "error": …}`.

import { mediaType } from '../formats.js';
import type { ExportRequest } from '../state.js';

/** An error, as a response: what happened, what it concerns, and what to do. */
export class ApiError extends Error {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;

  constructor(status: number, message: string, headers: Readonly<Record<string, string>> = {}) {
    super(message);
    this.name = 'ApiError';
    this.status = status;
    this.headers = headers;
  }

  get response(): Response {
    return json(this.status, { result: null, error: this.message }, this.headers);
  }
}

/** What was asked for. No cache keeps it: it changes. */
export function result(
  status: number,
  value: unknown,
  headers: Readonly<Record<string, string>> = {},
): Response {
  return json(status, { result: value }, headers);
}

function json(status: number, body: unknown, headers: Readonly<Record<string, string>>): Response {
  return Response.json(body, { status, headers: { 'cache-control': 'no-store', ...headers } });
}

/** The headers of a file that the client is to save under this name. */
export function fileHeaders(name: string, request: ExportRequest): Record<string, string> {
  return {
    'content-type': mediaType(request),
    'content-disposition': disposition(name),
    'x-content-type-options': 'nosniff',
  };
}

function disposition(name: string): string {
  const fallback = [...name].map((letter) => (/^[ !#-[\]-~]$/.test(letter) ? letter : '_')).join('');
  const plain = `attachment; filename="${fallback}"`;
  if (fallback === name) return plain;
  const encoded = encodeURIComponent(name).replaceAll(
    /['()*]/g,
    (letter) => `%${letter.charCodeAt(0).toString(16).toUpperCase()}`,
  );
  return `${plain}; filename*=UTF-8''${encoded}`;
}

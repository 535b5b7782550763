// Where a slice ends and the next one resumes: always at the end of a part.

import { base64 } from "./ndjson.js";

const VERSION = 1;

/**
 * A place in the export; all text before it is complete.
 *
 * table: which one, from 0. isOpen: its heading is written. after: behind this position in it. Inside a long value of the
 * row that follows: its column, its form, and the offset, how many bytes of it are written. rows: complete, in all tables.
 */
export function point(table, rows, more = {}) {
  return { table, rows, isOpen: false, after: null, column: null, form: "", offset: 0, ...more };
}

/** All that the next slice needs. What is not in here is forgotten: it runs in a new instance. */
export function first(tables, partSize, schema) {
  return { tables, partSize, schema, parts: 0, point: point(0, 0), carry: new Uint8Array(0) };
}

export function encode(checkpoint) {
  // JSON knows no bytes. What comes from the host is no instance of the Uint8Array here: it has one of its own.
  const bytes = (_, value) => (ArrayBuffer.isView(value) ? { base64: base64(value) } : value);
  return JSON.stringify({ version: VERSION, ...checkpoint }, bytes);
}

/** Throws an Error if the text is no checkpoint of this version. */
export function decode(text) {
  const bytes = (_, value) => (typeof value?.base64 === "string" ? Uint8Array.fromBase64(value.base64) : value);
  const { version, ...checkpoint } = JSON.parse(text, bytes);
  if (version !== VERSION) throw new Error("it is of another version of this component");
  const { tables, partSize, point, carry } = checkpoint;
  const isPosition = point.after === null || ArrayBuffer.isView(point.after);
  if (!(Array.isArray(tables) && partSize >= 4096 && isPosition && ArrayBuffer.isView(carry))) {
    throw new Error("something is missing");
  }
  return checkpoint;
}

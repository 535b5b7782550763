// Positions: places between two rows of a table, and their encoding in checkpoints.

import { BLOB, INTEGER, NULL, REAL, TEXT } from './cell.js';

/** A row's value in one column of its key, exactly. */
export type KeyValue =
  | { readonly kind: typeof INTEGER; readonly digits: string }
  | { readonly kind: typeof REAL; readonly value: number }
  | { readonly kind: typeof TEXT | typeof BLOB; readonly bytes: Uint8Array }
  | { readonly kind: typeof NULL };

/** Right after the row with this key; null: before the first row. */
export type Position = readonly KeyValue[] | null;

const VERSION = 1;
const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** As the contract's position: opaque bytes, none of them for the start. */
export function encodePosition(position: Position): Uint8Array {
  if (position === null) return new Uint8Array(0);
  const values = position.map(valueBytes);
  const length = values.reduce((sum, bytes) => sum + 5 + bytes.length, 1);
  const encoded = new Uint8Array(length);
  const view = new DataView(encoded.buffer);
  encoded[0] = VERSION;
  let at = 1;
  position.forEach((value, index) => {
    const bytes = values[index] ?? new Uint8Array(0);
    view.setUint8(at, value.kind);
    view.setUint32(at + 1, bytes.length);
    encoded.set(bytes, at + 5);
    at += 5 + bytes.length;
  });
  return encoded;
}

function valueBytes(value: KeyValue): Uint8Array {
  switch (value.kind) {
    case INTEGER:
      return encoder.encode(value.digits);
    case REAL: {
      const bytes = new Uint8Array(8);
      new DataView(bytes.buffer).setFloat64(0, value.value);
      return bytes;
    }
    case NULL:
      return new Uint8Array(0);
    default:
      return value.bytes;
  }
}

/** Reads the contract's position; undefined where it is damaged. */
export function decodePosition(encoded: Uint8Array): Position | undefined {
  if (encoded.length === 0) return null;
  if (encoded[0] !== VERSION) return undefined;
  const view = new DataView(encoded.buffer, encoded.byteOffset, encoded.length);
  const values: KeyValue[] = [];
  for (let at = 1; at < encoded.length; ) {
    if (at + 5 > encoded.length) return undefined;
    const kind = view.getUint8(at);
    const end = at + 5 + view.getUint32(at + 1);
    if (end > encoded.length) return undefined;
    const value = decodeValue(kind, encoded.slice(at + 5, end));
    if (value === undefined) return undefined;
    values.push(value);
    at = end;
  }
  return values;
}

function decodeValue(kind: number, bytes: Uint8Array): KeyValue | undefined {
  switch (kind) {
    case INTEGER: {
      const digits = decoder.decode(bytes);
      return /^-?\d{1,19}$/.test(digits) ? { kind, digits } : undefined;
    }
    case REAL:
      if (bytes.length !== 8) return undefined;
      return { kind, value: new DataView(bytes.buffer).getFloat64(0) };
    case TEXT:
    case BLOB:
      return { kind, bytes };
    case NULL:
      return bytes.length === 0 ? { kind } : undefined;
    default:
      return undefined;
  }
}

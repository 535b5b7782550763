// The names of objects, and the ids of exports and imports.

import { hexadecimal } from './hash.js';

/** An id that no other export or import has: 16 hexadecimal digits. */
export function newId(): string {
  return hexadecimal(crypto.getRandomValues(new Uint8Array(8)));
}

/** `dump_YYYYMMDD-HHMMSS.sql`, in UTC, and what says how it is compressed. */
export function defaultName(now: number, format: string, suffix: string): string {
  const digits = new Date(now).toISOString().replaceAll(/[-:]/g, '');
  return `dump_${digits.slice(0, 8)}-${digits.slice(9, 15)}.${format}${suffix}`;
}

/**
 * The name to try at the `number`th attempt, counted from 1: `dump.sql`, `dump-2.sql`, `dump-3.sql`, with the number
 * before the extension, and before what says how the object is encoded: `dump-2.sql.zst`.
 */
export function numberedName(name: string, number: number): string {
  if (number === 1) return name;
  const plain = name.replace(/(\.zst|\.gz|\.age)+$/, '');
  const encodings = name.slice(plain.length);
  const dot = plain.lastIndexOf('.');
  const numbered = dot > 0 ? `${plain.slice(0, dot)}-${number}${plain.slice(dot)}` : `${plain}-${number}`;
  return numbered + encodings;
}

/** Whether a name is that of a file alone, of 1 to 200 bytes. */
export function isPlainName(name: string): boolean {
  const { length } = new TextEncoder().encode(name);
  const isPlain = !/[/\\]/.test(name) && !name.startsWith('.');
  return length >= 1 && length <= 200 && isPlain;
}

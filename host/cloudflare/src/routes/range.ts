// Conditional and range requests (RFC 9110, 13 and 14): which bytes of an object to send.

export type Selection =
  | { readonly kind: 'whole' | 'not-modified' | 'not-satisfiable' }
  | { readonly kind: 'part'; readonly start: number; readonly end: number };

const WHOLE: Selection = { kind: 'whole' };
const NONE: Selection = { kind: 'not-satisfiable' };

/** What these headers ask for, of an object with this entity tag (in quotes) and length. */
export function select(headers: Headers, tag: string, length: number): Selection {
  const known = headers.get('if-none-match')?.split(',').map((text) => text.trim().replace(/^W\//, ''));
  if (known?.some((other) => other === '*' || other === tag)) return { kind: 'not-modified' };
  const range = headers.get('range');
  const had = headers.get('if-range')?.trim();
  // The client has bytes of another object; or it sent a date, and objects have none here.
  if (range === null || (had !== undefined && had !== tag)) return WHOLE;
  return part(range, length);
}

/** An unreadable range, or several, may be answered with the whole object. */
function part(range: string, length: number): Selection {
  const match = /^\s*bytes\s*=\s*(\d*)\s*-\s*(\d*)\s*$/i.exec(range);
  const [, first = '', last = ''] = match ?? [];
  if (match === null || (first === '' && last === '')) return WHOLE;
  if (first === '') {
    const count = Math.min(Number(last), length);
    return count === 0 ? NONE : { kind: 'part', start: length - count, end: length };
  }
  if (last !== '' && Number(last) < Number(first)) return WHOLE;
  if (Number(first) >= length) return NONE;
  const end = last === '' ? length : Math.min(Number(last) + 1, length);
  return { kind: 'part', start: Number(first), end };
}

// When an object of a fleet is due, so that not all are at once.

/**
 * The next time after `now` at which this object is due, once every `period` (all in milliseconds). The object's place in
 * the period follows from its id alone: ids are spread evenly, and so are the times.
 */
export function nextSpread(id: { toString(): string }, period: number, now: number = Date.now()): number {
  const place = Math.floor((fraction(id.toString()) * period));
  const start = Math.floor(now / period) * period + place;
  return start > now ? start : start + period;
}

/** A number from 0 to 1 that a text determines (FNV-1a, its bits mixed once more). */
function fraction(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index++) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return ((hash ^ (hash >>> 16)) >>> 0) / 2 ** 32;
}

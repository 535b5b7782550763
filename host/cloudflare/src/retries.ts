// How often exports and imports try again, and when.

import type { Settings } from './options.js';

/** Failures in a row after which a job is given up. */
export const MAX_ATTEMPTS = 6;

/** How often an instance may end in the middle of a slice, and the next one try again. */
export const MAX_CRASHES = 6;

/** When to try again after so many failures in a row, in milliseconds since 1970. */
export function retryAt(attempts: number, { firstRetryMs }: Settings): number {
  return Date.now() + firstRetryMs * 2 ** (attempts - 1);
}

/** Why a job is given up after more than `MAX_CRASHES` ends. */
export function resetTooOften(crashes: number): string {
  return `the object was reset ${crashes} times in the middle of a slice: by its limit on CPU or memory?`;
}

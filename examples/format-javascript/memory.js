// What passes between host and component. The engine frees that memory only when the call ends, so a slice must end before
// it has all 64 MiB: after so many bytes in both directions, once it has written a part.

const MOST = 16 * 1024 * 1024;

let passed = 0;

export function pass(bytes) {
  passed += bytes;
}

export function isFull() {
  return passed > MOST;
}

/** The longest text that can be read twice within one slice: first to see whether it is valid, then to write it. */
export const LONGEST_TEXT = MOST;

// Numbers, times and states, as people read them.

/** Between a number and its unit: no line ends there. */
const GAP = "\u00a0";

const whole = new Intl.NumberFormat(undefined);
const three = new Intl.NumberFormat(undefined, { maximumSignificantDigits: 3 });
const clock = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" });
const dayAndClock = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });

export const count = (number) => whole.format(number);

/** Bytes in the decimal units of disks. */
export function bytes(number) {
  let unit = 0;
  while (number >= 999.5 && unit < 5) {
    number /= 1000;
    unit += 1;
  }
  return `${unit === 0 ? whole.format(number) : three.format(number)}${GAP}${["bytes", "kB", "MB", "GB", "TB", "PB"][unit]}`;
}

export const rate = (bytesPerSecond) => `${bytes(Math.round(bytesPerSecond))}/s`;

/** A time of the day; with its day where that is not today's. */
export function time(text) {
  const date = new Date(text);
  const isToday = date.toDateString() === new Date().toDateString();
  return (isToday ? clock : dayAndClock).format(date);
}

/** How long it is from now until then. */
export function until(text) {
  const seconds = Math.max(0, Math.round((new Date(text) - Date.now()) / 1000));
  if (seconds < 60) return `${seconds}${GAP}s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)}${GAP}min ${seconds % 60}${GAP}s`;
  return `${Math.floor(seconds / 3600)}${GAP}h ${Math.floor((seconds % 3600) / 60)}${GAP}min`;
}

export const percent = (number) => `${number}${GAP}%`;

export const several = (number, one, many) => `${count(number)} ${number === 1 ? one : many}`;

/** An export's name; before it has one, what it is of. */
export const title = (status) => status.name ?? `Export of ${status.database}`;

/** What has become of a callback; nothing where nobody wants one. */
export function callback(it) {
  if (it === null) return null;
  if (it.deliveredAt) return `arrived at ${time(it.deliveredAt)}`;
  if (it.attempts === 0) return "when the export has ended";
  const then = it.nextTryAt ? `again in ${until(it.nextTryAt)}` : "given up";
  return `failed ${several(it.attempts, "time", "times")}, ${then}: ${it.error ?? ""}`;
}

const FINISHED = ["done", "failed", "cancelled"];

export const isFinished = (status) => FINISHED.includes(status.status);

/** What to say when an export has come into a state. */
export function news(status) {
  const name = title(status);
  switch (status.status) {
    case "done": return `${name} is done: ${bytes(status.bytes)}.`;
    case "failed": return `${name} has failed: ${status.error ?? "no reason is known"}`;
    case "cancelled": return `${name} was cancelled.`;
    case "running": return `${name} is running.`;
    default: return "";
  }
}

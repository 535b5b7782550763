// Numbers, times and states as text.

/** No line breaks between a number and its unit. */
const NO_BREAK_SPACE = "\u00a0";

const integer = new Intl.NumberFormat(undefined);
const threeDigits = new Intl.NumberFormat(undefined, { maximumSignificantDigits: 3 });
const clock = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" });
const dayAndClock = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });

export const count = (number) => integer.format(number);

/** Bytes in the decimal units of disks. */
export function bytes(number) {
  let unit = 0;
  while (number >= 999.5 && unit < 5) {
    number /= 1000;
    unit += 1;
  }
  return `${unit === 0 ? integer.format(number) : threeDigits.format(number)}${NO_BREAK_SPACE}${["bytes", "kB", "MB", "GB", "TB", "PB"][unit]}`;
}

export const rate = (bytesPerSecond) => `${bytes(Math.round(bytesPerSecond))}/s`;

/** A time of day, with its date unless that is today. */
export function time(text) {
  const date = new Date(text);
  const isToday = date.toDateString() === new Date().toDateString();
  return (isToday ? clock : dayAndClock).format(date);
}

/** The time from now until then. */
export function until(text) {
  const seconds = Math.max(0, Math.round((new Date(text) - Date.now()) / 1000));
  if (seconds < 60) return `${seconds}${NO_BREAK_SPACE}s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)}${NO_BREAK_SPACE}min ${seconds % 60}${NO_BREAK_SPACE}s`;
  return `${Math.floor(seconds / 3600)}${NO_BREAK_SPACE}h ${Math.floor((seconds % 3600) / 60)}${NO_BREAK_SPACE}min`;
}

export const percent = (number) => `${number}${NO_BREAK_SPACE}%`;

export const plural = (number, one, many) => `${count(number)} ${number === 1 ? one : many}`;

/** An export's name; before it has one, its database. */
export const title = (status) => status.name ?? `Export of ${status.database}`;

/** The status of a callback; null where there is none. */
export function callback(it) {
  if (it === null) return null;
  if (it.deliveredAt) return `delivered at ${time(it.deliveredAt)}`;
  if (it.attempts === 0) return "will be sent when the export has ended";
  const then = it.nextTryAt ? `next attempt in ${until(it.nextTryAt)}` : "given up";
  return `failed ${plural(it.attempts, "time", "times")}, ${then}: ${it.error ?? ""}`;
}

const FINISHED = ["done", "incomplete", "failed", "cancelled"];

export const isFinished = (status) => FINISHED.includes(status.status);

/** Whether there is an object, or was. */
export const hasMadeObject = (status) => status.status === "done" || status.status === "incomplete";

/** What to announce when an export has changed its state. */
export function announcement(status) {
  const name = title(status);
  switch (status.status) {
    case "done": return `${name} is done: ${bytes(status.bytes)}.`;
    case "incomplete": return `${name} is incomplete: the database is damaged.`;
    case "failed": return `${name} failed: ${status.error ?? "no reason is known"}`;
    case "cancelled": return `${name} was cancelled.`;
    case "running": return `${name} is running.`;
    default: return "";
  }
}

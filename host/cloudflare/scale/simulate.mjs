// node scale/simulate.mjs [objects] [MB/s]: a night of a fleet that exports itself, by the minute.
//
// Sizes are log-uniform between 10 MB and 10 GB. Each object starts at its own time of the day, by a hash of its id
// (as `nextSpread` does); or all start at midnight. An export makes parts of 5 MiB at the given rate of one isolate.

const objects = Number(process.argv[2] ?? 1_000_000);
const rate = Number(process.argv[3] ?? 20);

const DAY = 1440;
const PART = 5.24288;
/** A dump is somewhat larger than its database: 1.2 times for text and numbers (blobs: twice). */
const GROWTH = 1.2;

/** Numbers that depend on the object alone. */
function fraction(number) {
  let hash = Math.imul(number ^ 0x9e3779b9, 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  hash = Math.imul(hash ^ (hash >>> 16), 0x27d4eb2f);
  return ((hash ^ (hash >>> 15)) >>> 0) / 2 ** 32;
}

/** Running exports, parts a second and megabytes a second, in each minute. */
function night(startOf) {
  const starts = new Float64Array(2 * DAY + 1);
  let [total, longest] = [0, 0];
  for (let object = 0; object < objects; object++) {
    const megabytes = 10 * 1000 ** fraction(2 * object + 1) * GROWTH;
    const minutes = megabytes / rate / 60;
    const start = startOf(object) * DAY;
    // As much of each minute as the export runs in it.
    for (let at = start; at < start + minutes; ) {
      const end = Math.min(Math.floor(at) + 1, start + minutes);
      starts[Math.floor(at) % DAY] += end - at;
      at = end;
    }
    total += megabytes;
    longest = Math.max(longest, minutes);
  }
  const minutes = [...starts.subarray(0, DAY)];
  const peak = Math.max(...minutes);
  const mean = minutes.reduce((sum, running) => sum + running, 0) / DAY;
  return { total, longest, peak, mean };
}

const ways = { 'spread by hash': (object) => fraction(2 * object), 'all at midnight': () => 0 };
for (const [name, startOf] of Object.entries(ways)) {
  const { total, longest, peak, mean } = night(startOf);
  console.log(`${name}: ${(total / 1e6).toFixed(2)} TB in ${(total / PART / 1e6).toFixed(1)} million parts; the longest export takes ${longest.toFixed(0)} min`);
  console.log(`  running at once: ${Math.round(mean)} on average, ${Math.round(peak)} at most`);
  console.log(`  parts a second: ${Math.round((mean * rate) / PART)} on average, ${Math.round((peak * rate) / PART)} at most; ${((peak * rate) / 1000).toFixed(1)} GB a second at most`);
}

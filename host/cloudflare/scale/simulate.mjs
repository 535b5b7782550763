// node scale/simulate.mjs [--objects 1000000] [--rate 20] …: a night of a fleet that exports itself, by the minute, and
// what it costs. `--help` lists all that can be set.
//
// Sizes are log-uniform between 10 MB and 10 GB. Each object starts at its own time of the day, by a hash of its id
// (as `nextSpread` does); or all start at midnight. An export makes parts of 5 MiB at the given rate of one isolate.

import { parseArgs } from 'node:util';

/** What can be set: its default, and what it is. */
const INPUTS = {
  objects: [1_000_000, 'objects in the fleet'],
  rate: [20, 'MB of dump that one isolate makes in a second'],
  growth: [1.2, 'MB of dump for a MB of database (text and numbers; blobs: 2)'],
  'row-bytes': [300, 'bytes of database for a row'],
  'parts-per-alarm': [24, 'parts that an alarm makes (budget.alarmParts)'],
  'price-rows-read': [0.001, 'dollars for a million rows read'],
  'price-rows-written': [1, 'dollars for a million rows written'],
  'price-class-a': [4.5, 'dollars for a million R2 class A operations'],
  'price-duration': [12.5, 'dollars for a million GB-seconds, of 128 MB'],
  'price-requests': [0.15, 'dollars for a million requests: alarms'],
  'price-storage': [0.015, 'dollars for a GB in R2 for a month'],
};

const DAY = 1440;
const PART = 5.24288;
/** Rows written for a part: its receipt, the receipt's removal, and the export's state. */
const WRITES_PER_PART = 3;
/** Class A operations beside the parts: to begin and to complete an upload. */
const OPERATIONS = 2;

const options = Object.fromEntries(Object.keys(INPUTS).map((name) => [name, { type: 'string' }]));
const { values } = parseArgs({ options: { ...options, help: { type: 'boolean' } } });
if (values.help) {
  for (const [name, [initial, what]] of Object.entries(INPUTS)) console.log(`--${name} ${initial}: ${what}`);
  process.exit();
}
const input = (name) => {
  const value = Number(values[name] ?? INPUTS[name][0]);
  if (Number.isFinite(value) && value >= 0) return value;
  console.error(`--${name} ${values[name]} is not a number: give ${INPUTS[name][1]}`);
  process.exit(2);
};

const objects = input('objects');
const rate = input('rate');

/** Numbers that depend on the object alone. */
function fraction(number) {
  let hash = Math.imul(number ^ 0x9e3779b9, 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  hash = Math.imul(hash ^ (hash >>> 16), 0x27d4eb2f);
  return ((hash ^ (hash >>> 15)) >>> 0) / 2 ** 32;
}

/** The MB of an object's dump. */
function megabytes(object) {
  return 10 * 1000 ** fraction(2 * object + 1) * input('growth');
}

/** How many exports run at once, by the minute, if each object starts at this share of the day. */
function running(startOf) {
  const minutes = new Float64Array(DAY);
  for (let object = 0; object < objects; object++) {
    const start = startOf(object) * DAY;
    const end = start + megabytes(object) / rate / 60;
    // As much of each minute as the export runs in it.
    for (let at = start; at < end; ) {
      const next = Math.min(Math.floor(at) + 1, end);
      minutes[Math.floor(at) % DAY] += next - at;
      at = next;
    }
  }
  return { mean: minutes.reduce((sum, one) => sum + one, 0) / DAY, most: minutes.reduce((one, other) => Math.max(one, other)) };
}

/** What a night takes. */
function night() {
  const sum = { dumps: 0, parts: 0, alarms: 0, longest: 0 };
  for (let object = 0; object < objects; object++) {
    const size = megabytes(object);
    const parts = Math.ceil(size / PART);
    sum.dumps += size;
    sum.parts += parts;
    sum.alarms += Math.ceil(parts / input('parts-per-alarm'));
    sum.longest = Math.max(sum.longest, size / rate / 60);
  }
  return sum;
}

const round = (value) => Number(value.toPrecision(4)).toLocaleString('en');
const { dumps, parts, alarms, longest } = night();
const databases = dumps / input('growth');

console.log(`databases: ${round(databases / 1e6)} TB`);
console.log(`dumps: ${round(dumps / 1e6)} TB`);
console.log(`parts of 5 MiB: ${round(parts / 1e6)} million`);
console.log(`alarms: ${round(alarms / 1e6)} million`);
console.log(`the longest export: ${round(longest)} min`);

const ways = { 'spread by hash': (object) => fraction(2 * object), 'all at midnight': () => 0 };
for (const [name, startOf] of Object.entries(ways)) {
  const { mean, most } = running(startOf);
  console.log(`${name}: ${round(mean)} run at once on average, ${round(most)} at most; ${round((most * rate) / PART)} parts a second at most`);
}

/** In millions. */
const quantities = {
  'rows-read': databases / input('row-bytes'),
  'class-a': (parts + OPERATIONS * objects) / 1e6,
  'rows-written': (WRITES_PER_PART * parts) / 1e6,
  duration: ((dumps / rate) * 0.128) / 1e6,
  requests: alarms / 1e6,
};
let total = 0;
for (const [name, millions] of Object.entries(quantities)) {
  const cost = millions * input(`price-${name}`);
  total += cost;
  console.log(`${name}: ${round(millions)} million, $${round(cost)} a night at $${input(`price-${name}`)} a million`);
}
console.log(`a night: $${round(total)}, ${round((total / objects) * 100)} cents an object`);
console.log(`storing a night's dumps: $${round((dumps / 1000) * input('price-storage'))} a month at $${input('price-storage')} a GB`);

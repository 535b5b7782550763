// Random schedules of writes, alarms, evictions and faults: the object is the state at the start, byte for byte what
// `partway export` makes of a copy taken then, or there is a clear failure and nothing in the bucket.
//
// PARTWAY_SCHEDULES: how many, from PARTWAY_FIRST_SEED on. PARTWAY_SEED: replays one, and shows its steps.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { World, exported, sha256 } from './harness.mjs';
import { Random } from './random.mjs';

const SCHEDULES = Number(process.env.PARTWAY_SCHEDULES ?? 25);
const FIRST = Number(process.env.PARTWAY_FIRST_SEED ?? 1);
const REPLAYED = process.env.PARTWAY_SEED;

let world;
before(async () => {
  world = await World.start();
});
after(() => world.stop());

/** A table of some shape, and the expressions that make its values. */
function randomTable(random, number) {
  const name = random.of([`t${number}`, `"odd ${number}; it's"`, `[x ${number}]`]);
  const shape = random.of(['rowid', 'integer', 'text', 'composite', 'unique']);
  const key = () => random.below(400);
  const value = () =>
    random.of([
      () => `${random.below(1000)}`,
      () => `${random.below(1000)}.0`,
      () => `'text ${random.below(1000)} é'`,
      () => `x'00${(random.below(200) + 16).toString(16)}'`,
      () => 'NULL',
      () => `printf('%.*c', ${random.below(300)}, 'y')`,
      () => '9007199254740993',
      () => `CAST(x'61ff' AS TEXT)`,
    ])();
  const pad = `printf('%.*c', ${20 + random.below(80)}, 'p')`;
  const fill = (cells) => `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${50 + random.below(250)}) INSERT INTO ${name} SELECT ${cells} FROM n`;
  switch (shape) {
    case 'rowid':
      return { name, key: 'rowid', columns: ['a', 'b'], row: () => [value(), value()], keyValue: key, make: [`CREATE TABLE ${name} (a, b)`, fill(`i, ${pad}`)] };
    case 'integer':
      return { name, key: 'id', columns: ['id', 'a', 'b'], row: () => [key(), value(), value()], keyValue: key, make: [`CREATE TABLE ${name} (id INTEGER PRIMARY KEY ${random.of(['', 'AUTOINCREMENT'])}, a REAL, b)`, fill(`i * 2, i, ${pad}`)] };
    case 'text':
      return { name, key: 'k', columns: ['k', 'a'], row: () => [`'k${key()}'`, value()], keyValue: () => `'${random.of(['k', 'K'])}${key()}'`, make: [`CREATE TABLE ${name} (k TEXT COLLATE NOCASE PRIMARY KEY, a) WITHOUT ROWID`, fill(`'k' || i, ${pad}`)] };
    case 'composite':
      return { name, key: 'k', columns: ['k', 'n', 'a'], row: () => [random.of([`'k${key() % 20}'`, `${key() % 20}`, `${key() % 20}.5`]), random.below(20), value()], keyValue: () => random.of([`'k${key() % 20}'`, `${key() % 20}`]), make: [`CREATE TABLE ${name} (k, n INTEGER, a, PRIMARY KEY (k DESC, n)) WITHOUT ROWID`, fill(`CASE i % 2 WHEN 0 THEN 'k' || (i % 20) ELSE i % 20 END, i, ${pad}`)] };
    default:
      return { name, key: 'id', columns: ['id', 'u', 'v'], row: () => [random.chance(50) ? 'NULL' : key(), `'u${key()}'`, value()], keyValue: key, make: [`CREATE TABLE ${name} (id INTEGER PRIMARY KEY, u TEXT UNIQUE, v NOT NULL DEFAULT 'none')`, `CREATE UNIQUE INDEX "i ${number}" ON ${name} (v, id) WHERE id > 100`, fill(`i, 'u' || i, ${pad}`)] };
  }
}

function randomWrite(random, { name, key, columns, row, keyValue }) {
  const conflict = random.of(['', '', 'OR REPLACE ', 'OR IGNORE ', 'OR FAIL ']);
  const where = random.of([
    () => `${key} = ${keyValue()}`,
    () => `${key} > ${keyValue()}`,
    () => `${key} IN (${keyValue()}, ${keyValue()}, ${keyValue()})`,
  ]);
  const column = random.of([...columns, key]);
  return random.of([
    () => `INSERT ${conflict}INTO ${name} (${columns.join()}) VALUES (${row().join()})`,
    () => `INSERT ${conflict}INTO ${name} (${columns.join()}) VALUES (${row().join()}), (${row().join()}), (${row().join()})`,
    () => `UPDATE ${conflict}${name} SET ${column} = ${column === key ? keyValue() : row()[columns.indexOf(column)]} WHERE ${key} = ${keyValue()}`,
    () => `UPDATE ${conflict}${name} SET ${columns.at(-1)} = ${row().at(-1)} WHERE ${where()}`,
    () => `DELETE FROM ${name} WHERE ${where()}`,
    () => `REPLACE INTO ${name} (${columns.join()}) VALUES (${row().join()})`,
  ])();
}

/** Whether the database can be read by `partway export` as one that a Durable Object may hold. */
async function schedule(seed, show) {
  const random = new Random(seed);
  const tables = Array.from({ length: 1 + random.below(4) }, (_, number) => randomTable(random, number));
  const subject = world.subject(`seed ${seed}`, {
    bucket: 'memory',
    prefix: `${seed}/`,
    partSize: 4096,
    budget: { uploadedParts: 1 + random.below(4), alarmParts: 1 + random.below(6) },
    whenLost: random.of(['restart', 'fail']),
    ...(random.chance(20) ? { maxSnapshotBytes: 20_000 } : {}),
  });
  await subject.set({ isManual: true });
  await subject.sql(...tables.flatMap(({ make }) => make));
  if (random.chance(40)) {
    await subject.sql('CREATE VIRTUAL TABLE search USING fts5(a)', "INSERT INTO search VALUES ('some words'), ('more')");
  }
  const id = await subject.start();
  let expected = exported(await world.copy(subject));
  let restarts = 0;
  for (let step = 0; step < 2000; step++) {
    const action = random.below(100);
    let wroteBeside = false;
    if (action < 40) {
      const statements = Array.from({ length: 1 + random.below(6) }, () => randomWrite(random, random.of(tables)));
      if (show) console.log(statements.join(';\n'));
      // Some violate constraints, as they may.
      await subject.post('sql', statements);
    } else if (action < 45) {
      if (show) console.log('-- evict');
      await subject.evict();
    } else if (action < 55) {
      const calls = (await subject.set({})).calls;
      const failing = { [calls + 1 + random.below(4)]: random.of(['before', 'after']) };
      if (show) console.log('-- failing', failing);
      await subject.set({ failing });
    } else if (action < 56) {
      if (show) console.log('-- schema');
      await subject.post('sql', [`CREATE TABLE another_${step} (a)`]);
    } else {
      if (show) console.log('-- alarm');
      const alarms = random.chance(10) ? 2 : 1;
      // An instance may end, and others may write, while parts are uploaded.
      const isCut = random.chance(10);
      const beside = random.chance(30) ? [randomWrite(random, random.of(tables)), randomWrite(random, random.of(tables))] : [];
      wroteBeside = beside.length > 0;
      const firing = Array.from({ length: alarms }, () => subject.json('alarm'));
      const written = subject.post('sql', beside);
      if (isCut) await subject.evict();
      const answers = await Promise.allSettled([...firing, written]);
      if (!isCut) for (const { status, value, reason } of answers.slice(0, alarms)) assert.equal(status === 'rejected' ? reason : value, null);
    }
    const status = await subject.status(id);
    if (status.restarts > restarts) {
      restarts = status.restarts;
      // What was written beside the very alarm that started over came before that or behind it: nobody knows.
      expected = wroteBeside ? null : exported(await world.copy(subject));
    }
    if (['done', 'failed'].includes(status.status)) {
      await assertEnded(subject, `${seed}/`, status, expected);
      return status;
    }
  }
  throw new Error('the export has not ended after 2,000 steps');
}

async function assertEnded(subject, prefix, status, expected) {
  const dump = await world.stored(`${prefix}${status.name}`, 'memory');
  if (status.status === 'done') {
    assert.equal(sha256(dump), status.sha256);
    if (expected !== null && !expected.equals(dump)) assert.equal(dump.toString(), expected.toString());
  } else {
    assert.match(status.error, /while the export ran|internal error|evicted|reset \d+ times/);
    assert.equal(dump, null);
  }
  assert.deepEqual(await subject.leftovers(), []);
}

const seeds = REPLAYED === undefined ? Array.from({ length: SCHEDULES }, (_, index) => FIRST + index) : [Number(REPLAYED)];

test(`${seeds.length} random schedules end well`, async () => {
  const ended = {};
  const next = seeds.values();
  const lane = async () => {
    for (const seed of next) {
      const status = await schedule(seed, REPLAYED !== undefined).catch((error) => {
        throw new Error(`PARTWAY_SEED=${seed}: ${error.message}`, { cause: error });
      });
      const how = `${status.status}${status.restarts > 0 ? ', started over' : ''}`;
      ended[how] = (ended[how] ?? 0) + 1;
    }
  };
  await Promise.all([lane(), lane(), lane()]);
  console.log(ended);
  assert.ok((ended.done ?? 0) > seeds.length / 4);
});

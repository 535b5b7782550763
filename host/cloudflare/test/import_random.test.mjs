// Random databases, imported in random slices, with instances that end and calls of R2 that fail meanwhile: they are the
// original.
//
// PARTWAY_IMPORTS: how many, from PARTWAY_FIRST_SEED on. PARTWAY_SEED: replays one.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { World, sha256 } from './harness.mjs';
import { assertDone, driven, original } from './importing.mjs';
import { Random } from './random.mjs';

const IMPORTS = Number(process.env.PARTWAY_IMPORTS ?? 8);
const FIRST = Number(process.env.PARTWAY_FIRST_SEED ?? 1);
const REPLAYED = process.env.PARTWAY_SEED;

let world;
before(async () => {
  world = await World.start();
});
after(() => world.stop());

const TYPES = ['', 'INTEGER', 'TEXT', 'REAL', 'BLOB', 'NUMERIC', 'VARCHAR(9) COLLATE NOCASE'];

function randomValue(random) {
  return random.of([
    () => 'NULL',
    () => `${random.below(1000) - 500}`,
    () => `${random.below(1000)}.0`,
    () => `${random.below(1000)} / 7.0`,
    () => random.of(['9223372036854775807', '-9223372036854775808', '9007199254740993', '9e999', '-0.0']),
    () => `'it''s; -- ${random.below(1000)} é'`,
    () => `'a' || char(${random.of([0, 10, 13, 65279, 65533, 128512])}) || 'b'`,
    () => `CAST(x'${random.of(['ff', '61ff62', 'eda080'])}' AS TEXT)`,
    () => `x'${random.of(['', '00', 'ff00'])}'`,
    () => `randomblob(${random.below(3000)})`,
    () => `printf('%.*c', ${random.below(4000)}, '${random.of(['x', 'é', '-'])}')`,
    () => (random.chance(3) ? `randomblob(${100_000 + random.below(200_000)})` : '1'),
  ])();
}

function randomTable(random, number, parents) {
  const name = random.of([`t${number}`, `"odd ${number}; it's ""so"""`, `[x ${number}]`, `\`ü${number}\``]);
  // Its own key, so that others can refer to it; and some refer to others, or to itself, forward and backward.
  const key = random.of(['id INTEGER PRIMARY KEY', 'id INTEGER PRIMARY KEY AUTOINCREMENT', 'id INT PRIMARY KEY', 'id TEXT PRIMARY KEY']);
  const isKeyed = random.chance(75);
  const withoutRowid = isKeyed && !key.includes('AUTOINCREMENT') && random.chance(30);
  const columns = Array.from({ length: 1 + random.below(6) }, (_, index) => `c${index} ${random.of(TYPES)}`);
  const count = random.below(120);
  const keyOf = (table, index) => (table.key.includes('TEXT') ? `'k${index}'` : `${index}`);
  const self = { name, key, count };
  const candidates = [...parents.filter((parent) => parent.count > 0), ...(isKeyed && count > 0 ? [self] : [])];
  const reference = candidates.length > 0 && random.chance(60) ? random.of(candidates) : null;
  const type = reference?.key.includes('TEXT') ? 'TEXT' : 'INTEGER';
  const definitions = [
    ...(isKeyed ? [key] : []),
    ...(reference === null ? [] : [`ref ${type} REFERENCES ${reference.name}(id) ${random.of(['', 'ON DELETE CASCADE', 'DEFERRABLE INITIALLY DEFERRED'])}`]),
    ...columns,
    ...(random.chance(25) ? ['g AS (typeof(c0)) STORED'] : []),
  ];
  const names = [...(isKeyed ? ['id'] : []), ...(reference === null ? [] : ['ref']), ...columns.map((column) => column.split(' ')[0])];
  const rows = Array.from({ length: count }, (_, index) => [
    ...(isKeyed ? [keyOf(self, index + 1)] : []),
    ...(reference === null ? [] : [random.chance(20) ? 'NULL' : keyOf(reference, 1 + random.below(reference.count))]),
    ...columns.map(() => randomValue(random)),
  ]);
  const sql = [
    `CREATE TABLE ${name} (${definitions.join(', ')})${withoutRowid ? ' WITHOUT ROWID' : ''}`,
    ...rows.map((row) => `INSERT INTO ${name} (${names.join()}) VALUES (${row.join()})`),
    ...(random.chance(50) ? [`CREATE INDEX "i ${number}" ON ${name} (c0 DESC) ${random.of(['', 'WHERE c0 > 5'])}`] : []),
    ...(random.chance(30) ? [`CREATE VIEW "v ${number}" AS SELECT * FROM ${name} /* ; */`] : []),
    ...(random.chance(30) ? [`CREATE TRIGGER "tr ${number}" AFTER INSERT ON ${name} BEGIN SELECT ';'; DELETE FROM ${name} WHERE c0 = 'END'; END`] : []),
    ...(random.chance(30) && !withoutRowid ? [`DELETE FROM ${name} WHERE rowid % 7 = 3 AND NOT ${reference === self ? 1 : 0}`] : []),
  ];
  // Rows that others refer to must stay.
  const isKept = !sql.at(-1).startsWith('DELETE');
  return { ...self, count: isKept && isKeyed ? count : 0, sql };
}

function randomDatabase(random) {
  const tables = [];
  for (let number = 0; number < 1 + random.below(6); number++) tables.push(randomTable(random, number, tables));
  return `${tables.flatMap(({ sql }) => sql).join(';\n')};${random.chance(30) ? 'ANALYZE;' : ''}`;
}

async function imported(seed) {
  const random = new Random(seed);
  const source = await original(world, randomDatabase(random));
  const subject = world.subject(`seed ${seed}`, {
    importBudget: {
      sliceBytes: 1 + random.below(20_000),
      sliceStatements: 1 + random.below(20),
      checkRows: 1 + random.below(50),
      alarmBytes: 1 + random.below(300_000),
    },
  });
  await subject.set({ isManual: true });
  const id = await subject.importFrom(source.key);
  await driven(subject, id, async () => {
    if (random.chance(10)) await subject.evict();
    if (random.chance(10)) {
      const { calls } = await subject.set({});
      await subject.set({ failing: { [calls + 1 + random.below(3)]: random.of(['before', 'after']) } });
    }
    if (random.chance(10)) await Promise.all([subject.json('alarm'), subject.json('alarm')]);
    if (random.chance(10)) {
      const firing = subject.fetch('alarm').catch(() => undefined);
      await subject.evict();
      await firing;
    }
  });
  await assertDone(subject, id, source);
  await subject.set({ isManual: false, failing: {} });
  const back = await subject.ended(await subject.start({ target: 'd1' }));
  assert.equal(back.sha256, sha256(source.dump));
}

const seeds = REPLAYED === undefined ? Array.from({ length: IMPORTS }, (_, index) => FIRST + index) : [Number(REPLAYED)];

test(`${seeds.length} random databases are imported`, async () => {
  for (const seed of seeds) {
    await imported(seed).catch((error) => {
      throw new Error(`PARTWAY_SEED=${seed}: ${error.message}`, { cause: error });
    });
  }
});

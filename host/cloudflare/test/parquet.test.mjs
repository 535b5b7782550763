// Parquet files of an object, as pyarrow and DuckDB read them: PARTWAY_TEST_PYTHON_TOOLS is the folder of a Python that has
// both. Without it, only what needs no reader is tested.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Splitter } from '../../../tests/workerd/split.mjs';
import { CASES, numbers } from './cases.mjs';
import { World, sqlite } from './harness.mjs';

const JUDGE = fileURLToPath(new URL('../../../tests/judges/parquet.py', import.meta.url));
const tools = process.env.PARTWAY_TEST_PYTHON_TOOLS;

let world;
before(async () => {
  world = await World.start();
});
after(() => world.stop());

/** Fails unless both readers find in the files what Python's sqlite3 finds in the tables. */
function judge(database, files, context) {
  if (tools === undefined) {
    context.diagnostic('there is no PARTWAY_TEST_PYTHON_TOOLS: nobody has read the files');
    return;
  }
  const folder = `${database}.parquet`;
  mkdirSync(folder);
  writeFileSync(join(folder, 'tables.json'), JSON.stringify(files.map(({ table }) => table)));
  for (const [number, { bytes }] of files.entries()) writeFileSync(join(folder, `${number}.parquet`), bytes);
  const { status, stdout, stderr } = spawnSync(join(tools, 'python'), [JUDGE, database, folder]);
  assert.equal(status, 0, `${stdout}${stderr}`);
  context.diagnostic(String(stdout).trim());
}

async function file(subject, prefix, parameters) {
  const status = await subject.ended(await subject.start({ format: 'parquet', ...parameters }));
  assert.equal(status.status, 'done', status.error);
  return { status, bytes: await world.stored(`${prefix}${status.name}`, 'memory') };
}

test('a file of many row groups is the state at the start, however often the object is evicted', async (context) => {
  const options = { bucket: 'memory', partSize: 65_536, budget: { alarmParts: 4 } };
  const subject = world.subject('groups', { prefix: 'groups/', ...options });
  await subject.sql(
    'CREATE TABLE t (id INTEGER PRIMARY KEY, a INTEGER, b REAL, c TEXT, d)',
    `${numbers(30_000)} INSERT INTO t SELECT i, i * 7919, i / 7.0, printf('%x and %x, some text of row %d', i * 7919, i * 104729, i), CASE i % 4 WHEN 0 THEN NULL WHEN 1 THEN i ELSE 'word ' || i % 50 END FROM n`,
    `INSERT INTO t VALUES (100001, 1, 1.5, printf('%.*c', 1900000, 'x'), NULL)`,
  );
  const whole = await file(subject, 'groups/', { name: 'whole.parquet' });
  const database = await world.copy(subject);
  await subject.set({ isManual: true });
  const id = await subject.start({ format: 'parquet', tables: ['t'], name: 'evicted.parquet' });
  for (let alarm = 0; (await subject.status(id)).finishedAt === null; alarm++) {
    assert.ok(alarm < 200);
    await subject.json('alarm');
    await subject.evict();
    await subject.sql(`UPDATE t SET c = 'changed', a = -a WHERE id % 97 = ${alarm}`, `DELETE FROM t WHERE id = ${30_000 - alarm}`);
  }
  const status = await subject.status(id);
  assert.equal(status.status, 'done', status.error);
  assert.ok(status.parts > 15, `${status.parts} parts`);
  const bytes = await world.stored('groups/evicted.parquet', 'memory');
  assert.ok(bytes.equals(whole.bytes));
  assert.deepEqual(await subject.leftovers(), []);
  judge(database, [{ table: 't', bytes }], context);
});

test('readers find every hard case', async (context) => {
  for (const [number, { name, sql }] of CASES.entries()) {
    const subject = world.subject(`hard ${number}`, { bucket: 'memory', prefix: `${number}/`, partSize: 65_536 });
    const splitter = new Splitter();
    await subject.sql(...splitter.push(sql), ...splitter.end(), 'CREATE TABLE IF NOT EXISTS none (a INT)');
    const database = await world.copy(subject);
    const query = "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table' AND name NOT LIKE 'sqlite%'";
    const files = [];
    for (const table of sqlite(database, query).trim().split('\n')) {
      files.push({ table, ...(await file(subject, `${number}/`, { tables: [table] })) });
    }
    await context.test(name, (inner) => judge(database, files, inner));
  }
});

test('what can\u2019t be a Parquet file is refused, or fails, and says why', async () => {
  const subject = world.subject('misfit', { bucket: 'memory', prefix: 'misfit/' });
  await subject.sql('CREATE TABLE t (a INTEGER)', "INSERT INTO t VALUES (1), ('two')", 'CREATE TABLE u (a)');
  await assert.rejects(subject.start({ format: 'parquet' }), /a Parquet file has one table, and this would be 2 \("t", "u"\)/);
  await assert.rejects(subject.start({ format: 'parquet', tables: ['t'], content: 'schema' }), /has rows alone/);
  const status = await subject.ended(await subject.start({ format: 'parquet', tables: ['t'], types: 'declared' }));
  assert.equal(status.status, 'failed');
  assert.match(status.error, /row 2 of table "t" has text in column "a"/);
  assert.deepEqual(await world.objects('yes').then((keys) => keys.filter((key) => key.startsWith('misfit/'))), []);
  assert.deepEqual(await subject.leftovers(), []);
});

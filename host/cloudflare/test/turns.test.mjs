// How slices give way to others, and how large they are.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { World, exported, sha256 } from './harness.mjs';

let world;
before(async () => {
  world = await World.start();
});
after(() => world.stop());

/** A table whose dump has some MB. */
async function filled(label, megabytes, options = {}) {
  const subject = world.subject(label, { bucket: 'memory', prefix: `${label}/`, ...options });
  await subject.sql(
    'CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT)',
    `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${megabytes * 1000}) INSERT INTO t SELECT i, printf('%.*c', 1000, 'x') FROM n`,
  );
  return subject;
}

/** Exports while somebody does something again and again. */
async function exportedBeside(subject, visit) {
  await subject.set({ isManual: true });
  const id = await subject.start();
  const expected = sha256(exported(await world.copy(subject)));
  let isRunning = true;
  const alarm = subject.json('alarm').finally(() => {
    isRunning = false;
  });
  let visits = 0;
  for (; isRunning; visits++) await visit(visits);
  await alarm;
  const status = await subject.status(id);
  assert.equal(status.status, 'done', status.error);
  assert.equal(status.sha256, expected);
  return { ...status, visits };
}

const MIB = 1024 * 1024;

test('slices are large while nobody comes, and small while others do', async () => {
  const alone = await filled('alone', 8);
  const quiet = await alone.ended(await alone.start());
  assert.ok(quiet.slices <= Math.ceil(quiet.bytes / MIB) + quiet.parts, `${quiet.slices} slices`);

  const writers = await filled('writers', 8);
  const beside = await exportedBeside(writers, (visit) => writers.sql(`UPDATE t SET a = 'changed' WHERE id = ${1 + visit}`));
  assert.ok(beside.slices > 3 * quiet.slices, `${beside.slices} slices beside ${beside.visits} writes`);
  assert.ok(beside.visits > 3, `${beside.visits} writes`);

  const readers = await filled('readers', 8);
  const read = await exportedBeside(readers, () => readers.fetch('what has no route here'));
  assert.ok(read.slices > 3 * quiet.slices, `${read.slices} slices beside ${read.visits} requests`);
});

test('others have their turn while a stream looks at the rows, and may end it', async () => {
  const subject = await filled('look', 30, { bucket: false });
  const { body } = await subject.fetch('export/dump?format=parquet&table=t');
  const reader = body.getReader();
  let isLooking = true;
  const first = reader.read().finally(() => {
    isLooking = false;
  });
  let visits = 0;
  for (; isLooking; visits++) await subject.sql(`UPDATE t SET a = 'changed' WHERE id = ${1 + visits}`);
  assert.ok(visits > 5, `${visits} writes`);
  assert.equal(Buffer.from((await first).value).toString('latin1', 0, 4), 'PAR1');
  while (!(await reader.read()).done);
  assert.deepEqual(await subject.leftovers(), []);

  assert.deepEqual(await subject.post('look', []), { done: true, bytes: 0 });
  assert.deepEqual(await subject.leftovers(), []);
  const { error } = await subject.post('look', ['CREATE TABLE another (x)']);
  assert.match(error, /the database was changed while it was streamed \(schema\)/);
  assert.deepEqual(await subject.leftovers(), []);
});

test('others have their turn in the look of an export to a bucket, too', async () => {
  const subject = await filled('look kept', 30);
  await subject.set({ isManual: true });
  const id = await subject.start({ format: 'parquet', tables: ['t'] });
  // The first step of an alarm begins the upload; the look follows.
  const alarm = subject.json('alarm');
  let visits = 0;
  for (let status = await subject.status(id); status.finishedAt === null; status = await subject.status(id)) visits += 1;
  await alarm;
  assert.equal((await subject.status(id)).status, 'done');
  assert.ok(visits > 5, `${visits} requests`);
});

test('an export goes on, however many requests there are', async () => {
  const subject = await filled('crowd', 6);
  const crowd = Array.from({ length: 20 });
  const status = await exportedBeside(subject, () => Promise.all(crowd.map(() => subject.fetch('what has no route here'))));
  assert.ok(status.visits > 1, `${status.visits} times 20 requests`);
});

test('a dump may have more than 10,000 pieces, but not more than 10,000 parts', async () => {
  // Pieces of 4 KiB.
  const many = await filled('pieces', 42, { partSize: 80 * 4096, budget: { slicePieces: 80, alarmParts: 1000 } });
  const { status, error, bytes, parts } = await many.ended(await many.start());
  assert.equal(status, 'done', error);
  assert.ok(bytes > 10_000 * 4096);
  assert.equal(parts, Math.ceil(bytes / (80 * 4096)));
});

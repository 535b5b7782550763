// The way back: dumps that `partway export --target d1` made are imported, and what is then in the object is the
// original.

import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { CASES, MORE, numbers } from './cases.mjs';
import { World, created, exported, sha256, sqlite, verified } from './harness.mjs';

let world;
before(async () => {
  world = await World.start();
});
after(() => world.stop());

const D1 = ['--target', 'd1'];

/** Slices of few bytes and statements, one an alarm. */
const SMALL = { importBudget: { sliceBytes: 4096, sliceStatements: 3, checkRows: 7, alarmBytes: 1 } };

let files = 0;

/** A database of the stock program, and its dump in the bucket. */
async function original(sql) {
  const number = (files += 1);
  // An empty file is no database yet.
  const file = created(join(world.folder, `original-${number}.sqlite`), `CREATE TABLE none (a); DROP TABLE none; ${sql}`);
  const dump = exported(file, D1);
  const key = `dump ${number}.sql`;
  await world.put(key, dump);
  return { file, dump, key };
}

/** Fails unless the object has every cell of the original, and nothing else. */
async function assertEqual(subject, { file, dump }) {
  const copy = await world.copy(subject);
  const again = exported(copy, D1);
  if (!again.equals(dump)) assert.equal(again.toString('latin1'), dump.toString('latin1'));
  assert.equal(sqlite(copy, 'PRAGMA integrity_check;').trim(), 'ok');
  assert.deepEqual(await subject.leftovers(), []);
  // A full-text index is made again, of the same rows: not in the same segments.
  if (/USING fts5/.test(sqlite(file, '.schema'))) return;
  // By other ways: as the `sqlite3` program restores it, and as it dumps it.
  const restored = join(world.folder, 'restored.sql');
  writeFileSync(restored, exported(copy));
  verified(restored, file);
  assert.equal(sqlite(copy, '.dump'), sqlite(file, '.dump'));
}

async function assertDone(subject, id, source) {
  const status = await subject.importEnded(id);
  assert.equal(status.status, 'done', status.error);
  assert.equal(status.rows.done, status.rows.expected);
  await assertEqual(subject, source);
}

for (const [number, { name, sql, importFails }] of [...CASES, ...MORE].entries()) {
  test(`${name}: imported`, async () => {
    const source = await original(sql);
    const subject = world.subject(`case ${number}`);
    const id = await subject.importFrom(source.key);
    if (importFails === undefined) return assertDone(subject, id, source);
    const { status, error } = await subject.importEnded(id);
    assert.equal(status, 'failed');
    assert.match(error, importFails);
  });
}

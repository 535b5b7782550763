// What tests of imports share: originals made by the stock program, and the comparison with what was imported.

import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { created, exported, sqlite, verified } from './harness.mjs';

const D1 = ['--target', 'd1'];

let files = 0;

/** A database of the stock program, and its dump in the bucket. */
export async function original(world, sql) {
  const number = (files += 1);
  // An empty file is no database yet.
  const file = created(join(world.folder, `original-${number}.sqlite`), `CREATE TABLE none (a); DROP TABLE none; ${sql}`);
  const dump = exported(file, D1);
  const key = `original/${number}.sql`;
  await world.put(key, dump);
  return { file, dump, key };
}

/** Fails unless the object has every cell of the original, and nothing else. */
export async function assertEqual(subject, { file, dump }) {
  const { world } = subject;
  const copy = await world.copy(subject);
  const again = exported(copy, D1);
  if (!again.equals(dump)) assert.equal(again.toString('latin1'), dump.toString('latin1'));
  assert.equal(sqlite(copy, 'PRAGMA integrity_check;'), sqlite(file, 'PRAGMA integrity_check;'));
  assert.deepEqual(await subject.leftovers(), []);
  // A full-text index is made again, of the same rows: not in the same segments.
  if (/USING fts5/.test(sqlite(file, '.schema'))) return;
  // By other ways: as the `sqlite3` program restores it, and as it dumps it.
  const restored = join(world.folder, 'restored.sql');
  writeFileSync(restored, exported(copy));
  verified(restored, file);
  // A dump for d1 has the schema's objects in an order of its own.
  const lines = (database) => sqlite(database, '.dump').split('\n').sort();
  const [wanted, found] = [lines(file), lines(copy)];
  const at = wanted.findIndex((line, index) => line !== found[index]);
  assert.ok(at < 0 && wanted.length === found.length, `${wanted[at]?.slice(0, 300)} became ${found[at]?.slice(0, 300)}`);
}

export async function assertDone(subject, id, source) {
  const status = await subject.importEnded(id);
  assert.equal(status.status, 'done', status.error);
  assert.deepEqual([status.rows.done, status.bytes.done > 0], [status.rows.expected, true]);
  await assertEqual(subject, source);
  return status;
}

/** One alarm after another, by hand; `between` is called before each. */
export async function driven(subject, id, between = async () => undefined) {
  for (let alarm = 0; ; alarm++) {
    const status = await subject.importStatus(id);
    if (['done', 'failed', 'cancelled'].includes(status.status)) return status;
    assert.ok(alarm < 5000);
    await between(alarm);
    await subject.json('alarm');
  }
}


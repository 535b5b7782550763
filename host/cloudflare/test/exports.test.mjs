// Exports to R2 as workerd's Miniflare has it, which refuses unequal parts and parts under 5 MiB.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { World, exported, sha256 } from './harness.mjs';

let world;
before(async () => {
  world = await World.start();
});
after(() => world.stop());

const PART = 5 * 1024 * 1024;
const ONE_BY_ONE = { budget: { alarmParts: 1 } };

/** A table whose dump has about so many MB. */
async function fill(subject, megabytes) {
  await subject.sql(
    'CREATE TABLE t (id INTEGER PRIMARY KEY, a REAL, b TEXT, c BLOB)',
    `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${megabytes * 500}) INSERT INTO t SELECT i, i / 7.0, printf('%.*c', 900, 'x') || i, randomblob(500) FROM n`,
  );
}

async function assertStored(subject, status, expected) {
  assert.equal(status.status, 'done', status.error);
  const stored = await world.stored(status.location.slice('r2:'.length));
  assert.equal(sha256(stored), status.sha256);
  assert.equal(status.sha256, sha256(expected));
  assert.equal(stored.length, status.bytes);
  assert.deepEqual(await subject.leftovers(), []);
}

test('a dump of many parts over many alarms is that of partway export', async () => {
  const subject = world.subject('parts', { prefix: 'parts/', ...ONE_BY_ONE });
  await fill(subject, 22);
  const expected = exported(await world.copy(subject));
  const status = await subject.ended(await subject.start());
  await assertStored(subject, status, expected);
  assert.equal(status.parts, Math.ceil(expected.length / PART));
  assert.ok(status.slices >= 5);
  assert.ok((await subject.set({})).log.filter((what) => what === 'alarm').length >= 5);
});

test('an instance that takes over reads the object once more for its hash', async () => {
  const subject = world.subject('evicted', { prefix: 'evicted/', ...ONE_BY_ONE });
  await fill(subject, 16);
  const expected = exported(await world.copy(subject));
  await subject.set({ isManual: true });
  const id = await subject.start();
  for (let alarm = 0; (await subject.status(id)).status !== 'done'; alarm++) {
    assert.ok(alarm < 30);
    // Two deliveries of one alarm at once, and another instance for the next.
    await Promise.all([subject.json('alarm'), subject.json('alarm')]);
    await subject.evict();
  }
  await assertStored(subject, await subject.status(id), expected);
});

test('a part of a database is that of partway export, however often the object is evicted', async () => {
  const subject = world.subject('subset', { bucket: 'memory', prefix: 'subset/', partSize: 65_536, budget: { alarmParts: 3 } });
  const tables = ['log_1', 'log_2', 'log_3', 'other'];
  await subject.sql(...tables.flatMap((name) => [
    `CREATE TABLE ${name} (id INTEGER PRIMARY KEY, a, b)`,
    `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 9000) INSERT INTO ${name} SELECT i, i / 7.0, printf('%.*c', 90, 'x') || i FROM n`,
    `CREATE INDEX of_${name} ON ${name} (a)`,
  ]));
  const parts = [
    [{ tables: ['log_?'], excludeTables: ['log_2'], limit: 5000 }, ['--table', 'log_?', '--exclude-table', 'log_2', '--limit', '5000']],
    [{ excludeTables: ['log_*'], content: 'data' }, ['--exclude-table', 'log_*', '--data-only']],
    [{ format: 'ndjson', tables: ['LOG_*'], limit: 3000 }, ['--format', 'ndjson', '--table', 'LOG_*', '--limit', '3000']],
  ];
  await subject.set({ isManual: true });
  for (const [number, [parameters, options]] of parts.entries()) {
    const expected = exported(await world.copy(subject), options);
    const id = await subject.start(parameters);
    let seen = 0;
    for (let alarm = 1; (await subject.status(id)).finishedAt === null; alarm++) {
      assert.ok(alarm < 100);
      await subject.json('alarm');
      const { progress, rows } = await subject.status(id);
      assert.ok(progress >= seen && rows.done <= rows.expected, `${progress} after ${seen}`);
      seen = progress;
      await subject.evict();
      await subject.sql(`UPDATE log_1 SET b = 'changed ${number}' WHERE id % 89 = ${alarm}`, `DELETE FROM other WHERE id % 500 = ${alarm}`);
    }
    const status = await subject.status(id);
    assert.equal(status.status, 'done', status.error);
    assert.ok(status.parts > 4, `${status.parts} parts`);
    assert.ok((await world.stored(`subset/${status.name}`, 'memory')).equals(expected));
    assert.deepEqual(await subject.leftovers(), []);
  }
});

test('whatever call of R2 fails, and whether before its effect or after, the dump is whole', async () => {
  const subject = world.subject('faults', { prefix: 'faults/', ...ONE_BY_ONE });
  await fill(subject, 7);
  const expected = exported(await world.copy(subject));
  await subject.set({ isManual: true });
  for (const when of ['before', 'after']) {
    for (let number = 1; ; number++) {
      const { calls } = await subject.set({});
      await subject.set({ failing: { [calls + number]: when }, log: [] });
      const id = await subject.start();
      while (!['done', 'failed'].includes((await subject.status(id)).status)) await subject.json('alarm');
      await assertStored(subject, await subject.status(id), expected);
      const { log } = await subject.set({ failing: {} });
      if (!log.some((what) => what.endsWith('failed'))) break;
      assert.ok(number < 30);
    }
  }
});

test('when R2 keeps failing, the export fails, says why, and leaves nothing', async () => {
  const subject = world.subject('broken', { prefix: 'broken/' });
  await subject.sql('CREATE TABLE t (a)', 'INSERT INTO t VALUES (1)');
  for (const call of ['head', 'createMultipartUpload', 'uploadPart', 'complete']) {
    await subject.set({ failing: { [call]: 'before' } });
    const status = await subject.ended(await subject.start());
    assert.equal(status.status, 'failed');
    assert.match(status.error, new RegExp(`^${call}: We encountered an internal error`));
    assert.deepEqual((await world.objects()).filter((key) => key.startsWith('broken/')), []);
    assert.deepEqual(await subject.leftovers(), []);
  }
  await subject.set({ failing: {} });
  assert.equal((await subject.ended(await subject.start())).status, 'done');
});

test('an export asked for meanwhile waits, and is the state when its turn comes', async () => {
  const subject = world.subject('second', { prefix: 'second/', ...ONE_BY_ONE });
  await fill(subject, 6);
  await subject.set({ isManual: true });
  const first = await subject.start({ name: 'same.sql' });
  const expected = exported(await world.copy(subject));
  const second = await subject.start({ name: 'same.sql' });
  assert.equal((await subject.status(second)).status, 'waiting');
  await subject.sql("UPDATE t SET b = 'changed' WHERE id > 2900");
  while ((await subject.status(first)).status !== 'done') await subject.json('alarm');
  const later = exported(await world.copy(subject));
  while ((await subject.status(second)).status !== 'done') await subject.json('alarm');
  await assertStored(subject, await subject.status(first), expected);
  await assertStored(subject, await subject.status(second), later);
  assert.deepEqual((await world.objects()).filter((key) => key.startsWith('second/')), ['second/same-2.sql', 'second/same.sql']);
});

test('exports that an earlier version has saved start over, come next, and are known', async () => {
  const subject = world.subject('earlier', { prefix: 'earlier/' });
  await subject.sql('CREATE TABLE t (a)', 'INSERT INTO t VALUES (1)');
  await subject.set({ isManual: true });
  const post = async (key, body) => {
    const headers = { 'content-type': 'application/json', 'idempotency-key': key };
    const { result, error } = await subject.json('export/dump', { method: 'POST', headers, body: JSON.stringify(body) });
    return error ?? result.exportId;
  };
  const requests = { running: { name: 'running.sql' }, queued: { format: 'csv', tables: ['t'], name: 'queued.csv' } };
  const ids = { running: await post('running', requests.running), queued: await post('queued', requests.queued) };
  // As they were before there were formats; and before there were parts of databases.
  const saved = {
    running: { format: 'sql', tables: [], target: null, name: 'running.sql', callbackUrl: null },
    queued: { format: 'csv', tables: ['t'], target: null, null: null, header: null, blobs: null, name: 'queued.csv', callbackUrl: null },
  };
  for (const [key, request] of Object.entries(saved)) {
    await subject.sql(
      `UPDATE tmp_export_state SET record = json_set(json_remove(record, '$.encoded', '$.expected', '$.startedAt', '$.crashes'),
        '$.request', json('${JSON.stringify(request)}')) WHERE id = '${ids[key]}'`,
    );
  }
  await subject.evict();
  assert.deepEqual((await subject.json('exports')).result.map(({ exportId }) => exportId), [ids.queued, ids.running]);
  // A change of the schema makes the first one start over.
  await subject.sql('CREATE TABLE another (x)');
  const copy = await world.copy(subject);
  while ((await subject.status(ids.queued)).finishedAt === null) await subject.json('alarm');
  const running = await subject.status(ids.running);
  assert.equal(running.restarts, 1);
  await assertStored(subject, running, exported(copy));
  await assertStored(subject, await subject.status(ids.queued), exported(copy, ['--format', 'csv', '--table', 't']));
  for (const [key, request] of Object.entries(requests)) assert.equal(await post(key, request), ids[key]);
  assert.match(await post('running', { ...requests.running, limit: 1 }), /used for another request/);
});

test('a cancelled export leaves nothing, and one that is done can be deleted', async () => {
  const subject = world.subject('cancelled', { prefix: 'cancelled/', ...ONE_BY_ONE });
  await fill(subject, 12);
  await subject.set({ isManual: true });
  const id = await subject.start();
  await subject.json('alarm');
  await subject.json('alarm');
  const [, cancelled] = await Promise.all([subject.json('alarm'), subject.json(`export/${id}`, { method: 'DELETE' })]);
  assert.deepEqual(cancelled, { result: { exportId: id, status: 'cancelled' } });
  assert.equal((await subject.status(id)).status, 'cancelled');
  assert.deepEqual(await subject.leftovers(), []);
  await subject.set({ isManual: false });
  const done = await subject.ended(await subject.start());
  const key = done.location.slice('r2:'.length);
  assert.ok((await world.objects()).includes(key));
  const removed = await subject.json(`export/${done.exportId}`, { method: 'DELETE' });
  assert.deepEqual(removed.result, { exportId: done.exportId, status: 'done', pruned: true, forgotten: false });
  assert.ok(!(await world.objects()).includes(key));
  assert.equal((await subject.fetch(`export/download/${done.exportId}`)).status, 410);
});

test('an export that is cancelled while R2 completes it leaves no object', async () => {
  const subject = world.subject('completing', { bucket: 'memory', prefix: 'completing/' });
  await subject.sql('CREATE TABLE t (a)');
  const objects = async () => (await world.objects('yes')).filter((key) => key.startsWith('completing/'));
  // R2 has completed it, but its answer is late; and the other way round, while an upload can't be aborted.
  for (const failing of [{ complete: 'held after' }, { complete: 'held before', abort: 'before' }]) {
    await subject.set({ isManual: true, failing, log: [] });
    const id = await subject.start();
    const alarm = subject.json('alarm');
    while (!(await subject.set({})).log.includes('r2 complete')) await new Promise((resolve) => setTimeout(resolve, 5));
    const { result } = await subject.json(`export/${id}`, { method: 'DELETE' });
    assert.deepEqual(result, { exportId: id, status: 'cancelled' });
    await subject.set({ failing: {} });
    await alarm;
    assert.equal((await subject.status(id)).status, 'cancelled');
    assert.deepEqual(await objects(), []);
    assert.deepEqual(await subject.leftovers(), []);
  }
});

test('no object that exists is overwritten', async () => {
  const subject = world.subject('names', { prefix: 'names/', ...ONE_BY_ONE });
  await subject.sql('CREATE TABLE t (a)');
  await world.fetch('bucket?key=names/dump.sql', { method: 'PUT', body: 'precious' });
  const status = await subject.ended(await subject.start({ name: 'dump.sql' }));
  assert.equal(status.name, 'dump-2.sql');
  assert.equal((await world.stored('names/dump.sql')).toString(), 'precious');
  // One that comes up while the export runs.
  await subject.set({ isManual: true });
  const id = await subject.start({ name: 'late.sql' });
  await subject.json('alarm');
  await world.fetch('bucket?key=names/late.sql', { method: 'PUT', body: 'precious too' });
  while ((await subject.status(id)).status !== 'done') await subject.json('alarm');
  const late = await subject.status(id);
  assert.deepEqual([late.name, late.restarts], ['late-2.sql', 1]);
  assert.equal((await world.stored('names/late.sql')).toString(), 'precious too');
});

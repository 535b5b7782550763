// Compressed exports: what `partway export --compress` writes, whatever interrupts them, read by the stock programs.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { PARTWAY, World, exported, sha256 } from './harness.mjs';

let world;
before(async () => {
  world = await World.start();
});
after(() => world.stop());

const PART = 5 * 1024 * 1024;
const READERS = { zstd: ['zstd', '.zst'], gzip: ['gzip', '.gz'] };

/** The bytes that the stock program reads from an object, which `partway verify` accepts too. */
function decoded(compress, object) {
  const [program, suffix] = READERS[compress.split(':')[0]];
  const folder = mkdtempSync(join(tmpdir(), 'partway-encoded-'));
  try {
    const file = join(folder, `object.sql${suffix}`);
    writeFileSync(file, object);
    execFileSync(program, ['-t', '-q', file]);
    execFileSync(PARTWAY, ['verify', file], { stdio: 'pipe' });
    return execFileSync(program, ['-d', '-c', '-q', file], { maxBuffer: 1 << 30 });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function fill(subject, rows, blob) {
  await subject.sql(
    'CREATE TABLE t (id INTEGER PRIMARY KEY, a REAL, b TEXT, c BLOB)',
    `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${rows}) INSERT INTO t SELECT i, i / 7.0, printf('%.*c', 900, 'x') || i, ${blob} FROM n`,
  );
}

async function assertStored(subject, status, expected) {
  assert.equal(status.status, 'done', status.error);
  const stored = await world.stored(status.location.slice('r2:'.length));
  assert.equal(stored.length, status.bytes);
  assert.equal(sha256(stored), status.sha256);
  assert.equal(status.sha256, sha256(expected));
  assert.deepEqual(await subject.leftovers(), []);
  return stored;
}

test('a compressed dump is that of partway export, after evictions too', async () => {
  const subject = world.subject('encoded', { prefix: 'encoded/', budget: { alarmParts: 1, encodedBlocks: 5 } });
  await fill(subject, 8000, 'randomblob(700)');
  const copy = await world.copy(subject);
  const plain = exported(copy);
  await subject.set({ isManual: true });
  for (const compress of ['zstd', 'gzip:6']) {
    const expected = exported(copy, ['--compress', compress]);
    assert.ok(expected.length > PART && plain.length > expected.length);
    const id = await subject.start({ compress, name: `${compress.slice(0, 4)}.sql${READERS[compress.slice(0, 4)][1]}` });
    let alarms = 0;
    while ((await subject.status(id)).status !== 'done') {
      assert.ok((alarms += 1) < 60);
      await subject.json('alarm');
      await subject.evict();
    }
    assert.ok(alarms >= 4, `${alarms} alarms`);
    const status = await subject.status(id);
    const stored = await assertStored(subject, status, expected);
    assert.equal(status.parts, Math.ceil(expected.length / PART));
    assert.ok(decoded(compress, stored).equals(plain));
  }
});

test('what compresses to almost nothing is saved on the way, before it makes a part', async () => {
  const subject = world.subject('small', { prefix: 'small/', budget: { alarmParts: 1, encodedBlocks: 4 } });
  await fill(subject, 12_000, 'zeroblob(700)');
  const copy = await world.copy(subject);
  await subject.set({ isManual: true });
  const expected = exported(copy, ['--compress', 'zstd']);
  assert.ok(expected.length < PART);
  const id = await subject.start({ compress: 'zstd' });
  let [alarms, rows] = [0, 0];
  while ((await subject.status(id)).status !== 'done') {
    assert.ok((alarms += 1) < 60);
    await subject.json('alarm');
    await subject.evict();
    const status = await subject.status(id);
    // The first begins the upload.
    assert.ok(status.rows.done > rows || status.status !== 'running' || alarms === 1, 'every alarm gets further');
    rows = status.rows.done;
  }
  assert.ok(alarms >= 4, `${alarms} alarms`);
  const status = await subject.status(id);
  assert.match(status.name, /^dump_\d+-\d+\.sql\.zst$/);
  await assertStored(subject, status, expected);
});

test('whatever call of R2 fails, a compressed dump is whole', async () => {
  const subject = world.subject('encoded faults', { prefix: 'encoded-faults/', budget: { alarmParts: 2, encodedBlocks: 4 } });
  await fill(subject, 7500, 'randomblob(800)');
  const expected = exported(await world.copy(subject), ['--compress', 'zstd']);
  assert.ok(expected.length > PART);
  await subject.set({ isManual: true });
  for (let number = 1; ; number++) {
    const { calls } = await subject.set({});
    await subject.set({ failing: { [calls + number]: 'after' }, log: [] });
    const id = await subject.start({ compress: 'zstd' });
    while (!['done', 'failed'].includes((await subject.status(id)).status)) await subject.json('alarm');
    await assertStored(subject, await subject.status(id), expected);
    const { log } = await subject.set({ failing: {} });
    if (!log.some((what) => what.endsWith('failed'))) break;
    assert.ok(number < 30);
  }
});

test('a cancelled or restarted compressed export leaves nothing of what it was', async () => {
  const subject = world.subject('encoded restarted', { prefix: 'encoded-restarted/', budget: { alarmParts: 1, encodedBlocks: 2 } });
  await fill(subject, 6000, 'randomblob(700)');
  await subject.set({ isManual: true });
  const cancelled = await subject.start({ compress: 'gzip' });
  for (let alarm = 0; alarm < 2; alarm++) await subject.json('alarm');
  const [[kept]] = await subject.sql('SELECT count(*) FROM tmp_export_encoded');
  assert.ok(kept > 0);
  await subject.json(`export/${cancelled}`, { method: 'DELETE' });
  assert.deepEqual(await subject.sql('SELECT count(*) FROM tmp_export_encoded'), [[0]]);
  const id = await subject.start({ compress: 'zstd' });
  for (let alarm = 0; alarm < 2; alarm++) await subject.json('alarm');
  await subject.sql('CREATE TABLE another (x)', 'INSERT INTO another VALUES (1)');
  const expected = exported(await world.copy(subject), ['--compress', 'zstd']);
  while (!['done', 'failed'].includes((await subject.status(id)).status)) await subject.json('alarm');
  const status = await subject.status(id);
  assert.equal(status.restarts, 1);
  await assertStored(subject, status, expected);
  assert.deepEqual(await subject.sql('SELECT count(*) FROM tmp_export_encoded'), [[0]]);
});

test('without a bucket, a compressed dump is streamed', async () => {
  const subject = world.subject('encoded stream', { bucket: false });
  await fill(subject, 3000, 'randomblob(300)');
  const copy = await world.copy(subject);
  for (const compress of ['zstd', 'gzip']) {
    const response = await subject.fetch(`export/dump?compress=${compress}`);
    assert.equal(response.status, 200);
    assert.equal(response.headers.get('content-type'), `application/${compress}`);
    assert.equal(response.headers.get('content-encoding'), null);
    assert.match(response.headers.get('content-disposition'), new RegExp(`sql\\${READERS[compress][1]}"$`));
    assert.equal(sha256(Buffer.from(await response.arrayBuffer())), sha256(exported(copy, ['--compress', compress])));
  }
});

test('an export that was saved before there was compression goes on, and is known', async () => {
  const subject = world.subject('encoded before', { prefix: 'encoded-before/' });
  await subject.sql('CREATE TABLE t (a)', 'INSERT INTO t VALUES (1)');
  await subject.set({ isManual: true });
  const id = await subject.start({ name: 'old.sql' });
  await subject.sql("UPDATE tmp_export_state SET record = json_remove(record, '$.encoded', '$.request.compress')");
  const expected = exported(await world.copy(subject));
  while ((await subject.status(id)).status !== 'done') await subject.json('alarm');
  await assertStored(subject, await subject.status(id), expected);
  const response = await subject.fetch(`export/download/${id}`);
  assert.equal(response.headers.get('content-type'), 'application/sql');
});

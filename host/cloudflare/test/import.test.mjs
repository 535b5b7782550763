// The way back: dumps that `partway export --target d1` made are imported, and what is then in the object is the
// original.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { CASES, MORE, numbers } from './cases.mjs';
import { World, exported, sha256 } from './harness.mjs';
import { assertDone, driven, original } from './importing.mjs';

let world;
before(async () => {
  world = await World.start();
});
after(() => world.stop());

/** Slices of few bytes and statements, one an alarm. */
const SMALL = { importBudget: { sliceBytes: 512, sliceStatements: 2, checkRows: 7, alarmBytes: 1 } };

/** What counts twice if a statement does: keys that are given out, and rows without keys. And long values. */
const COUNTED = `CREATE TABLE counted (id INTEGER PRIMARY KEY AUTOINCREMENT, a TEXT); CREATE TABLE keyless (a, b);
  ${numbers(400)} INSERT INTO counted (a) SELECT printf('%.*c', 400, 'a') || i FROM n; DELETE FROM counted WHERE id > 390;
  ${numbers(500)} INSERT INTO keyless SELECT 'the same', printf('%.*c', 300, 'b') FROM n;
  CREATE TABLE long (v); INSERT INTO long VALUES (randomblob(150000)), (printf('%.*c', 130000, 'é'));
  CREATE TABLE children (id INTEGER PRIMARY KEY, parent INTEGER REFERENCES counted(id)); ${numbers(100)} INSERT INTO children SELECT i, i FROM n;
  CREATE INDEX by_a ON counted (a); CREATE VIEW seen AS SELECT * FROM counted;
  CREATE TRIGGER noted AFTER INSERT ON counted BEGIN INSERT INTO keyless VALUES (NEW.id, ';'); END;
  CREATE VIRTUAL TABLE words USING fts5(a); INSERT INTO words VALUES ('some words'), ('more of them');`;

/** Nothing of the user's, nor of an import that never began. */
async function assertUntouched(subject) {
  assert.equal(await subject.importStatus(''), null);
  const rows = await subject.sql("SELECT name FROM sqlite_master WHERE name NOT LIKE '\\_cf\\_%' ESCAPE '\\' AND name NOT GLOB 'tmp_export_*'");
  assert.deepEqual(rows, []);
}

for (const [number, { name, sql }] of [...CASES, ...MORE].entries()) {
  test(`${name}: imported`, async () => {
    const source = await original(world, sql);
    const subject = world.subject(`case ${number}`);
    const id = await subject.importFrom(source.key);
    await assertDone(subject, id, source);
    const back = await subject.ended(await subject.start({ target: 'd1' }));
    assert.equal(back.sha256, sha256(source.dump));
  });
}

test('full-text search finds what it found', async () => {
  const source = await original(world, `CREATE VIRTUAL TABLE own USING fts5(a); ${numbers(90)} INSERT INTO own SELECT 'word ' || (i % 9) FROM n;
    CREATE TABLE content (id INTEGER PRIMARY KEY, a); INSERT INTO content VALUES (3, 'x y'), (9, 'z');
    CREATE VIRTUAL TABLE external USING fts5(a, content='content', content_rowid='id'); INSERT INTO external (external) VALUES ('rebuild');`);
  const subject = world.subject('fts', SMALL);
  await assertDone(subject, await subject.importFrom(source.key), source);
  assert.deepEqual(await subject.sql("SELECT count(*) FROM own WHERE own MATCH '7'"), [[10]]);
  assert.deepEqual(await subject.sql("SELECT rowid FROM external WHERE external MATCH 'y'"), [[3]]);
  await subject.sql("INSERT INTO own (own) VALUES ('integrity-check')", "INSERT INTO external (external) VALUES ('integrity-check')");
});

test('an instance that ends between any two slices, and alarms that come twice, count nothing twice', async () => {
  const source = await original(world, COUNTED);
  const subject = world.subject('evicted', SMALL);
  await subject.set({ isManual: true });
  const id = await subject.importFrom(source.key);
  await driven(subject, id, async () => {
    await subject.evict();
    await Promise.all([subject.json('alarm'), subject.json('alarm')]);
  });
  const status = await assertDone(subject, id, source);
  assert.ok(status.slices > 20, `${status.slices} slices`);
});

test('an instance that ends in the middle of an alarm counts nothing twice', async () => {
  const source = await original(world, COUNTED);
  const subject = world.subject('cut', { importBudget: { sliceBytes: 20_000, sliceStatements: 2, pauseMs: 30 } });
  await subject.set({ isManual: true });
  const id = await subject.importFrom(source.key);
  const isEnded = ({ status }) => ['done', 'failed'].includes(status);
  let cuts = 0;
  for (let status = await subject.importStatus(id); !isEnded(status); cuts++) {
    const { slices } = status;
    const firing = subject.fetch('alarm').catch(() => undefined);
    do status = await subject.importStatus(id);
    while (!isEnded(status) && status.slices <= slices + (cuts % 3));
    await subject.evict();
    await firing;
    status = await subject.importStatus(id);
  }
  await assertDone(subject, id, source);
  assert.ok(cuts > 5, `${cuts} cuts`);
});

test('whatever call of R2 fails, and whether before its effect or after, the import is whole', async () => {
  const source = await original(world, COUNTED);
  for (const when of ['before', 'after']) {
    for (let number = 1; ; number++) {
      const subject = world.subject(`fault ${when} ${number}`, { importBudget: { sliceBytes: 20_000, alarmBytes: 200_000 } });
      await subject.set({ isManual: true, failing: { [number]: when } });
      let id = await subject.importFrom(source.key).catch((error) => {
        assert.match(error.message, /^null: (head|get): We encountered an internal error/);
        return null;
      });
      if (id === null) {
        await assertUntouched(subject);
        id = await subject.importFrom(source.key);
      }
      await driven(subject, id);
      await assertDone(subject, id, source);
      // So many calls there are.
      if ((await subject.set({})).calls < number) break;
      assert.ok(number < 30);
    }
  }
});

test('when R2 keeps failing, the import fails and says why; it can be cancelled and begun anew', async () => {
  const source = await original(world, COUNTED);
  const subject = world.subject('broken', SMALL);
  await subject.set({ isManual: true });
  const id = await subject.importFrom(source.key);
  for (let alarm = 0; alarm < 4; alarm++) await subject.json('alarm');
  await subject.set({ failing: { get: 'before' } });
  const status = await driven(subject, id);
  assert.equal(status.status, 'failed');
  assert.match(status.error, /^get: We encountered an internal error/);
  await subject.set({ failing: {} });
  await assert.rejects(subject.importFrom(source.key), /^Error: not-empty: /);
  assert.equal(await subject.cancelImport(id), true);
  assert.equal((await driven(subject, id)).status, 'cancelled');
  const again = await subject.importFrom(source.key);
  await driven(subject, again);
  await assertDone(subject, again, source);
});

test('an instance that is reset in the middle of slices makes smaller ones, and fails in the end', async () => {
  const source = await original(world, `CREATE TABLE t (a); ${numbers(3000)} INSERT INTO t SELECT printf('%.*c', 900, 'x') FROM n;`);
  const hung = async (label, times) => {
    const subject = world.subject(label);
    await subject.set({ isManual: true });
    const id = await subject.importFrom(source.key);
    for (let time = 0; time < times; time++) {
      const { calls } = await subject.set({ failing: { get: 'hang' } });
      const firing = subject.fetch('alarm').catch(() => undefined);
      while ((await subject.set({})).calls === calls);
      await subject.evict();
      await firing;
    }
    await subject.set({ failing: {} });
    return { subject, id, ...(await driven(subject, id)) };
  };
  const whole = await hung('not reset', 0);
  const small = await hung('reset', 3);
  await assertDone(small.subject, small.id, source);
  assert.ok(small.slices >= 8 * whole.slices, `${whole.slices} slices, then ${small.slices}`);
  const { status, error } = await hung('reset too often', 7);
  assert.deepEqual([status, error], ['failed', 'the object was reset 7 times in the middle of a slice: by its limit on CPU or memory?']);
});

test('a dump that is cut off is refused, and nothing is changed', async () => {
  const { dump } = await original(world, COUNTED);
  const subject = world.subject('cut off');
  const lengths = Array.from({ length: 40 }, (_, index) => Math.floor((dump.length * index) / 40));
  const ends = Array.from({ length: 60 }, (_, index) => dump.length - 1 - index);
  for (const length of [...lengths, ...ends]) {
    await world.put('cut.sql', dump.subarray(0, length));
    // Without its last line's end it is whole.
    if (length === dump.length - 1) continue;
    await assert.rejects(subject.importFrom('cut.sql'), /^Error: (cut-off|not-a-dump): the dump "cut.sql" can't be imported: /, `${length}`);
  }
  await assertUntouched(subject);
});

test('what can\u2019t be imported is refused, with what to do', async () => {
  const subject = world.subject('refused');
  const refused = (key, message, options) =>
    assert.rejects(subject.importFrom(key, options), (error) => {
      assert.match(error.message, message);
      return true;
    });
  const { file, dump, key } = await original(world, 'CREATE TABLE t (a); INSERT INTO t VALUES (1);');
  await refused('none.sql', /^missing: there is no object "none.sql" in the bucket$/);
  await world.put('text.sql', 'CREATE TABLE t (a);');
  await refused('text.sql', /^not-a-dump: /);
  await world.put('empty.sql', '');
  await refused('empty.sql', /^not-a-dump: /);
  await world.put('sqlite.sql', exported(file));
  await refused('sqlite.sql', /^wrong-target: .* export its database with the target d1$/);
  await world.put('newer.sql', dump.toString().replace('begin sql 1', 'begin sql 99'));
  await refused('newer.sql', /^not-a-dump: /);
  await assertUntouched(subject);
  await subject.sql('CREATE TABLE messages (a)', 'CREATE VIEW v AS SELECT 1');
  await refused(key, /^not-empty: the object has tables of its own \("messages", "v"\): import into a new object, or drop them first$/);
  await subject.sql('DROP TABLE messages', 'DROP VIEW v');
  await subject.importEnded(await subject.importFrom(key));
  assert.deepEqual(await subject.sql('SELECT a FROM t'), [[1]]);
  const bare = world.subject('no bucket', { bucket: false });
  await assert.rejects(bare.importFrom(key), /^Error: no-bucket: /);
});

test('a dump of a damaged database is imported only if it may be', async () => {
  const { dump } = await original(world, 'CREATE TABLE t (a); INSERT INTO t VALUES (1);');
  const damaged = dump.toString().replace('-- partway:end tables=1 rows=1', '-- partway:incomplete tables=1 rows=1 damaged=1');
  assert.notEqual(damaged, dump.toString());
  await world.put('damaged.sql', damaged);
  const subject = world.subject('damaged');
  await assert.rejects(subject.importFrom('damaged.sql'), /^Error: incomplete: .*Give allowIncomplete/);
  await assertUntouched(subject);
  const id = await subject.importFrom('damaged.sql', { allowIncomplete: true });
  assert.equal((await subject.importEnded(id)).status, 'done');
});

test('a dump that is replaced or deleted meanwhile is noticed', async () => {
  const source = await original(world, COUNTED);
  for (const change of ['replaced', 'deleted']) {
    const key = `${change}.sql`;
    await world.put(key, source.dump);
    const subject = world.subject(change, SMALL);
    await subject.set({ isManual: true });
    const id = await subject.importFrom(key);
    for (let alarm = 0; alarm < 5; alarm++) await subject.json('alarm');
    if (change === 'replaced') await world.put(key, Buffer.concat([source.dump.subarray(0, -1), Buffer.from(' ')]));
    else await world.fetch(`bucket?key=${key}`, { method: 'DELETE' });
    const status = await driven(subject, id);
    assert.equal(status.status, 'failed');
    assert.equal(status.error, `the dump "${key}" was ${change} while it was imported: cancel this import, and start over`);
    assert.ok(status.bytes.done > 0 && status.bytes.done < source.dump.length);
  }
});

test('a dump with other rows than it says fails', async () => {
  const { dump } = await original(world, 'CREATE TABLE t (a); INSERT INTO t VALUES (1), (2);');
  await world.put('fewer.sql', dump.toString().replace('rows=2', 'rows=3'));
  const subject = world.subject('fewer');
  const status = await subject.importEnded(await subject.importFrom('fewer.sql'));
  assert.deepEqual([status.status, status.error], ['failed', 'the dump "fewer.sql" is damaged: it has 2 rows, and says that it has 3']);
});

test('a statement that fails ends the import, which says where; what it made can be dropped', async () => {
  const source = await original(world, COUNTED);
  const at = source.dump.indexOf('INSERT INTO "keyless"');
  const broken = Buffer.from(source.dump);
  broken.write('INSERT INTO "keylost"', at);
  await world.put('broken.sql', broken);
  const subject = world.subject('statement');
  const id = await subject.importFrom('broken.sql');
  const status = await subject.importEnded(id);
  assert.equal(status.status, 'failed');
  assert.ok(status.error.startsWith(`the statement at byte ${at} failed: no such table: keylost`), status.error);
  const shown = status.error.slice(status.error.indexOf('INSERT'));
  assert.ok(shown.length <= 100 && broken.toString('utf8', at).replaceAll('\n', ' ').startsWith(shown));
  // What others have made meanwhile stays.
  await subject.sql('CREATE TABLE mine (a)', 'INSERT INTO mine VALUES (1)');
  assert.equal(await subject.cancelImport(id), true);
  assert.equal((await subject.importEnded(id)).status, 'cancelled');
  const left = await subject.sql("SELECT name FROM sqlite_master WHERE name NOT LIKE '\\_cf\\_%' ESCAPE '\\' AND name NOT GLOB 'tmp_*' AND name NOT GLOB 'sqlite_*'");
  assert.deepEqual(left, [['mine']]);
  assert.deepEqual(await subject.leftovers(), []);
  assert.equal(await subject.cancelImport(id), false);
});

test('an import that is cancelled in its middle leaves nothing, over evictions', async () => {
  const source = await original(world, COUNTED);
  const subject = world.subject('cancelled', SMALL);
  await subject.set({ isManual: true });
  const id = await subject.importFrom(source.key);
  for (let alarm = 0; alarm < 8; alarm++) await subject.json('alarm');
  assert.equal(await subject.cancelImport(id), true);
  await assert.rejects(subject.importFrom(source.key), /^Error: busy: /);
  const status = await driven(subject, id, () => subject.evict());
  assert.equal(status.status, 'cancelled');
  await subject.set({ isManual: false });
  await assertDone(subject, await subject.importFrom(source.key), source);
});

test('no export starts while an import runs, and no import while an export does', async () => {
  const source = await original(world, COUNTED);
  const subject = world.subject('both', SMALL);
  await subject.set({ isManual: true });
  const running = await subject.start();
  await assert.rejects(subject.importFrom(source.key), /^Error: busy: an export of this object is unfinished: wait until it has ended, or cancel it$/);
  while ((await subject.status(running)).status !== 'done') await subject.json('alarm');
  const id = await subject.importFrom(source.key);
  await subject.json('alarm');
  for (const method of ['POST', 'GET']) {
    const response = await subject.fetch('export/dump', { method });
    assert.deepEqual([response.status, (await response.json()).error], [409, `import ${id} is unfinished in this object: try again when it has ended`]);
  }
  await driven(subject, id);
  await assertDone(subject, id, source);
});

test('the user\u2019s alarm and requests have their turn beside an import', async () => {
  const source = await original(world, COUNTED);
  const subject = world.subject('alarm', SMALL);
  await subject.json(`user-alarm?at=${Date.now() + 100}`);
  const id = await subject.importFrom(source.key);
  await subject.sql('CREATE TABLE mine (a)');
  let writes = 0;
  while (!['done', 'failed'].includes((await subject.importStatus(id)).status)) {
    await subject.sql('INSERT INTO mine VALUES (1)');
    writes += 1;
  }
  assert.ok(writes > 3);
  assert.deepEqual(await subject.sql('SELECT count(*) FROM mine', 'DROP TABLE mine'), []);
  await assertDone(subject, id, source);
  while (!(await subject.set({})).log.includes('user 0'));
  assert.deepEqual(await subject.json('alarms'), { user: null, object: null });
});

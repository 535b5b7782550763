// The export is the state at its start, whatever others write while it runs.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { World, exported, sha256, sqlite } from './harness.mjs';

let world;
before(async () => {
  world = await World.start();
});
after(() => world.stop());

/** Small parts, and one of them an alarm, which the test sets off. */
const SMALL = { bucket: 'memory', partSize: 4096, budget: { alarmParts: 1 } };

/** Exports while `write` writes between any two alarms; what `partway export` makes of a copy taken at the start. */
async function exportedBeside(subject, write, parameters = {}) {
  await subject.set({ isManual: true });
  const id = await subject.start(parameters);
  const copy = await world.copy(subject);
  let status;
  for (let alarm = 0; ; alarm++) {
    await write(alarm);
    assert.equal(await subject.json('alarm'), null);
    status = await subject.status(id);
    if (['done', 'failed', 'cancelled'].includes(status.status)) break;
  }
  return { status, copy };
}

async function assertSame(subject, { status, copy }, restarts = 0) {
  assert.equal(status.status, 'done', status.error);
  assert.equal(status.restarts, restarts);
  const expected = exported(copy);
  const dump = await world.stored(status.name, 'memory');
  assert.equal(sha256(dump), status.sha256);
  if (sha256(expected) !== status.sha256) assert.equal(dump.toString(), expected.toString());
  assert.deepEqual(await subject.leftovers(), []);
}

test('money moves between accounts over hundreds of alarms, and none is lost or made', async () => {
  const subject = world.subject('money', SMALL);
  await subject.sql(
    'CREATE TABLE accounts (id INTEGER PRIMARY KEY, owner TEXT, cents INTEGER)',
    'CREATE TABLE transfers (id INTEGER PRIMARY KEY AUTOINCREMENT, payer, payee, cents)',
    'CREATE TABLE ledger (owner TEXT, day INTEGER, cents INTEGER, PRIMARY KEY (owner DESC, day)) WITHOUT ROWID',
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 9000) INSERT INTO accounts SELECT i, 'owner ' || i || printf('%.*c', 40, 'x'), 1000 FROM n",
    "INSERT INTO ledger SELECT owner, id % 7, cents FROM accounts WHERE id <= 4000",
  );
  let seed = 7;
  const random = (below) => (seed = (seed * 48271) % 2147483647) % below;
  const result = await exportedBeside(subject, async () => {
    const transfers = Array.from({ length: 5 }, () => {
      const [payer, payee, cents] = [1 + random(9000), 1 + random(9000), random(500)];
      return [
        `UPDATE accounts SET cents = cents - ${cents} WHERE id = ${payer}`,
        `UPDATE accounts SET cents = cents + ${cents} WHERE id = ${payee}`,
        `INSERT INTO transfers (payer, payee, cents) VALUES (${payer}, ${payee}, ${cents})`,
        `UPDATE ledger SET cents = cents - ${cents} WHERE owner LIKE 'owner ${payer}x%'`,
        `UPDATE ledger SET day = day + 10 WHERE owner LIKE 'owner ${payee}x%'`,
      ];
    });
    await subject.sql(...transfers.flat());
  });
  assert.ok(result.status.slices > 200, `${result.status.slices} slices`);
  await assertSame(subject, result);
  const restored = `${result.copy}.restored`;
  sqlite(restored, (await world.stored(result.status.name, 'memory')).toString());
  assert.equal(sqlite(restored, 'SELECT sum(cents), count(*) FROM accounts').trim(), '9000000|9000');
});

test('rows are seen as they were, however they are changed', async () => {
  const subject = world.subject('ways', SMALL);
  const filler = "printf('%.*c', 300, 'f')";
  await subject.sql(
    `CREATE TABLE first (a, b)`,
    `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300) INSERT INTO first SELECT i, ${filler} FROM n`,
    `CREATE TABLE t (id INTEGER PRIMARY KEY, u TEXT UNIQUE, p INTEGER, v NOT NULL DEFAULT 'd' UNIQUE, w AS (p * 2))`,
    `CREATE UNIQUE INDEX only_some ON t (p) WHERE p > 100 -- the end`,
    `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200) INSERT INTO t (id, u, p, v) SELECT i * 2, 'u' || i, i, 'v' || i FROM n`,
    `UPDATE t SET v = 'd' WHERE id = 60`,
    `CREATE TABLE wo (k TEXT COLLATE NOCASE, n, v, PRIMARY KEY (k DESC, n)) WITHOUT ROWID`,
    `INSERT INTO wo SELECT u, p, v FROM t`,
    `CREATE TABLE parent (id INTEGER PRIMARY KEY)`,
    `CREATE TABLE child (id INTEGER PRIMARY KEY, parent REFERENCES parent ON DELETE CASCADE ON UPDATE CASCADE)`,
    `INSERT INTO parent SELECT id FROM t`,
    `INSERT INTO child SELECT id, id FROM t`,
    `CREATE TRIGGER users AFTER INSERT ON t WHEN new.p % 1000 = 555 BEGIN UPDATE t SET u = u || '!' WHERE id = new.id; DELETE FROM t WHERE id = new.id - 1; END`,
    `CREATE TABLE nokey (rowid, _rowid_, oid, v)`,
    `INSERT INTO nokey SELECT id, u, p, v FROM t`,
    `CREATE TABLE expressions (a, b)`,
    `CREATE UNIQUE INDEX expression ON expressions (lower(a))`,
    `INSERT INTO expressions SELECT u, v FROM t`,
    `CREATE TABLE empty (id INTEGER PRIMARY KEY, v)`,
    `CREATE TABLE "new" (id INTEGER PRIMARY KEY, v)`,
    `INSERT INTO "new" SELECT id, v FROM t`,
    `CREATE VIRTUAL TABLE search USING fts5(a, b UNINDEXED)`,
    `INSERT INTO search SELECT u, v FROM t`,
    `CREATE TABLE many (${Array.from({ length: 99 }, (_, i) => `c${i}`).join()})`,
    `INSERT INTO many (c0, c98) SELECT u, id FROM t`,
    `CREATE TABLE ids (id INTEGER PRIMARY KEY)`,
    `INSERT INTO ids SELECT id FROM t`,
    `CREATE TABLE auto (id INTEGER PRIMARY KEY AUTOINCREMENT, v)`,
    `INSERT INTO auto (v) SELECT v FROM t`,
  );
  const writes = [
    // Conflicts that evict rows: by a unique column, by the rowid, by both, by a partial index, by a default.
    ["INSERT OR REPLACE INTO t (id, u, p, v) VALUES (1001, 'u150', 5, 'other')", "REPLACE INTO t (id, u, p, v) VALUES (300, 'u151', 6, 'v152')"],
    ["UPDATE OR REPLACE t SET u = 'u160' WHERE id = 322", "UPDATE OR REPLACE t SET id = 330 WHERE id = 1001", "REPLACE INTO t (id, u, p, v) VALUES (1003, 'new', 190, 'x')"],
    ["REPLACE INTO t (id, u, p, v) VALUES (1005, 'newer', 3, NULL)", "UPDATE OR REPLACE t SET v = NULL WHERE id = 70"],
    ["UPDATE t SET p = p + 1000 * id, u = u || 'z' WHERE id % 3 = 0", "DELETE FROM t WHERE id % 7 = 0", "INSERT INTO t (id, u, p) VALUES (7, 'odd', 9) ON CONFLICT DO UPDATE SET p = 0"],
    ["INSERT INTO t (u, p, v) VALUES ('auto', 555, 'auto')", "INSERT OR IGNORE INTO t (id, u, v) VALUES (9, 'u2', 'ignored')", "INSERT INTO t (id, u, p, v) VALUES (41, 'back', 1555, 'back')"],
    ["UPDATE t SET id = -id WHERE id > 390", "DELETE FROM t WHERE id > 380", "INSERT INTO t (u, p, v) VALUES ('again', 8, 'again')", "INSERT INTO t (u, p, v) VALUES ('again2', 8, 'again2')"],
    ["UPDATE wo SET k = upper(k) WHERE n % 2", "DELETE FROM wo WHERE n % 5 = 0", "INSERT INTO wo VALUES ('U5', 5, 'back'), ('zz', 1, 1)"],
    ["REPLACE INTO wo VALUES ('U7', 7, 'replaced')", "UPDATE OR REPLACE wo SET k = 'u8', n = 8 WHERE n = 9", "UPDATE wo SET n = n + 0.5 WHERE n > 100"],
    ["DELETE FROM parent WHERE id % 5 = 0", "UPDATE parent SET id = id + 1000 WHERE id % 4 = 0"],
    ["DELETE FROM nokey WHERE oid % 2", "INSERT INTO nokey VALUES (1, 2, 3, 4)", "REPLACE INTO expressions VALUES ('U9', 'x')"],
    ["INSERT INTO empty VALUES (5, 'x')", 'UPDATE "new" SET v = id', 'DELETE FROM "new" WHERE id > 50'],
    ["INSERT INTO search VALUES ('another', 'x')", "DELETE FROM search WHERE rowid < 50", "UPDATE search SET b = 'unindexed'"],
    ["UPDATE many SET c98 = -c98", "DELETE FROM many WHERE rowid > 100", "UPDATE ids SET id = id + 1 WHERE id % 20 = 0", "DELETE FROM ids WHERE id < 30"],
    ["INSERT INTO auto (v) VALUES ('x')", "DELETE FROM auto WHERE id > 150", "INSERT INTO auto (id, v) VALUES (160, 'y')"],
    ["DELETE FROM t", "DELETE FROM wo", "DELETE FROM child", "DELETE FROM auto", "DELETE FROM first WHERE a > 50"],
    ["INSERT INTO t (id, u, p, v) SELECT id, 'n' || id, 1, 'n' || id FROM ids", "INSERT INTO wo SELECT 'k' || id, id, 0 FROM ids"],
  ];
  const result = await exportedBeside(subject, async (alarm) => {
    if (alarm > 0) await subject.sql(...(writes[alarm - 1] ?? [`UPDATE first SET b = ${alarm} WHERE a = ${alarm}`]));
  });
  assert.ok(result.status.slices > writes.length + 2, `${result.status.slices} slices`);
  await assertSame(subject, result);
});

test('an export outlives evictions between any two alarms', async () => {
  const subject = world.subject('evicted', SMALL);
  await subject.sql(
    'CREATE TABLE t (id INTEGER PRIMARY KEY, v)',
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1500) INSERT INTO t SELECT i, printf('%.*c', 40, 'x') FROM n",
  );
  const result = await exportedBeside(subject, async (alarm) => {
    await subject.sql(`UPDATE t SET v = ${alarm} WHERE id % 10 = ${alarm % 10}`);
    await subject.evict();
  });
  assert.ok((await subject.set({})).instances > 10);
  await assertSame(subject, result);
});

test('a change of the schema starts the export over, or ends it', async () => {
  const rows = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300) INSERT INTO t SELECT i, printf('%.*c', 60, 'x') FROM n";
  const changes = [
    ['CREATE TABLE another (a)'],
    ['ALTER TABLE t ADD COLUMN c'],
    ['ALTER TABLE t RENAME COLUMN b TO c'],
    ['CREATE INDEX i ON t (b)'],
    // The text is the same as before, and the triggers are gone.
    ['DROP TABLE t', 'CREATE TABLE t (a, b)', rows, 'DELETE FROM t WHERE a = 290'],
    ['ALTER TABLE t RENAME TO u', 'CREATE TABLE t (a, b)', 'INSERT INTO t VALUES (1, 2)', 'DROP TABLE u'],
  ];
  for (const [number, change] of changes.entries()) {
    for (const whenLost of ['restart', 'fail']) {
      const subject = world.subject(`schema ${number}`, { ...SMALL, whenLost });
      await subject.sql('CREATE TABLE t (a, b)', rows);
      let copy;
      const result = await exportedBeside(subject, async (alarm) => {
        if (alarm !== 3) return;
        await subject.sql(...change);
        copy = await world.copy(subject);
      });
      if (whenLost === 'restart') {
        await assertSame(subject, { status: result.status, copy }, 1);
      } else {
        assert.equal(result.status.status, 'failed');
        assert.match(result.status.error, /the schema was changed while the export ran/);
        assert.ok(!(await world.objects('memory')).includes(result.status.name));
        assert.deepEqual(await subject.leftovers(), []);
      }
    }
  }
});

test('past the stated size of saved rows the export starts over, or ends', async () => {
  for (const whenLost of ['restart', 'fail']) {
    const subject = world.subject('overflow', { ...SMALL, whenLost, maxSnapshotBytes: 10_000 });
    await subject.sql(
      'CREATE TABLE t (id INTEGER PRIMARY KEY, v)',
      "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300) INSERT INTO t SELECT i, printf('%.*c', 60, 'x') FROM n",
    );
    let copy;
    const result = await exportedBeside(subject, async (alarm) => {
      if (alarm === 2) await subject.sql("UPDATE t SET v = 'few' WHERE id < 20");
      if (alarm !== 4) return;
      await subject.sql("UPDATE t SET v = 'many'");
      copy = await world.copy(subject);
    });
    if (whenLost === 'restart') await assertSame(subject, { status: result.status, copy }, 1);
    else assert.match(result.status.error, /more rows were changed .* \(maxSnapshotBytes\)$/);
    assert.deepEqual(await subject.leftovers(), []);
  }
});

test('without a snapshot, a change starts the export over, or ends it', async () => {
  for (const consistency of ['restart', 'fail']) {
    for (const change of ["UPDATE t SET v = 1 WHERE id = 1", 'DELETE FROM t WHERE id = 299', 'INSERT INTO t (v) VALUES (1)']) {
      const subject = world.subject(`plain ${change}`, { ...SMALL, consistency });
      await subject.sql(
        'CREATE TABLE t (id INTEGER PRIMARY KEY, v)',
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300) INSERT INTO t SELECT i, printf('%.*c', 60, 'x') FROM n",
      );
      let copy;
      const result = await exportedBeside(subject, async (alarm) => {
        if (alarm !== 3) return;
        await subject.sql(change);
        copy = await world.copy(subject);
      });
      if (consistency === 'restart') await assertSame(subject, { status: result.status, copy }, 1);
      else assert.match(result.status.error, /^the database was changed while the export ran$/);
      assert.deepEqual(await subject.leftovers(), []);
    }
  }
});

test('a full-text table that is larger than a snapshot may copy is refused, and says so', async () => {
  const subject = world.subject('large fts', { ...SMALL, maxSnapshotBytes: 1000 });
  await subject.sql(
    'CREATE VIRTUAL TABLE search USING fts5(a)',
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300) INSERT INTO search SELECT 'word ' || i FROM n",
  );
  await assert.rejects(subject.start(), /table "search_data" holds \d+ bytes\..*raise maxSnapshotBytes/);
  assert.deepEqual(await subject.leftovers(), []);
});

test('only what an export reads is kept, and costs writes anything', async () => {
  const subject = world.subject('part', { ...SMALL, prefix: 'part/', maxSnapshotBytes: 2000, consistency: 'snapshot' });
  const rows = 'WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 900)';
  await subject.sql(
    'CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT, a)',
    `${rows} INSERT INTO t SELECT i, printf('%.*c', 40, 'x') FROM n`,
    'CREATE TABLE "a*" (a)',
    'CREATE TABLE ab (a)',
    "INSERT INTO ab VALUES ('kept')",
    'CREATE VIRTUAL TABLE words USING fts5(a)',
    `${rows} INSERT INTO words SELECT 'word ' || i || printf('%.*c', 40, 'y') FROM n`,
    'CREATE TABLE words_of_others (a)',
    'CREATE INDEX of_t ON t (a)',
    'ANALYZE',
  );
  const tracked = async () =>
    (await subject.sql("SELECT DISTINCT tbl_name FROM sqlite_master WHERE type = 'trigger' AND name GLOB 'tmp_export_*' ORDER BY 1")).flat();
  const parts = [
    [{ tables: ['T'] }, ['--table', 't'], ['t']],
    [{ tables: ['a*'] }, ['--table', 'a*'], []],
    [{ tables: ['a?'], limit: 3 }, ['--table', 'a?', '--limit', '3'], ['ab']],
    [{ excludeTables: ['words'] }, ['--exclude-table', 'words'], ['ab', 't']],
    [{ excludeTables: ['words', 'a*', 'T*'] }, ['--exclude-table', 'words', '--exclude-table', 'a*', '--exclude-table', 't*'], ['ab']],
    [{ content: 'schema' }, ['--schema-only'], []],
    [{ format: 'csv', tables: ['words_idx'] }, ['--format', 'csv', '--table', 'words_idx'], []],
    [{ format: 'ndjson', tables: ['t'], limit: 5 }, ['--format', 'ndjson', '--table', 't', '--limit', '5'], ['t']],
  ];
  await subject.set({ isManual: true });
  for (const [number, [parameters, options, kept]] of parts.entries()) {
    const id = await subject.start({ ...parameters, name: `${number}` });
    assert.deepEqual(await tracked(), kept, options.join(' '));
    const copy = await world.copy(subject);
    for (let alarm = 1; (await subject.status(id)).finishedAt === null; alarm++) {
      await subject.sql(`UPDATE ab SET a = 'changed ${number}'`, `INSERT INTO words VALUES ('new')`, `UPDATE t SET a = 'x${alarm}' WHERE id % 100 = ${number}`);
      await subject.json('alarm');
    }
    const status = await subject.status(id);
    assert.equal(status.status, 'done', `${options}: ${status.error}`);
    const expected = exported(copy, options);
    assert.equal((await world.stored(`part/${number}`, 'memory')).toString(), expected.toString());
    assert.deepEqual(await subject.leftovers(), []);
  }
});

test('tables as wide as the platform allows are copied, those less wide are not', async () => {
  const subject = world.subject('wide', { bucket: 'memory', prefix: 'wide/' });
  await subject.set({ isManual: true });
  for (const count of [98, 99, 100]) {
    const columns = Array.from({ length: count }, (_, index) => `c${index}`);
    await subject.sql(
      `CREATE TABLE rowid_${count} (${columns.join()})`,
      `CREATE TABLE key_${count} (${columns.join().replace('c0', 'c0 INTEGER PRIMARY KEY')})`,
      `CREATE TABLE without_${count} (${columns.join()}, PRIMARY KEY (c0)) WITHOUT ROWID`,
      ...['rowid', 'key', 'without'].map((name) => `INSERT INTO ${name}_${count} (c0, c1) VALUES (1, 2)`),
    );
  }
  await subject.start();
  const kept = await subject.sql("SELECT value FROM tmp_export_snapshot WHERE key GLOB 'table *'");
  const copied = kept.flatMap(([value]) => (JSON.parse(value).mode === 'copied' ? [JSON.parse(value).name] : []));
  assert.deepEqual(copied.sort(), ['key_100', 'rowid_100', 'rowid_99', 'without_100']);
});

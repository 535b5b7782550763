// Foreign keys of imported rows: they may refer to later ones, and are checked at the end.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { numbers } from './cases.mjs';
import { World, sqlite } from './harness.mjs';
import { assertDone, original } from './importing.mjs';

let world;
before(async () => {
  world = await World.start();
});
after(() => world.stop());

const FOREIGN_KEYS = [
  {
    name: 'rows that refer to later ones of their table',
    sql: `CREATE TABLE t (id INTEGER PRIMARY KEY, next INTEGER REFERENCES t(id), pad); ${numbers(500)} INSERT INTO t SELECT i, CASE WHEN i < 500 THEN i + 1 END, printf('%.*c', 200, 'x') FROM n;`,
  },
  {
    name: 'the first row refers to the last, and keys are declared deferrable',
    sql: `CREATE TABLE t (id INTEGER PRIMARY KEY, next INTEGER REFERENCES t(id) DEFERRABLE INITIALLY DEFERRED, pad); ${numbers(400)} INSERT INTO t SELECT i, 401 - i, printf('%.*c', 300, 'x') FROM n;`,
  },
  {
    name: 'two tables refer to each other, and a third to one of them',
    sql: `CREATE TABLE z (id INTEGER PRIMARY KEY, x TEXT REFERENCES x(k)); CREATE TABLE x (k TEXT PRIMARY KEY, y INTEGER REFERENCES y) WITHOUT ROWID; CREATE TABLE y (id INTEGER PRIMARY KEY, x TEXT REFERENCES x(k) ON DELETE CASCADE, z INTEGER);
      ${numbers(300)} INSERT INTO x SELECT 'k' || i, 301 - i FROM n; ${numbers(300)} INSERT INTO y SELECT i, 'k' || (301 - i), i FROM n; ${numbers(300)} INSERT INTO z SELECT i, 'k' || i FROM n;`,
  },
  {
    name: 'keys of several columns, other affinities and collations',
    sql: `CREATE TABLE p (a TEXT COLLATE NOCASE, b REAL, PRIMARY KEY (b, a)); INSERT INTO p VALUES ('Key', 1), ('other', 2.5);
      CREATE TABLE c (x, y, z, FOREIGN KEY (x, y) REFERENCES p(a, b)); INSERT INTO c VALUES ('KEY', '1', 1), ('OTHER', 2.5, 2), (NULL, 77, 3), ('key', NULL, 4);
      CREATE TABLE q (id INTEGER PRIMARY KEY); INSERT INTO q VALUES (9007199254740993), (-9223372036854775808), (5); CREATE TABLE d (r TEXT REFERENCES q); INSERT INTO d VALUES ('5'), ('9007199254740993'), (NULL);
      CREATE TABLE e (r REFERENCES q(id)); INSERT INTO e VALUES (5), (5.0), (-9223372036854775808);`,
  },
];

for (const { name, sql } of FOREIGN_KEYS) {
  test(`foreign keys: ${name}`, async () => {
    const source = await original(world, sql);
    assert.equal(sqlite(source.file, 'PRAGMA foreign_key_check;'), '');
    const subject = world.subject(`keys ${name}`, { importBudget: { sliceStatements: 1, checkRows: 7 } });
    await assertDone(subject, await subject.importFrom(source.key), source);
    // They are enforced as ever.
    assert.deepEqual(await subject.sql('PRAGMA defer_foreign_keys', 'PRAGMA ignore_check_constraints'), [[0]]);
  });
}

const VIOLATIONS = [
  ['a row of its own table', 'CREATE TABLE t (id INTEGER PRIMARY KEY, up INTEGER REFERENCES t(id)); INSERT INTO t VALUES (1, 1), (2, 1), (3, 77), (4, 1);', 'row 3 of table "t" refers to a row of table "t"'],
  ['behind many good ones', `CREATE TABLE p (id INTEGER PRIMARY KEY); ${numbers(99)} INSERT INTO p SELECT i FROM n; CREATE TABLE t (id INTEGER PRIMARY KEY, a INTEGER REFERENCES p, b INTEGER REFERENCES p); ${numbers(99)} INSERT INTO t SELECT i, i, i + (i = 98) * 50 FROM n;`, 'row 98 of table "t" refers to a row of table "p"'],
  ['without rowids', "CREATE TABLE p (k TEXT PRIMARY KEY) WITHOUT ROWID; CREATE TABLE t (k TEXT PRIMARY KEY REFERENCES p) WITHOUT ROWID; INSERT INTO t VALUES ('x');", 'a row of table "t" refers to a row of table "p"'],
  ['another case than the key\u2019s', "CREATE TABLE p (k TEXT PRIMARY KEY); INSERT INTO p VALUES ('x'); CREATE TABLE t (k TEXT COLLATE NOCASE REFERENCES p); INSERT INTO t VALUES ('x'), ('X');", 'row 2 of table "t" refers to a row of table "p"'],
  ['declared deferrable', 'CREATE TABLE t (id INTEGER PRIMARY KEY, up INTEGER REFERENCES t(id) DEFERRABLE INITIALLY DEFERRED); INSERT INTO t VALUES (-5, 77);', 'row -5 of table "t" refers to a row of table "t"'],
];

for (const [name, sql, message] of VIOLATIONS) {
  test(`rows that refer to none fail an import, unless they may: ${name}`, async () => {
    const source = await original(world, sql);
    assert.notEqual(sqlite(source.file, 'PRAGMA foreign_key_check;'), '');
    const subject = world.subject(`violated ${name}`, { importBudget: { checkRows: 7 } });
    const status = await subject.importEnded(await subject.importFrom(source.key));
    assert.deepEqual([status.status, status.error], ['failed', `${message} that does not exist: repair the original, or give allowViolations`]);
    const lenient = world.subject(`allowed ${name}`);
    await assertDone(lenient, await lenient.importFrom(source.key, { allowViolations: true }), source);
  });
}

test('rows that violate a CHECK are imported, and checked from then on', async () => {
  const source = await original(world, 'CREATE TABLE t (a CHECK (a > 0)); PRAGMA ignore_check_constraints=ON; INSERT INTO t VALUES (-1);');
  const subject = world.subject('check');
  await assertDone(subject, await subject.importFrom(source.key), source);
  const [refused] = await subject.post('sql', ['INSERT INTO t VALUES (-2)']);
  assert.match(refused.error, /CHECK constraint failed/);
});

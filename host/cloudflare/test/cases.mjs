// Databases that are hard to bring out and in exactly, as far as the platform can hold them.
//
// PARTWAY_HARD_CASES names a file of more: `[{"name", "sql"}…]`.

import { readFileSync } from 'node:fs';

/** A WITH clause that gives the numbers from 1 to `count` as `n(i)`. */
export const numbers = (count) => `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${count})`;

export const CASES = [
  {
    name: 'integers that JavaScript has no numbers for',
    sql: `CREATE TABLE t (a, b INTEGER, c NUMERIC); INSERT INTO t VALUES (9223372036854775807, -9223372036854775808, 9007199254740993),
      (9007199254740992, -9007199254740993, 9007199254740991), (4611686018427387905, 1e19, 9223372036854775807.0);
      CREATE TABLE keys (id INTEGER PRIMARY KEY, v); INSERT INTO keys VALUES (9223372036854775807, 1), (-9223372036854775808, 2),
      (9007199254740993, 3), (9007199254740992, 4), (-9007199254740993, 5); ${numbers(900)} INSERT INTO keys SELECT 9007199254740993 + i * 2, i FROM n;`,
  },
  {
    name: 'reals that JavaScript takes for integers, infinities, negative zero',
    sql: `CREATE TABLE t (a, b REAL, c TEXT, d BLOB); INSERT INTO t VALUES (1.0, 1, 1.0, 1.0), (-0.0, -0.0, -0.0, -0.0), (0, 0, 0, 0),
      (9e999, -9e999, 9e999, -9e999), (1e300, 5e-324, 0.1, 1e22), (9007199254740993.0, 9007199254740993.0, 1, 1e15);
      CREATE TABLE keys (k REAL, m, v, PRIMARY KEY (k, m DESC)) WITHOUT ROWID; INSERT INTO keys VALUES (1, 1.0, 1), (1, 2, 2), (-0.0, -0.0, 3), (9e999, 9e999, 4);
      ${numbers(700)} INSERT INTO keys SELECT 100 + i / 4, i / 3.0, i FROM n;`,
  },
  {
    name: 'text that is not UTF-8, NUL, byte order marks, replacement characters',
    sql: `CREATE TABLE t (a TEXT, b); INSERT INTO t VALUES (CAST(x'ff' AS TEXT), char(0)), (char(65533), 'a' || char(0) || 'b'), (char(65279) || 'x', CAST(x'eda080' AS TEXT)), ('', x'');
      ${numbers(500)} INSERT INTO t SELECT CASE i % 50 WHEN 0 THEN CAST(x'c328' AS TEXT) WHEN 1 THEN char(65533) ELSE 'ü' || i END, 9007199254740993 + i FROM n;
      CREATE TABLE keys (k PRIMARY KEY, v) WITHOUT ROWID; ${numbers(600)} INSERT INTO keys SELECT CASE i % 3 WHEN 0 THEN CAST(x'61ff' || i AS TEXT) WHEN 1 THEN 'é' || i ELSE CAST('b' || i AS BLOB) END, i FROM n;`,
  },
  {
    name: 'rows of 2 MB, long values among small ones',
    // Thirty parts in a value; with the others' size it would be a thousand.
    partSize: 65_536,
    sql: `CREATE TABLE t (id INTEGER PRIMARY KEY, a, b TEXT); INSERT INTO t VALUES (1, randomblob(1999000), 'x'), (2, 1, replace(hex(zeroblob(600000)), '00', 'aé')), (3, randomblob(262144), 'y'), (4, randomblob(262145), 'z');
      ${numbers(800)} INSERT INTO t SELECT 10 + i, CASE i % 100 WHEN 5 THEN randomblob(300000) ELSE i END, 'text ' || i FROM n;`,
  },
  {
    name: 'keys in every direction and collation',
    sql: `CREATE TABLE t (x TEXT COLLATE NOCASE, y INTEGER, z, v, PRIMARY KEY (x DESC, y, z DESC)) WITHOUT ROWID;
      ${numbers(900)} INSERT INTO t SELECT char(65 + i % 5 + 32 * (i % 2)) || char(97 + i % 3), i % 11, CASE i % 4 WHEN 0 THEN i WHEN 1 THEN i / 7.0 WHEN 2 THEN 'z' || i ELSE CAST(i AS BLOB) END, i FROM n;
      CREATE TABLE twice (a TEXT, v, PRIMARY KEY (a COLLATE NOCASE, a COLLATE BINARY DESC)) WITHOUT ROWID; ${numbers(400)} INSERT INTO twice SELECT char(65 + i % 20 + 32 * (i % 2)) || i, i FROM n;`,
  },
  {
    name: '100 columns, and rowids that no name reaches',
    // With its rowid, a row of the dump has 101 values, and the platform takes 100 in a statement of several rows.
    sql: `CREATE TABLE wide (${Array.from({ length: 100 }, (_, index) => `c${index}`).join()}); INSERT INTO wide (c0, c50, c99) VALUES (1, 2.0, 'x'), (9007199254740993, x'00', -0.0);
      ${numbers(300)} INSERT INTO wide (c7, c98) SELECT i, i * 1.0 FROM n;
      CREATE TABLE shadowed (rowid, _rowid_, oid, a); ${numbers(500)} INSERT INTO shadowed SELECT -i, i % 7, NULL, 'row ' || i FROM n; DELETE FROM shadowed WHERE rowid % 5 = 0;
      CREATE TABLE wide_key (${Array.from({ length: 60 }, (_, index) => `c${index}`).join()}, PRIMARY KEY (${Array.from({ length: 30 }, (_, index) => `c${index}`).join()})) WITHOUT ROWID;
      ${numbers(200)} INSERT INTO wide_key SELECT ${Array.from({ length: 60 }, (_, index) => `i % ${index + 2}`).join()} FROM n WHERE i < 60;`,
  },
  {
    name: 'full-text search: own, external and no content, deleted rows',
    sql: `CREATE VIRTUAL TABLE own USING fts5(title, body UNINDEXED, tokenize = 'porter unicode61'); ${numbers(300)} INSERT INTO own SELECT 'word ' || i, 'body ' || i FROM n; DELETE FROM own WHERE rowid % 3 = 0;
      CREATE TABLE content (id INTEGER PRIMARY KEY, a); INSERT INTO content VALUES (3, 'x y'), (9, 'z'); CREATE VIRTUAL TABLE external USING fts5(a, content='content', content_rowid='id'); INSERT INTO external (external) VALUES ('rebuild');
      CREATE VIRTUAL TABLE contentless USING fts5(a, content=''); INSERT INTO contentless (rowid, a) VALUES (1, 'kept nowhere');`,
  },
  {
    name: 'statistics and sequences, without those of exports',
    sql: `CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT, a); ${numbers(300)} INSERT INTO t (a) SELECT i % 7 FROM n; CREATE INDEX i ON t (a); DELETE FROM t WHERE id > 250; ANALYZE;`,
    again: 'ANALYZE',
  },
  {
    name: 'columns for blobs: of every length, beside text that looks like their digits',
    sql: `CREATE TABLE t (id INTEGER PRIMARY KEY, a BLOB, b BLOB NOT NULL, c LONGBLOB); ${numbers(300)} INSERT INTO t SELECT i, randomblob(i % 130), CASE i % 6 WHEN 0 THEN hex(randomblob(5)) WHEN 1 THEN i WHEN 2 THEN i * 1.0 WHEN 3 THEN CAST(x'4142ff' AS TEXT) WHEN 4 THEN zeroblob(64) ELSE zeroblob(65) END, CASE i % 3 WHEN 0 THEN NULL WHEN 1 THEN x'' ELSE '' END FROM n;
      INSERT INTO t VALUES (400, randomblob(262130), x'000102030405060708090a0b0c0d0e0f', 'after'), (401, x'00', randomblob(262144), x'ff');
      CREATE TABLE keys (k BLOB, n BLOB, v BLOB, PRIMARY KEY (k, n)) WITHOUT ROWID; ${numbers(300)} INSERT INTO keys SELECT CASE i % 4 WHEN 0 THEN hex(i) WHEN 1 THEN CAST(i AS BLOB) WHEN 2 THEN i ELSE i / 2.0 END, randomblob(8), randomblob(16) FROM n;
      CREATE TABLE wide (${Array.from({ length: 100 }, (_, index) => `c${index} BLOB`).join()}); ${numbers(80)} INSERT INTO wide (c0, c30, c31, c62, c94, c98) SELECT i, x'01', 'AB', 1.0, randomblob(i), i FROM n;`,
  },
  { name: 'an empty database', sql: '' },
];

const more = process.env.PARTWAY_HARD_CASES;
export const MORE = more === undefined ? [] : JSON.parse(readFileSync(more, 'utf8'));

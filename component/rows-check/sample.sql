-- What `check-sample` expects. Make it with the sqlite3 program: sqlite3 sample.db < sample.sql
PRAGMA page_size = 8192;
PRAGMA auto_vacuum = INCREMENTAL;
PRAGMA user_version = 7;
PRAGMA application_id = -5;

-- The ends of numbers, and numbers of two types that look the same. SQLite itself drops the sign of -0.0 in a REAL column.
CREATE TABLE numbers (id INTEGER PRIMARY KEY, a, r REAL, t TEXT);
INSERT INTO numbers VALUES
  (-9223372036854775808, 9223372036854775807, 9e999, 1),
  (-1, -9223372036854775808, -9e999, 1.5),
  (0, 9007199254740993, 5e-324, NULL),
  (1, 1.0, 1, ''),
  (2, -0.0, -0.0, x''),
  (9223372036854775807, 0.1, 1e23, x'00');

-- Text that is cut or changed by what takes it for a string.
CREATE TABLE texts (a TEXT);
INSERT INTO texts VALUES ('plain'), (''), ('a' || char(0) || 'b'), (CAST(x'ff' AS TEXT)), (CAST(x'eda080' AS TEXT)),
  ('é😀'), (char(65279) || 'x'), ('line' || char(13, 10)), ('it''s "quoted"');

-- Values that are long at small batches; the second cell of a row may be long, and the third not.
CREATE TABLE longs (id INTEGER PRIMARY KEY, a, b, c);
INSERT INTO longs VALUES
  (1, replace(hex(zeroblob(50000)), '00', 'ab'), 'short', zeroblob(70000)),
  (2, 'short', replace(hex(zeroblob(20000)), '00', 'é'), 'end'),
  (3, zeroblob(65536), 'x', 'y'),
  (4, zeroblob(65537), 'x', 'y'),
  (5, zeroblob(40000), zeroblob(40000), 'z');

-- A key in an order and a collation of its own, of values of every type.
CREATE TABLE keys (k TEXT COLLATE NOCASE, n, v, PRIMARY KEY (k DESC, n)) WITHOUT ROWID;
INSERT INTO keys VALUES ('a', 1, 'one'), ('B', 2, 'two'), ('b', 1.5, 'three'), ('b', 'text', 'four'), ('b', x'00', 'five'),
  ('', -1, 'six'), ('C', 9007199254740993, 'seven'), ('c', 9007199254740992, 'eight'), (CAST(x'ff' AS TEXT), 1, 'nine');

-- A rowid that is no column, has gaps, and one name left.
CREATE TABLE gaps (rowid TEXT, oid TEXT);
INSERT INTO gaps (_rowid_, rowid, oid) VALUES (-5, 'a', 'b'), (7, 'c', 'd'), (4611686018427387904, 'e', 'f');

-- No INTEGER PRIMARY KEY, though it looks like one.
CREATE TABLE no_alias (id INTEGER PRIMARY KEY DESC, v);
INSERT INTO no_alias (rowid, id, v) VALUES (1, 30, 'x'), (2, 10, 'y'), (3, 20, 'z');

-- Rows that can't be reached by a name of their rowid.
CREATE TABLE hidden (rowid, _rowid_, oid);
INSERT INTO hidden VALUES (3, 'c', 1), (2, 'b', 2), (1, 'a', 3);

CREATE TABLE generated (a INTEGER, v AS (a * 2), s TEXT AS ('s' || a) STORED);
INSERT INTO generated (a) VALUES (1), (2);

CREATE TABLE strict_any (a ANY, i INT) STRICT;
INSERT INTO strict_any VALUES ('1', 1), (1, 2), (1.0, 3);

CREATE TABLE "odd ""name; it's" ("a b", "ä", "select");
INSERT INTO "odd ""name; it's" VALUES (1, 2, 3);

CREATE TABLE empty (a);

-- Many small rows: several batches.
CREATE TABLE many (id INTEGER PRIMARY KEY, v TEXT);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1500)
  INSERT INTO many SELECT i * 3, 'row ' || i FROM n;

CREATE TABLE parent (id INTEGER PRIMARY KEY);
CREATE TABLE child (p REFERENCES parent (id), q REFERENCES missing (x), r REFERENCES child (r));
CREATE INDEX child_p ON child (p);
CREATE VIEW seen AS SELECT a FROM texts;
CREATE TRIGGER fired AFTER INSERT ON parent BEGIN SELECT 1; END;

-- A DuckDB database with a column of every type, and what has no place in SQLite's schema.
CREATE TYPE mood AS ENUM ('sad', 'ok');
CREATE TABLE parent (id INTEGER PRIMARY KEY, name VARCHAR NOT NULL UNIQUE, CHECK (id > 0));
INSERT INTO parent VALUES (1, 'a'), (2, 'b');
CREATE TABLE numbers (yes BOOLEAN, tiny TINYINT, big BIGINT, unsigned_big UBIGINT, huge HUGEINT, unsigned_huge UHUGEINT,
  exact DECIMAL(18, 3), single FLOAT, double DOUBLE);
INSERT INTO numbers VALUES
  (true, -128, 9223372036854775807, 18446744073709551615, -170141183460469231731687303715884105727,
    340282366920938463463374607431768211455, 1.100, 0.1, '-0.0'),
  (false, 127, -9223372036854775808, 0, 0, 0, -999999999999999.999, 'inf', 5e-324),
  (NULL, NULL, NULL, NULL, NULL, NULL, NULL, 'nan', 'nan');
CREATE TABLE times (day DATE, time TIME, moment TIMESTAMP, zoned TIMESTAMPTZ, nanoseconds TIMESTAMP_NS, span INTERVAL);
INSERT INTO times VALUES ('2024-02-29', '12:34:56.789', '2024-02-29 12:34:56', '2024-02-29 12:34:56+02',
  '2024-02-29 12:34:56.123456789', INTERVAL '1 month 2 days'), ('infinity', NULL, '-infinity', NULL, NULL, NULL);
CREATE TABLE texts (text VARCHAR, bytes BLOB, bits BIT, id UUID, feeling mood, document JSON);
INSERT INTO texts VALUES
  ('a' || chr(0) || 'é''', '\x00\xFF'::BLOB, '10101', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', 'ok', '{"a": 1.0}'),
  ('', ''::BLOB, NULL, NULL, NULL, NULL), (repeat('long ', 60000), repeat('\x01', 300000)::BLOB, NULL, NULL, NULL, NULL);
CREATE TABLE nested (list INTEGER[], lists VARCHAR[][], fixed INTEGER[2], pair STRUCT(a INTEGER, b VARCHAR),
  map MAP(VARCHAR, INTEGER), either UNION(x INTEGER, y VARCHAR));
INSERT INTO nested VALUES ([1, NULL, 3], [['a'], []], [1, 2], {'a': 1, 'b': 'x'}, MAP {'k': 1}, union_value(y := 'q'));
CREATE TABLE child (parent INTEGER REFERENCES parent (id), twice INTEGER AS (parent * 2), plain INTEGER DEFAULT 7);
INSERT INTO child (parent) VALUES (1), (NULL);
CREATE TABLE gaps AS SELECT range AS id, 'row ' || range AS "a ""b""" FROM range(5000);
DELETE FROM gaps WHERE id % 9 <> 0 OR id BETWEEN 2000 AND 4200;
CREATE TABLE empty (a INTEGER);
CREATE INDEX by_text ON texts (text);
CREATE UNIQUE INDEX by_numbers ON numbers (big, tiny);
CREATE INDEX by_expression ON parent ((id + 1));
CREATE VIEW seen AS SELECT text FROM texts;
CREATE SEQUENCE counted;
CREATE MACRO double_of(a) AS a * 2;
CREATE SCHEMA other;
CREATE TABLE other.elsewhere (a INTEGER);

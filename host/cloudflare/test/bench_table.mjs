// The table that is measured: numbers, text, blobs and NULLs, some 100 bytes a row.

/** Makes it, with so many MB of it; the number of its rows. */
export async function fill(subject, megabytes) {
  await subject.sql(
    'CREATE TABLE t (id INTEGER PRIMARY KEY, a INTEGER, b REAL, c TEXT, d TEXT, e BLOB, f, g INTEGER, h TEXT, i)',
  );
  const rows = Math.round(megabytes * 7700);
  for (let from = 1; from <= rows; from += 50_000) {
    await subject.sql(
      `WITH RECURSIVE n(i) AS (SELECT ${from} UNION ALL SELECT i + 1 FROM n WHERE i < ${Math.min(from + 49_999, rows)})
        INSERT INTO t SELECT i, i * 7919, i / 7.0, 'name ' || i, 'some longer text with it''s quotes and words number ' || i || ' and so on', x'0001020304050607', NULL, i % 100, 'c' || (i % 50), CASE i % 3 WHEN 0 THEN i WHEN 1 THEN 'x' || i ELSE 1.5 END FROM n`,
    );
  }
  return rows;
}

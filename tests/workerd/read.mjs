// All of a database as one JSON document, in pieces.

/** Cells of a row that one query reads: each takes two columns, and a result has at most 100. */
const COLUMNS_AT_ONCE = 45;

/** Pieces of the document gather to this many characters. */
const PIECE = 256 * 1024;

/**
 * `query` gives a statement's rows as arrays, at once or in time. The document:
 * `{"objects": [[type, name, sql]...], "tables": [{"name", "rowid", "columns", "rows": [[cell...]...]}...],
 * "sequence": rows, "stat1": rows}`, a cell being `[storage class, text]` as `cell` below makes it.
 */
export async function* document(query) {
  let piece = '';
  for await (const part of parts(query)) {
    piece += part;
    if (piece.length > PIECE) {
      yield piece;
      piece = '';
    }
  }
  if (piece !== '') yield piece;
}

async function* parts(query) {
  const all = async (sql) => {
    const rows = [];
    for await (const row of query(sql)) rows.push(row);
    return rows;
  };
  const ours = "name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND name NOT LIKE '\\_cf\\_%' ESCAPE '\\'";
  const objects = await all(
    `SELECT type, name, sql FROM sqlite_master WHERE ${ours} ORDER BY type, name`,
  );
  yield `{"objects":${JSON.stringify(objects)},\n"tables":[`;
  const tables = await all(
    `SELECT name, type, wr FROM pragma_table_list
       WHERE schema = 'main' AND type IN ('table', 'virtual') AND ${ours} ORDER BY name`,
  );
  let isFirst = true;
  for (const [name, type, withoutRowid] of tables) {
    const sql = objects.find(([, object]) => object === name)[2];
    if (type === 'virtual' && /USING\s+fts5/i.test(sql)) {
      await all(`INSERT INTO ${quoted(name)}(${quoted(name)}, rank) VALUES ('integrity-check', 1)`);
    }
    const columns = (
      await all(`SELECT name, pk FROM pragma_table_xinfo(${text(name)}) WHERE hidden <> 1`)
    ).map(([column, key]) => ({ column, key }));
    yield `${isFirst ? '' : ','}\n`;
    yield* table(query, name, columns, withoutRowid === 1);
    isFirst = false;
  }
  yield '],\n';
  const internal = async (table, columns) => {
    const [has] = await all(`SELECT count(*) FROM sqlite_master WHERE name = '${table}'`);
    if (has[0] === 0) return [];
    return all(`SELECT ${columns} FROM ${table} ORDER BY ${columns}`);
  };
  yield `"sequence":${JSON.stringify(await internal('sqlite_sequence', 'name, CAST(seq AS TEXT)'))},\n`;
  yield `"stat1":${JSON.stringify(await internal('sqlite_stat1', 'tbl, idx, stat'))}}\n`;
}

async function* table(query, name, columns, withoutRowid) {
  const names = columns.map(({ column }) => column);
  const taken = (rowid) => names.some((column) => column.toLowerCase() === rowid);
  const rowid = withoutRowid ? null : (['rowid', '_rowid_', 'oid'].find((rowid) => !taken(rowid)) ?? null);
  const key = columns.filter(({ key }) => key > 0).sort((one, other) => one.key - other.key);
  const order = rowid
    ? [rowid]
    : (withoutRowid ? key : columns).map(({ column }) => `${quoted(column)} COLLATE BINARY`);
  const cells = [...(rowid ? [rowid] : []), ...names.map(quoted)];

  yield `{"name":${JSON.stringify(name)},"rowid":${JSON.stringify(rowid)},`;
  yield `"columns":${JSON.stringify(names)},"rows":[`;
  const groups = [];
  for (let from = 0; from < cells.length; from += COLUMNS_AT_ONCE) {
    const selected = cells.slice(from, from + COLUMNS_AT_ONCE).map(readable).join(', ');
    const rows = query(`SELECT ${selected} FROM ${quoted(name)} ORDER BY ${order.join(', ')}`);
    groups.push(rows[Symbol.asyncIterator]?.() ?? rows[Symbol.iterator]());
  }
  for (let separator = '\n'; ; separator = ',\n') {
    const parts = [];
    for (const group of groups) parts.push(await group.next());
    if (parts.some(({ done }) => done)) break;
    const row = parts.flatMap(({ value }) => value);
    const read = [];
    for (let at = 0; at < row.length; at += 2) read.push(cell(row[at], row[at + 1]));
    yield separator + JSON.stringify(read);
  }
  yield ']}';
}

/** Two expressions: a cell's storage class, and its value in a form that JavaScript can hold. */
function readable(cell) {
  return `typeof(${cell}), CASE typeof(${cell})
    WHEN 'integer' THEN CAST(${cell} AS TEXT)
    WHEN 'text' THEN CAST(${cell} AS BLOB)
    WHEN 'real' THEN CASE
      WHEN ${cell} = 9e999 THEN 'Infinity'
      WHEN ${cell} = -9e999 THEN '-Infinity'
      WHEN ${cell} = 0.0 AND atan2(${cell}, -1.0) < 0.0 THEN '-0'
      ELSE ${cell} END
    ELSE ${cell} END`;
}

/** A cell: integers in decimal digits, reals as the sixteen hexadecimal digits of their bits, text and blobs in hexadecimal digits. */
function cell(kind, value) {
  if (kind === 'integer') return [kind, value];
  if (kind === 'real') {
    const bits = new DataView(new ArrayBuffer(8));
    bits.setFloat64(0, Number(value));
    return [kind, bits.getBigUint64(0).toString(16).padStart(16, '0')];
  }
  if (kind === 'null') return [kind, ''];
  return [kind, hexadecimal(new Uint8Array(value))];
}

const BYTES = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));

function hexadecimal(bytes) {
  let digits = '';
  for (const byte of bytes) digits += BYTES[byte];
  return digits;
}

function quoted(name) {
  return `"${name.replaceAll('"', '""')}"`;
}

function text(value) {
  return `'${value.replaceAll("'", "''")}'`;
}

// A scan of one table: batches of rows, positions between them, and the bytes of long values.

const [INTEGER, FLOAT, TEXT, BLOB, NULL, LONG_TEXT, LONG_BLOB] = [1, 2, 3, 4, 5, 6, 7];
const MAX_CELLS = 32_768;

/** One of the contract's errors. jco gives the component what is in `payload`. */
export class RowsError extends Error {
  constructor(tag, text) {
    super(text);
    this.payload = { tag, val: text };
  }
}

export function quoted(name) {
  return `"${name.replaceAll('"', '""')}"`;
}

/**
 * A column as two results. Text comes as the bytes that are stored: it may be UTF-16, and need not be valid.
 */
function exact(name) {
  return `typeof(${name}) = 'text', CASE typeof(${name}) WHEN 'text' THEN CAST(${name} AS BLOB) ELSE ${name} END`;
}

export class Cursor {
  #db;
  #key;
  #select;
  #rows;
  /** A row that did not fit into the last batch. */
  #pending = null;
  /** The position before the last batch, and its rows, each with the position after it. */
  #before;
  #batch = [];

  /** `key`: the columns that order the table; none: its rowid has no name. */
  constructor(db, table, columns, key, after) {
    this.#db = db;
    this.#key = key;
    const cells = [...key.map(({ name }) => name), ...columns.map(quoted)].map(exact);
    this.#select = `SELECT ${cells.join(', ')} FROM ${quoted(table)}`;
    this.#before = decodePosition(after ?? new Uint8Array());
    if (this.#before.length > 0 && this.#before.length !== Math.max(key.length, 1)) {
      throw new RowsError('invalid-position', `that is no position in table ${table}`);
    }
    this.#rows = this.#rowsAfter(this.#before);
  }

  *#rowsAfter(position) {
    const key = this.#key;
    if (key.length === 0) {
      // Columns have all three names of the rowid. Nothing else can be asked for, so rows are counted.
      let count = position[0]?.value ?? 0n;
      for (const cells of this.#cells(`${this.#select} NOT INDEXED LIMIT -1 OFFSET ?1`, [count])) {
        count += 1n;
        yield { after: [{ isText: false, value: count }], cells };
      }
      return;
    }
    const order = key.map(({ name, collation, descends }) => `${name} COLLATE ${collation} ${descends ? 'DESC' : 'ASC'}`);
    // Behind the key (a, b) are the rows with the same a and a further b, then those with a further a. Each is one
    // range of the index, whatever the directions and collations.
    for (let depth = position.length; depth > 0 || position.length === 0; depth--) {
      const terms = position.slice(0, depth).map((value, index) => condition(key[index], value, index + 1, depth));
      const where = terms.length === 0 ? '' : `WHERE ${terms.join(' AND ')}`;
      const values = position.slice(0, depth).map(({ value }) => value);
      for (const cells of this.#cells(`${this.#select} ${where} ORDER BY ${order}`, values)) {
        yield { after: cells.slice(0, key.length), cells: cells.slice(key.length) };
      }
      if (position.length === 0) return;
    }
  }

  /** Rows as cells: a bigint, a number, bytes or null; with the bytes of text marked. */
  *#cells(sql, values) {
    const statement = this.#db.prepare(sql);
    statement.setReadBigInts(true);
    statement.setReturnArrays(true);
    for (const row of statement.iterate(...values)) {
      const cells = [];
      for (let at = 0; at < row.length; at += 2) cells.push({ isText: row[at] === 1n, value: row[at + 1] });
      yield cells;
    }
  }

  next(maxBytes) {
    this.#before = this.#batch.at(-1)?.after ?? this.#before;
    this.#batch = [];
    const kinds = [];
    const integers = [];
    const reals = [];
    const lengths = [];
    const pieces = [];
    let size = 0;
    for (;;) {
      const row = this.#pending ?? this.#rows.next().value;
      this.#pending = null;
      if (row === undefined) break;
      const short = shortCells(row.cells, maxBytes);
      const rowSize = row.cells.reduce((sum, { value }, at) => sum + (short[at] ? value.length : 0), 0);
      const isFull = size + rowSize > maxBytes || kinds.length + row.cells.length > MAX_CELLS;
      if (this.#batch.length > 0 && isFull) {
        this.#pending = row;
        break;
      }
      for (const [at, { isText, value }] of row.cells.entries()) {
        if (value === null) kinds.push(NULL);
        else if (typeof value === 'bigint') {
          kinds.push(INTEGER);
          integers.push(value);
        } else if (typeof value === 'number') {
          kinds.push(FLOAT);
          reals.push(value);
        } else {
          kinds.push(short[at] ? (isText ? TEXT : BLOB) : isText ? LONG_TEXT : LONG_BLOB);
          lengths.push(value.length);
          if (short[at]) pieces.push(value);
        }
      }
      size += rowSize;
      this.#batch.push(row);
    }
    return {
      rows: this.#batch.length,
      kinds: Uint8Array.from(kinds),
      integers: BigInt64Array.from(integers),
      reals: Float64Array.from(reals),
      lengths: Uint32Array.from(lengths),
      bytes: new Uint8Array(Buffer.concat(pieces)),
    };
  }

  position(rows) {
    if (rows > this.#batch.length) throw new RowsError('invalid-cell', `the last batch has no row ${rows}`);
    return encodePosition(rows === 0 ? this.#before : this.#batch[rows - 1].after);
  }

  read(row, column, offset, maxBytes) {
    const value = this.#batch[row]?.cells[column]?.value;
    if (!(value instanceof Uint8Array)) {
      throw new RowsError('invalid-cell', `cell ${column} of row ${row} of the last batch has no bytes`);
    }
    return value.subarray(offset, offset + maxBytes);
  }
}

/** Rows whose value in a column of the key is the given one, or comes behind it if the column is the last. */
function condition({ name, collation, descends }, value, number, depth) {
  const operator = number < depth ? '=' : descends ? '<' : '>';
  // Text is bound as its bytes. The plus removes the affinity of CAST, which would change how numbers compare.
  const parameter = value.isText ? `+CAST(?${number} AS TEXT)` : `?${number}`;
  return `${name} COLLATE ${collation} ${operator} ${parameter}`;
}

/** Which cells have bytes that go into the batch: all text and blobs that are not long. */
function shortCells(cells, maxBytes) {
  let taken = 0;
  return cells.map(({ value }) => {
    const isShort = value instanceof Uint8Array && taken + value.length <= maxBytes;
    if (isShort) taken += value.length;
    return isShort;
  });
}

/** JSON of pairs: the kind of a value, and the value, of which JSON's own numbers would lose something. */
function encodePosition(position) {
  const real = new DataView(new ArrayBuffer(8));
  const pairs = position.map(({ isText, value }) => {
    if (typeof value === 'bigint') return ['integer', String(value)];
    if (typeof value === 'number') {
      real.setFloat64(0, value);
      return ['real', String(real.getBigUint64(0))];
    }
    return [isText ? 'text' : 'blob', Buffer.from(value).toString('hex')];
  });
  return new TextEncoder().encode(JSON.stringify(pairs));
}

function decodePosition(bytes) {
  if (bytes.length === 0) return [];
  const real = new DataView(new ArrayBuffer(8));
  try {
    return JSON.parse(new TextDecoder().decode(bytes)).map(([kind, text]) => {
      if (kind === 'integer') return { isText: false, value: BigInt(text) };
      if (kind === 'real') {
        real.setBigUint64(0, BigInt(text));
        return { isText: false, value: real.getFloat64(0) };
      }
      return { isText: kind === 'text', value: Uint8Array.from(Buffer.from(text, 'hex')) };
    });
  } catch {
    throw new RowsError('invalid-position', 'the position is damaged');
  }
}

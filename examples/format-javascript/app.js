// Exports every table as newline-delimited JSON: a component of the world export-component, in JavaScript.
// It writes the same bytes as ../format-python.

import { describe, scan } from "partway:pipe/rows@0.1.0";

import * as checkpoints from "./checkpoint.js";
import { LONGEST_TEXT, pass } from "./memory.js";
import * as ndjson from "./ndjson.js";
import { EndOfSlice, Output } from "./output.js";

// Text and blobs in one batch. A value that does not fit is long. The same for the whole export.
const BATCH_BYTES = 256 * 1024;

// How much of a long value is read at once: whole groups of base64, and whole units of UTF-16.
const PIECE = 192 * 1024;

const WARNING = "Only rows are exported: no types of columns, indexes, views or triggers.";

/** An error of the contract. What else is thrown is a trap. */
class Failure {
  constructor(tag, val) {
    this.tag = tag;
    this.val = val;
  }
}

/** What the host calls. */
export const exporter = {
  start({ format, tables, partSize, settings }) {
    if (format !== "ndjson") {
      throw new Failure("invalid-options", `this component does not know the format '${format}': it writes "ndjson"`);
    }
    if (settings.length > 0) throw new Failure("invalid-options", `the format has no setting '${settings[0][0]}'`);
    return translatingErrors(() => {
      const plan = new Plan(describe(), tables);
      return checkpoints.encode(checkpoints.first(tables, partSize, plan.digest()));
    });
  },

  resume(from, budget) {
    return translatingErrors(() => {
      let checkpoint;
      try {
        checkpoint = checkpoints.decode(from);
      } catch (error) {
        throw invalidCheckpoint(`the checkpoint is damaged or of another version (${error.message})`);
      }
      return new Slice(checkpoint, budget.parts).run();
    });
  },
};

/** What is exported: all tables in the order of the schema, or those that the options name. */
class Plan {
  constructor(schema, names) {
    this.encoding = schema.encoding;
    this.tables = [];
    this.warnings = [WARNING];
    const wanted = new Set(names);
    for (const { name, table } of schema.objects) {
      if (!table) continue;
      const shown = new TextDecoder("utf-8", { ignoreBOM: true }).decode(name);
      if (names.length > 0 ? !wanted.delete(shown) : shown.startsWith("sqlite_")) continue;
      if (table.flags.virtual) {
        this.warnings.push(`The virtual table "${shown}" is left out. Its data is in its shadow tables.`);
        continue;
      }
      try {
        const columns = table.columns.map((column) => column.name);
        this.tables.push(new ndjson.Table(name, columns));
      } catch {
        throw new Failure("invalid-options", `the table "${shown}" or one of its columns has a name that is not UTF-8`);
      }
    }
    for (const name of wanted) throw new Failure("invalid-options", `there is no table '${name}'`);
  }

  /** FNV-1a of the encoding, tables and columns: a checkpoint means nothing in another schema. */
  digest() {
    let hash = 0x811c9dc5;
    for (const text of [this.encoding, ...this.tables.map((table) => table.heading)]) {
      for (const byte of new TextEncoder().encode(text)) hash = Math.imul(hash ^ byte, 0x01000193);
    }
    return hash >>> 0;
  }
}

/** One slice: from the checkpoint's point to the end of the budget or of the rows. */
class Slice {
  constructor(checkpoint, budget) {
    this.plan = new Plan(describe(), checkpoint.tables);
    if (this.plan.digest() !== checkpoint.schema) throw invalidCheckpoint("the database has another schema now");
    this.begin = checkpoint.point;
    this.rows = this.begin.rows; // complete so far
    this.output = new Output(checkpoint, budget);
  }

  run() {
    const { begin, output } = this;
    const { tables, warnings } = this.plan;
    const count = tables.length;
    try {
      // A row much longer than a part leaves whole parts in the carry.
      output.cut(begin);
      for (let index = begin.table; index < count; index += 1) {
        this.table(index, index === begin.table ? begin : checkpoints.point(index, this.rows));
      }
      // Behind the last table is the last line.
      if (!(begin.table === count && begin.isOpen)) {
        output.write(ndjson.end(count, this.rows), () => checkpoints.point(count, this.rows, { isOpen: true }));
      }
    } catch (error) {
      if (error instanceof EndOfSlice) return this.more();
      throw error;
    }
    const bytes = output.finish();
    const { parts } = output.last;
    return { tag: "done", val: { tables: count, rows: BigInt(this.rows), bytes, parts, warnings, damaged: [] } };
  }

  more() {
    const { last } = this.output;
    const { point, parts } = last;
    const reading = this.plan.tables[point.table];
    const progress = {
      table: reading && ndjson.name(reading.name),
      tables: Math.min(point.table, this.plan.tables.length),
      rows: BigInt(point.rows),
      bytes: BigInt(parts) * BigInt(last.partSize),
      parts,
    };
    return { tag: "more", val: { checkpoint: checkpoints.encode(last), progress } };
  }

  table(index, begin) {
    const table = this.plan.tables[index];
    if (!begin.isOpen) {
      this.output.write(table.heading, () => checkpoints.point(index, this.rows, { isOpen: true }));
    }
    let inside = begin.column === null ? null : begin;
    const cursor = scan(table.name, table.columns, begin.after ?? undefined);
    try {
      for (let batch = cursor.next(BATCH_BYTES); batch.rows > 0; batch = cursor.next(BATCH_BYTES)) {
        pass(batch.bytes.length + 16 * batch.kinds.length);
        this.batch(index, cursor, batch, inside);
        inside = null;
        this.output.pause();
      }
    } finally {
      cursor[Symbol.dispose]();
    }
    if (inside) throw invalidCheckpoint("it points into a row that does not exist");
  }

  batch(index, cursor, batch, inside) {
    const { before } = this.plan.tables[index];
    const cells = new Cells(batch, this.plan.encoding);
    for (let row = 0; row < batch.rows; row += 1) {
      const kinds = batch.kinds.subarray(row * before.length, (row + 1) * before.length);
      let text = "";
      if (inside || kinds.some((kind) => kind >= ndjson.LONG_TEXT)) {
        text = this.longRow(index, cursor, row, cells, kinds, inside);
        inside = null;
      } else {
        for (let i = 0; i < before.length; i += 1) text += before[i] + cells.next(kinds[i]);
      }
      this.rows += 1;
      const point = () => checkpoints.point(index, this.rows, { isOpen: true, after: cursor.position(row + 1) });
      this.output.write(text + ndjson.END_OF_ROW, point);
    }
  }

  /** Writes a row that has long values, from the point inside it on if there is one, and returns its last text. */
  longRow(index, cursor, row, cells, kinds, inside) {
    const { before } = this.plan.tables[index];
    const { encoding } = this.plan;
    let text = "";
    for (const [column, kind] of kinds.entries()) {
      if (inside && column < inside.column) {
        cells.next(kind);
        continue;
      }
      const resumed = inside?.column === column;
      if (!resumed) text += before[column];
      if (kind < ndjson.LONG_TEXT) {
        if (resumed) throw invalidCheckpoint("it points into a value that is not long");
        text += cells.next(kind);
        continue;
      }
      const value = new LongValue(cursor, row, column, cells.length());
      if (kind === ndjson.LONG_TEXT && value.length > LONGEST_TEXT) {
        throw new Failure("read-failed", `a text of ${value.length} bytes is longer than this component can read`);
      }
      let { form, offset } = resumed ? inside : { form: ndjson.longForm(kind, value, encoding), offset: 0 };
      if (!resumed) text += ndjson.BEFORE[form];
      while (offset < value.length) {
        const [more, used] = ndjson.pieceOfLong(value.piece(offset), form, encoding);
        offset += used;
        const place = { isOpen: true, column, form, offset };
        const point = () => checkpoints.point(index, this.rows, { ...place, after: cursor.position(row) });
        this.output.write(text + more, point);
        text = "";
      }
      text += ndjson.AFTER[form];
    }
    return text;
  }
}

/** The cells of a batch, in order. */
class Cells {
  constructor(batch, encoding) {
    this.batch = batch;
    this.encoding = encoding;
    this.integers = this.reals = this.lengths = this.used = 0;
  }

  next(kind) {
    switch (kind) {
      case ndjson.INTEGER:
        return String(this.batch.integers[this.integers++]); // a BigInt: exact
      case ndjson.REAL:
        return ndjson.real(this.batch.reals[this.reals++]);
      case ndjson.NULL:
        return "null";
    }
    const length = this.length();
    if (kind > ndjson.BLOB) return ""; // long: not in the batch
    const value = this.batch.bytes.subarray(this.used, this.used + length);
    this.used += length;
    return kind === ndjson.TEXT ? ndjson.text(value, this.encoding) : ndjson.blob(value);
  }

  length() {
    return this.batch.lengths[this.lengths++];
  }
}

/** A value that the batch does not contain. */
class LongValue {
  constructor(cursor, row, column, length) {
    Object.assign(this, { cursor, row, column, length });
  }

  piece(offset) {
    const piece = this.cursor.read(this.row, this.column, offset, PIECE);
    pass(piece.length);
    if (piece.length === 0) throw new Failure("read-failed", "a long value is shorter than its length");
    return piece;
  }
}

function invalidCheckpoint(message) {
  return new Failure("invalid-checkpoint", `${message}: start the export over`);
}

// The errors of rows and parts, as the exporter's.
const ERRORS = {
  "unknown-table": "invalid-checkpoint",
  "unknown-column": "invalid-checkpoint",
  "invalid-position": "invalid-checkpoint",
  "invalid-cell": "read-failed",
  unavailable: "read-failed",
  corrupt: "corrupt",
  interrupted: "interrupted",
  failed: "read-failed",
};
function translatingErrors(call) {
  try {
    return call();
  } catch (error) {
    if (!error?.payload) throw error;
    const { tag, val } = error.payload;
    throw new Failure(ERRORS[tag] ?? tag, val);
  }
}

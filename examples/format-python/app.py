"""Exports every table as newline-delimited JSON: a component of the world export-component, in Python."""

import hashlib

import memory
import ndjson
from checkpoint import Checkpoint, Point
from componentize_py_types import Err
from output import EndOfSlice, Output
from wit_world import exports
from wit_world.exports import exporter
from wit_world.imports import parts, rows

# Text and blobs in one batch. A value that does not fit is long. The same for the whole export.
BATCH_BYTES = 256 * 1024

# How much of a long value is read at once: whole groups of base64, and whole units of UTF-16.
PIECE = 192 * 1024

WARNING = "Only rows are exported: no types of columns, indexes, views or triggers."


class Exporter(exports.Exporter):
    """What the host calls. An exception that is an `Err` is an error of the contract; any other is a trap."""

    def start(self, options: exporter.Options) -> str:
        if options.format != "ndjson":
            raise invalid(f'this component does not know the format {options.format!r}: it writes "ndjson"')
        if options.settings:
            raise invalid(f"the format has no setting {options.settings[0][0]!r}")
        try:
            plan = Plan(rows.describe(), options.tables)
        except Err as error:
            raise translated(error)
        return Checkpoint(options.tables, options.part_size, plan.digest()).encode()

    def resume(self, from_: str, budget: exporter.Budget) -> exporter.Outcome:
        try:
            checkpoint = Checkpoint.decode(from_)
        except (KeyError, TypeError, ValueError) as error:
            raise invalid_checkpoint(f"the checkpoint is damaged or of another version ({error})")
        try:
            return Slice(checkpoint, budget.parts).run()
        except Err as error:
            raise translated(error)


class Plan:
    """What is exported: all tables in the order of the schema, or those that the options name."""

    def __init__(self, schema: rows.Schema, names: list[str]):
        self.codec = ndjson.CODECS[schema.encoding.name]
        self.tables, self.warnings = [], [WARNING]
        tables = {object.name: object.table for object in schema.objects if object.table}
        wanted = {name.encode() for name in names}
        for name in sorted(wanted - tables.keys()):
            raise invalid(f"there is no table {name.decode()!r}")
        for name, table in tables.items():
            if (name not in wanted) if wanted else name.startswith(b"sqlite_"):
                continue
            shown = name.decode(errors="replace")
            if rows.TableFlags.VIRTUAL in table.flags:
                self.warnings.append(f'The virtual table "{shown}" is left out. Its data is in its shadow tables.')
                continue
            try:
                self.tables.append(ndjson.Table(name, [column.name for column in table.columns]))
            except UnicodeDecodeError:
                raise invalid(f'the table "{shown}" or one of its columns has a name that is not UTF-8')

    def digest(self) -> str:
        """Another schema has another one, and a checkpoint means nothing there."""
        digest = hashlib.sha256(self.codec.encode())
        for table in self.tables:
            digest.update(table.heading.encode())
        return digest.hexdigest()


class Slice:
    """One slice: from the checkpoint's point to the end of the budget or of the rows."""

    def __init__(self, checkpoint: Checkpoint, budget: int):
        self.plan = Plan(rows.describe(), checkpoint.tables)
        if self.plan.digest() != checkpoint.schema:
            raise invalid_checkpoint("the database has another schema now")
        self.begin = checkpoint.point
        self.rows = self.begin.rows  # complete so far
        self.output = Output(checkpoint, budget)

    def run(self) -> exporter.Outcome:
        begin, count = self.begin, len(self.plan.tables)
        try:
            # A row much longer than a part leaves whole parts in the carry.
            self.output.cut(begin)
            for index in range(begin.table, count):
                self.table(index, begin if index == begin.table else Point(index))
            # Behind the last table is the last line.
            if not (begin.table == count and begin.is_open):
                self.output.write(ndjson.end(count, self.rows), lambda: Point(count, True, rows=self.rows))
        except EndOfSlice:
            return self.more()
        length = self.output.finish()
        parts_written = self.output.last.parts
        summary = exporter.Summary(count, self.rows, length, parts_written, self.plan.warnings, damaged=[])
        return exporter.Outcome_Done(summary)

    def more(self) -> exporter.Outcome:
        last, tables = self.output.last, self.plan.tables
        point, length = last.point, last.parts * last.part_size
        reading = tables[point.table].name.decode() if point.table < len(tables) else None
        progress = exporter.Progress(reading, point.table, point.rows, length, last.parts)
        return exporter.Outcome_More(exporter.More(last.encode(), progress))

    def table(self, index: int, begin: Point) -> None:
        table = self.plan.tables[index]
        if not begin.is_open:
            self.output.write(table.heading, lambda: Point(index, True, rows=self.rows))
        inside = begin if begin.column is not None else None
        with rows.scan(table.name, table.columns, begin.after) as cursor:
            while (batch := cursor.next(BATCH_BYTES)).rows:
                memory.receive(len(batch.bytes) + 16 * len(batch.kinds))
                self.batch(index, cursor, batch, inside)
                inside = None
                self.output.pause()
        if inside:
            raise invalid_checkpoint("it points into a row that does not exist")

    def batch(self, index: int, cursor: rows.Cursor, batch: rows.Batch, inside: Point | None) -> None:
        before = self.plan.tables[index].before
        cells, width = Cells(batch, self.plan.codec), len(before)
        for row in range(batch.rows):
            kinds = batch.kinds[row * width : (row + 1) * width]
            if max(kinds) < ndjson.LONG_TEXT and not inside:
                text = "".join([text + cells.next(kind) for text, kind in zip(before, kinds)])
            else:
                text = self.long_row(index, cursor, row, cells, kinds, inside)
                inside = None
            self.rows += 1
            self.output.write(
                text + ndjson.END_OF_ROW,
                lambda: Point(index, True, cursor.position(row + 1), rows=self.rows),
            )

    def long_row(self, index, cursor, row: int, cells: "Cells", kinds: bytes, inside: Point | None) -> str:
        """Writes a row that has long values, from the point inside it on if there is one, and returns its last text."""
        text = ""
        for column, kind in enumerate(kinds):
            if inside and column < inside.column:
                cells.next(kind)
                continue
            resumed = inside if inside and column == inside.column else None
            if not resumed:
                text += self.plan.tables[index].before[column]
            if kind < ndjson.LONG_TEXT:
                if resumed:
                    raise invalid_checkpoint("it points into a value that is not long")
                text += cells.next(kind)
                continue
            value = LongValue(cursor, row, column, next(cells.lengths))
            if kind == ndjson.LONG_TEXT and value.length > memory.LONGEST_TEXT:
                message = f"a text of {value.length} bytes is longer than this component can read"
                raise Err(exporter.Error_ReadFailed(message))
            if resumed:
                form, offset = resumed.form, resumed.offset
            else:
                form, offset = ndjson.long_form(kind, value.pieces(), self.plan.codec), 0
                text += ndjson.BEFORE[form]
            while offset < value.length:
                more, used = ndjson.piece_of_long(value.piece(offset), form, self.plan.codec)
                offset += used
                point = lambda: Point(index, True, cursor.position(row), column, form, offset, self.rows)
                self.output.write(text + more, point)
                text = ""
            text += ndjson.AFTER[form]
        return text


class Cells:
    """The cells of a batch, in order."""

    def __init__(self, batch: rows.Batch, codec: str):
        self.integers, self.reals, self.lengths = iter(batch.integers), iter(batch.reals), iter(batch.lengths)
        self.bytes, self.used, self.codec = batch.bytes, 0, codec

    def next(self, kind: int) -> str:
        if kind == ndjson.INTEGER:
            return str(next(self.integers))
        if kind == ndjson.REAL:
            return ndjson.real(next(self.reals))
        if kind == ndjson.NULL:
            return "null"
        length = next(self.lengths)
        if kind > ndjson.BLOB:
            return ""  # long: not in the batch
        self.used += length
        value = self.bytes[self.used - length : self.used]
        return ndjson.text(value, self.codec) if kind == ndjson.TEXT else ndjson.blob(value)


class LongValue:
    """A value that the batch does not contain."""

    def __init__(self, cursor: rows.Cursor, row: int, column: int, length: int):
        self.cursor, self.row, self.column, self.length = cursor, row, column, length

    def piece(self, offset: int) -> bytes:
        piece = self.cursor.read(self.row, self.column, offset, PIECE)
        if not piece:
            raise Err(exporter.Error_ReadFailed("a long value is shorter than its length"))
        memory.receive(len(piece))
        return piece

    def pieces(self):
        for offset in range(0, self.length, PIECE):
            yield self.piece(offset)


def invalid(message: str) -> Err:
    return Err(exporter.Error_InvalidOptions(message))


def invalid_checkpoint(message: str) -> Err:
    return Err(exporter.Error_InvalidCheckpoint(message + ": start the export over"))


def translated(error: Err) -> Err:
    """An error of rows or parts as one of the exporter's."""
    match error.value:
        case rows.Error_UnknownTable(text) | rows.Error_UnknownColumn(text) | rows.Error_InvalidPosition(text):
            return invalid_checkpoint(text)
        case rows.Error_Corrupt(text):
            return Err(exporter.Error_Corrupt(text))
        case rows.Error_Unavailable(text) | rows.Error_InvalidCell(text) | rows.Error_Failed(text):
            return Err(exporter.Error_ReadFailed(text))
        case rows.Error_Interrupted():
            return Err(exporter.Error_Interrupted())
        case parts.Error_Full(text):
            return Err(exporter.Error_TooLarge(text))
        case parts.Error_Refused(text) | parts.Error_Failed(text):
            return Err(exporter.Error_WriteFailed(text))
    return error

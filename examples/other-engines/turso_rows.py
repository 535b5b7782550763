"""The contract's `rows` (wit/rows.wit) over a SQLite database, by Turso, which is SQLite written anew in Rust.

What Turso says of the schema is asked for as rows.py asks SQLite. How rows are read is its own.
"""

from pathlib import Path
from typing import Iterator

import turso
from wasmtime.component import Record

import rows
from cursor import Cell, Cursor, Position, RowsError, decode_position, find_table, quoted


class Rows(rows.Rows):
    """The tables of a copy that belongs to the export: Turso writes to what it opens."""

    ERRORS = (turso.Error, UnicodeError)

    def __init__(self, path: Path):
        self.db = turso.connect(str(path), experimental_features="generated_columns")
        # As rows.py has it: text of the schema is bytes.
        self.db.row_factory = lambda _, row: tuple(value.encode() if isinstance(value, str) else value for value in row)
        self.tables: dict[bytes, Record] = {}
        self.schema = self.read_schema()

    @staticmethod
    def is_corrupt(error: Exception) -> bool:
        # Turso has no error of its own for damage.
        return False

    def encoding(self) -> str:
        return "utf8"  # It opens no others.

    def read_flags(self) -> dict[bytes, set[str]]:
        # The list has names in small letters.
        listed = super().read_flags()
        names = [name for (name,) in self.db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        for name in names:
            # Of a schema that it does not understand, Turso gives the text, and no tables.
            if name.lower() not in listed:
                raise RowsError("failed", f"Turso can't read this schema: it does not know the table {name.decode()}")
        return {name: listed[name.lower()] for name in names}

    def read_table(self, table: str, flags: set[str]) -> Record:
        # Turso writes the name into the text of a PRAGMA, and does not double its quotes.
        table = table.replace('"', '""')
        details = super().read_table(table, flags)
        for column in details.columns:
            declared = getattr(column, "declared-type")
            if declared.startswith(b'"'):
                setattr(column, "declared-type", declared[1:-1].replace(b'""', b'"'))
                if self.rowid_name(table, details.columns) == column.name:
                    raise RowsError("failed", f"Turso does not take {table}.{column.name.decode()} for the rowid")
        return details

    def scan(self, table: bytes, columns: list[bytes], after: bytes | None) -> Cursor:
        details = find_table(self.tables, table, columns)
        position = decode_position(after, table, 1)
        return Cursor(position, named(table, self.rows_after(table, details.rowid, columns, position)))

    def rows_after(
        self, table: bytes, rowid: bytes | None, columns: list[bytes], position: Position
    ) -> Iterator[tuple[Position, list[Cell]]]:
        cursor = self.db.cursor()
        cursor.row_factory = None
        results = ", ".join(quoted(name) for name in columns)
        values = [cell.value for cell in position]
        if rowid:
            key = quoted(rowid)
            where = f"WHERE {key} > ?1" if position else ""
            select = f"SELECT {key}, {results} FROM {quoted(table)} {where} ORDER BY {key}"
            for number, *row in cursor.execute(select, values):
                yield [Cell(False, number)], cells(row)
        else:
            # WITHOUT ROWID, and rowids that have no name. Turso goes through such a table in the order of its key, and can't
            # begin elsewhere than at its start, so rows are counted.
            start = values[0] if values else 0
            found = cursor.execute(f"SELECT {results} FROM {quoted(table)} NOT INDEXED LIMIT -1 OFFSET ?1", [start])
            for count, row in enumerate(found, start + 1):
                yield [Cell(False, count)], cells(row)


def named(table: bytes, rows: Iterator) -> Iterator:
    """The same rows, whose errors say of which table they are."""
    try:
        yield from rows
    except turso.Error as error:
        raise RowsError("failed", f"table {table.decode()}: {error}") from error


def cells(row) -> list[Cell]:
    # Turso gives text as str: what is not valid UTF-8 it refuses.
    return [Cell(True, value.encode()) if isinstance(value, str) else Cell(False, value) for value in row]

"""The half of a cursor of `rows` (wit/rows.wit) that is the same over any database: batches, long values, positions."""

import json
from itertools import chain
from typing import Iterator, NamedTuple

from wasmtime.component import Record, Variant

INTEGER, FLOAT, TEXT, BLOB, NULL, LONG_TEXT, LONG_BLOB = range(1, 8)
MAX_CELLS = 32_768


class RowsError(Exception):
    """One of the contract's errors: its case, and a text for people."""

    def __init__(self, case: str, text: str):
        super().__init__(text)
        self.variant = Variant(case, text)


class Cell(NamedTuple):
    """A value: None, int, float or bytes. The bytes of text are in the database's encoding."""

    is_text: bool
    value: None | int | float | bytes


# A key's values: what is behind a row is what follows it in the key's order.
Position = list[Cell]


class Cursor:
    """A scan of one table. `rows`: those after `position`, each with the position behind it."""

    def __init__(self, position: Position, rows: Iterator[tuple[Position, list[Cell]]]):
        self.rows = rows
        # A row that did not fit into the last batch.
        self.pending: list[tuple[Position, list[Cell]]] = []
        # The position before the last batch, and its rows, each with the position after it.
        self.before = position
        self.batch: list[tuple[Position, list[Cell]]] = []

    def next(self, max_bytes: int) -> Record:
        if self.batch:
            self.before, _ = self.batch[-1]
        self.batch = []
        kinds, integers, reals, lengths, data = bytearray(), [], [], [], bytearray()
        rows = chain(self.pending, self.rows)
        self.pending = []
        for after, row in rows:
            short = short_cells(row, max_bytes)
            size = sum(len(cell.value) for cell, is_short in zip(row, short) if is_short)
            if self.batch and (len(data) + size > max_bytes or len(kinds) + len(row) > MAX_CELLS):
                self.pending = [(after, row)]
                break
            for (is_text, value), is_short in zip(row, short):
                if value is None:
                    kinds.append(NULL)
                elif isinstance(value, int):
                    kinds.append(INTEGER)
                    integers.append(value)
                elif isinstance(value, float):
                    kinds.append(FLOAT)
                    reals.append(value)
                else:
                    kinds.append((TEXT if is_text else BLOB) if is_short else (LONG_TEXT if is_text else LONG_BLOB))
                    lengths.append(len(value))
                    data += value if is_short else b""
            self.batch.append((after, row))
        return record(
            rows=len(self.batch),
            kinds=bytes(kinds),
            integers=integers,
            reals=reals,
            lengths=lengths,
            bytes=bytes(data),
        )

    def position(self, rows: int) -> bytes:
        if rows > len(self.batch):
            raise RowsError("invalid-cell", f"the last batch has no row {rows}")
        return encode_position(self.batch[rows - 1][0] if rows else self.before)

    def read(self, row: int, column: int, offset: int, max_bytes: int) -> bytes:
        try:
            return self.batch[row][1][column].value[offset : offset + max_bytes]
        except (IndexError, TypeError):
            raise RowsError("invalid-cell", f"cell {column} of row {row} of the last batch has no bytes") from None


def short_cells(row: list[Cell], max_bytes: int) -> list[bool]:
    """Which cells have bytes that go into the batch: all text and blobs that are not long."""
    taken, short = 0, []
    for _, value in row:
        is_short = isinstance(value, bytes) and taken + len(value) <= max_bytes
        taken += len(value) if is_short else 0
        short.append(is_short)
    return short


def encode_position(position: Position) -> bytes:
    """JSON: the key's numbers as they are, its bytes in hexadecimal."""
    return json.dumps(
        [{"is_text": is_text, "hex": value.hex()} if isinstance(value, bytes) else value for is_text, value in position]
    ).encode()


def decode_position(position: bytes, table: bytes, columns: int) -> Position:
    """A position in a table whose key has so many columns. It is empty before the first row."""
    try:
        values = [
            Cell(value["is_text"], bytes.fromhex(value["hex"])) if isinstance(value, dict) else Cell(False, value)
            for value in json.loads(position or b"[]")
        ]
    except (ValueError, TypeError, KeyError):
        raise RowsError("invalid-position", "the position is damaged") from None
    if values and len(values) != columns:
        raise RowsError("invalid-position", f"that is no position in table {table!r}")
    return values


def find_table(tables: dict[bytes, Record], table: bytes, columns: list[bytes]) -> Record:
    """A table's details, if it can be read and has these columns."""
    details = tables.get(table)
    if details is None:
        raise RowsError("unknown-table", f"there is no table {table!r}")
    if "virtual" in details.flags:
        raise RowsError("unavailable", f"table {table!r} is virtual: its data is in its shadow tables")
    for column in columns:
        if column != details.rowid and all(column != known.name for known in details.columns):
            raise RowsError("unknown-column", f"table {table!r} has no column {column!r}")
    return details


def quoted(name: bytes) -> str:
    return '"' + name.decode().replace('"', '""') + '"'


def record(**fields) -> Record:
    """A record of the contract. An underscore stands for a hyphen."""
    made = Record()
    for name, value in fields.items():
        setattr(made, name.replace("_", "-"), value)
    return made

"""The contract's `rows` (wit/rows.wit) over a SQLite database, by Python's own sqlite3."""

import json
import sqlite3
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Iterator, NamedTuple
from urllib.parse import quote

from wasmtime.component import Record, Variant

INTEGER, FLOAT, TEXT, BLOB, NULL, LONG_TEXT, LONG_BLOB = range(1, 8)
MAX_CELLS = 32_768
COLUMN_KINDS = ["ordinary", "hidden", "generated-virtual", "generated-stored"]
ENCODINGS = {b"UTF-8": "utf8", b"UTF-16le": "utf16le", b"UTF-16be": "utf16be"}
FLAGS = ["without-rowid", "strict", "virtual", "shadow"]


class RowsError(Exception):
    """One of the contract's errors: its case, and a text for people."""

    def __init__(self, case: str, text: str):
        super().__init__(text)
        self.variant = Variant(case, text)


class Rows:
    """The tables of a database that nobody changes."""

    def __init__(self, path: Path):
        self.db = sqlite3.connect(f"file:{quote(str(path))}?mode=ro&immutable=1", uri=True)
        # What SQLite holds as text need not be valid UTF-8.
        self.db.text_factory = bytes
        self.tables: dict[bytes, Record] = {}
        self.schema = self.read_schema()

    def value(self, sql: str, *parameters):
        return self.db.execute(sql, parameters).fetchone()[0]

    def read_schema(self) -> Record:
        flags = {}
        for name, *is_set in self.db.execute(
            """SELECT name, wr, strict, type = 'virtual', type = 'shadow' FROM pragma_table_list
               WHERE schema = 'main'"""
        ):
            flags[name] = {flag for flag, on in zip(FLAGS, is_set) if on}
        objects = []
        for kind, name, on, sql in self.db.execute(
            "SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY rowid"
        ):
            table = None
            if kind == b"table":
                table = self.tables[name] = self.read_table(name.decode(), flags[name])
            objects.append(record(kind=kind.decode(), name=name, on=on, sql=sql, table=table))
        return record(
            encoding=ENCODINGS[self.value("PRAGMA encoding")],
            user_version=self.value("PRAGMA user_version"),
            application_id=self.value("PRAGMA application_id"),
            page_size=self.value("PRAGMA page_size"),
            auto_vacuum=["none", "full", "incremental"][self.value("PRAGMA auto_vacuum")],
            objects=objects,
        )

    def read_table(self, table: str, flags: set[str]) -> Record:
        is_virtual = "virtual" in flags
        select = "SELECT name, type, pk, hidden FROM pragma_table_xinfo(?1) ORDER BY cid"
        try:
            found = self.db.execute(select, [table]).fetchall()
        except sqlite3.OperationalError:
            if not is_virtual:
                raise
            found = []  # Without the module of a virtual table nobody knows its columns.
        columns = [
            record(name=name, declared_type=declared, kind=COLUMN_KINDS[hidden], primary_key=place)
            for name, declared, place, hidden in found
        ]
        select = 'SELECT DISTINCT "table" FROM pragma_foreign_key_list(?1) ORDER BY 1'
        return record(
            columns=columns,
            rowid=None if flags & {"virtual", "without-rowid"} else self.rowid_name(table, columns),
            references=[] if is_virtual else [parent for (parent,) in self.db.execute(select, [table])],
            flags=flags,
            estimated_rows=None,  # To count the rows is to read the table.
        )

    def rowid_name(self, table: str, columns: list[Record]) -> bytes | None:
        """An INTEGER PRIMARY KEY, or the first of SQLite's own names that no column has."""
        key = [column for column in columns if getattr(column, "primary-key") > 0]
        if len(key) == 1 and getattr(key[0], "declared-type").upper() == b"INTEGER":
            # INTEGER PRIMARY KEY DESC is not the rowid: it has an index of its own.
            if not self.value("SELECT count(*) FROM pragma_index_list(?1) WHERE origin = 'pk'", table):
                return key[0].name
        taken = {column.name.lower() for column in columns}
        return next((name for name in (b"rowid", b"_rowid_", b"oid") if name not in taken), None)

    def scan(self, table: bytes, columns: list[bytes], after: bytes | None) -> "Cursor":
        details = self.tables.get(table)
        if details is None:
            raise RowsError("unknown-table", f"there is no table {table!r}")
        if "virtual" in details.flags:
            raise RowsError("unavailable", f"table {table!r} is virtual: its data is in its shadow tables")
        for column in columns:
            if column != details.rowid and all(column != known.name for known in details.columns):
                raise RowsError("unknown-column", f"table {table!r} has no column {column!r}")
        key = self.key(table.decode(), details)
        position = decode_position(after or b"[]")
        if position and len(position) != max(len(key), 1):
            raise RowsError("invalid-position", f"that is no position in table {table!r}")
        return Cursor(self.db, quoted(table), [quoted(column) for column in columns], key, position)

    def key(self, table: str, details: Record) -> list["KeyColumn"]:
        """What orders a table; empty if it is a rowid that has no name."""
        if details.rowid:
            return [KeyColumn(quoted(details.rowid), "BINARY", False)]
        if "without-rowid" not in details.flags:
            return []
        select = """SELECT x.name, x.coll, x."desc" FROM pragma_index_list(?1) AS i, pragma_index_xinfo(i.name) AS x
                    WHERE i.origin = 'pk' AND x.key ORDER BY x.seqno"""
        return [
            KeyColumn(quoted(name), quoted(collation), bool(descends))
            for name, collation, descends in self.db.execute(select, [table])
        ]


class Cell(NamedTuple):
    """A value: None, int, float or bytes. The bytes of text are in the database's encoding."""

    is_text: bool
    value: None | int | float | bytes


@dataclass
class KeyColumn:
    """A column of a key. The names are in quotes."""

    name: str
    collation: str
    descends: bool

    def order(self) -> str:
        return f"{self.name} COLLATE {self.collation} {'DESC' if self.descends else 'ASC'}"

    def condition(self, value: Cell, number: int, equal: bool) -> str:
        """The rows that have this value, parameter `number`, or one behind it."""
        operator = "=" if equal else "<" if self.descends else ">"
        # Text is bound as its bytes. The plus removes the affinity of CAST, which would change how numbers compare.
        parameter = f"+CAST(?{number} AS TEXT)" if value.is_text else f"?{number}"
        return f"{self.name} COLLATE {self.collation} {operator} {parameter}"


class Cursor:
    """A scan of one table, in the order of its key."""

    def __init__(
        self, db: sqlite3.Connection, table: str, columns: list[str], key: list[KeyColumn], position: list[Cell]
    ):
        self.db = db
        self.key = key
        cells = ", ".join(exact(name) for name in [column.name for column in key] + columns)
        self.select = f"SELECT {cells} FROM {table}"
        self.rows = self.rows_after(position)
        # A row that did not fit into the last batch.
        self.pending: list[tuple] = []
        # The position before the last batch, and its rows, each with the position after it.
        self.before = position
        self.batch: list[tuple[list[Cell], list[Cell]]] = []

    def rows_after(self, position: list[Cell]) -> Iterator[tuple[list[Cell], list[Cell]]]:
        if not self.key:
            # Columns have all three names of the rowid. Nothing else can be asked for, so rows are counted.
            start = position[0].value if position else 0
            rows = self.db.execute(f"{self.select} NOT INDEXED LIMIT -1 OFFSET ?1", [start])
            for count, row in enumerate(rows, start + 1):
                yield [Cell(False, count)], cells(row)
            return
        order = ", ".join(column.order() for column in self.key)
        # Behind the key (a, b) are the rows with the same a and a further b, then those with a further a. Each is one
        # range of the index, whatever the directions and collations.
        for depth in range(len(position), 0, -1) or [0]:
            terms = [
                column.condition(value, number, equal=number < depth)
                for number, (column, value) in enumerate(zip(self.key, position[:depth]), 1)
            ]
            where = f"WHERE {' AND '.join(terms)}" if terms else ""
            values = [cell.value for cell in position[:depth]]
            for row in self.db.execute(f"{self.select} {where} ORDER BY {order}", values):
                found = cells(row)
                yield found[: len(self.key)], found[len(self.key) :]

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


def exact(name: str) -> str:
    """A column as two results, so that text comes as the bytes that are stored, in UTF-16 too."""
    return f"typeof({name}) = 'text', CASE typeof({name}) WHEN 'text' THEN CAST({name} AS BLOB) ELSE {name} END"


def cells(row: tuple) -> list[Cell]:
    return [Cell(bool(row[at]), row[at + 1]) for at in range(0, len(row), 2)]


def encode_position(position: list[Cell]) -> bytes:
    """JSON: the key's numbers as they are, its bytes in hexadecimal."""
    return json.dumps(
        [{"is_text": is_text, "hex": value.hex()} if isinstance(value, bytes) else value for is_text, value in position]
    ).encode()


def decode_position(position: bytes) -> list[Cell]:
    try:
        return [
            Cell(value["is_text"], bytes.fromhex(value["hex"])) if isinstance(value, dict) else Cell(False, value)
            for value in json.loads(position)
        ]
    except (ValueError, TypeError, KeyError):
        raise RowsError("invalid-position", "the position is damaged") from None


def quoted(name: bytes) -> str:
    return '"' + name.decode().replace('"', '""') + '"'


def record(**fields) -> Record:
    """A record of the contract. An underscore stands for a hyphen."""
    made = Record()
    for name, value in fields.items():
        setattr(made, name.replace("_", "-"), value)
    return made

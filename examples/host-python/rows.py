"""The contract's `rows` (wit/rows.wit) over a SQLite database, by Python's own sqlite3."""

import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Iterator
from urllib.parse import quote

from wasmtime.component import Record

from cursor import Cell, Cursor, Position, decode_position, find_table, quoted, record

COLUMN_KINDS = ["ordinary", "hidden", "generated-virtual", "generated-stored"]
ENCODINGS = {b"UTF-8": "utf8", b"UTF-16le": "utf16le", b"UTF-16be": "utf16be"}
FLAGS = ["without-rowid", "strict", "virtual", "shadow"]


def copy(database: Path, to: Path):
    """Copies a database page by page: what others write meanwhile, and from now on, does not matter."""
    with sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro", uri=True) as source:
        with sqlite3.connect(to) as target:
            source.backup(target)
    source.close()
    target.close()


class Rows:
    """The tables of a database that nobody changes."""

    # What of the database the schema does not have; settings of the format; what reading may raise.
    left_out: list[str] = []
    SETTINGS: list[tuple[str, str]] = []
    ERRORS = (sqlite3.Error, UnicodeError)
    copy = staticmethod(copy)

    def __init__(self, path: Path):
        self.db = sqlite3.connect(f"file:{quote(str(path))}?mode=ro&immutable=1", uri=True)
        # What SQLite holds as text need not be valid UTF-8.
        self.db.text_factory = bytes
        self.tables: dict[bytes, Record] = {}
        self.schema = self.read_schema()

    @staticmethod
    def is_corrupt(error: Exception) -> bool:
        return getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)

    def value(self, sql: str, *parameters):
        return self.db.execute(sql, parameters).fetchone()[0]

    def encoding(self) -> str:
        return ENCODINGS[self.value("PRAGMA encoding")]

    def read_flags(self) -> dict[bytes, set[str]]:
        """The flags of each table, by its name."""
        select = """SELECT name, wr, strict, type = 'virtual', type = 'shadow' FROM pragma_table_list
                    WHERE schema = 'main'"""
        return {name: {flag for flag, on in zip(FLAGS, is_set) if on} for name, *is_set in self.db.execute(select)}

    def read_schema(self) -> Record:
        flags = self.read_flags()
        objects = []
        for kind, name, on, sql in self.db.execute(
            "SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY rowid"
        ):
            table = None
            if kind == b"table":
                table = self.tables[name] = self.read_table(name.decode(), flags[name])
            objects.append(record(kind=kind.decode(), name=name, on=on, sql=sql, table=table))
        return record(
            encoding=self.encoding(),
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

    def scan(self, table: bytes, columns: list[bytes], after: bytes | None) -> Cursor:
        details = find_table(self.tables, table, columns)
        key = self.key(table.decode(), details)
        position = decode_position(after, table, max(len(key), 1))
        return Cursor(position, rows_after(self.db, quoted(table), columns, key, position))

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


def rows_after(
    db: sqlite3.Connection, table: str, columns: list[bytes], key: list[KeyColumn], position: Position
) -> Iterator[tuple[Position, list[Cell]]]:
    """The rows behind a position, in the order of the key, each with the position after it."""
    results = ", ".join(exact(name) for name in [column.name for column in key] + [quoted(name) for name in columns])
    select = f"SELECT {results} FROM {table}"
    if not key:
        # Columns have all three names of the rowid. Nothing else can be asked for, so rows are counted.
        start = position[0].value if position else 0
        rows = db.execute(f"{select} NOT INDEXED LIMIT -1 OFFSET ?1", [start])
        for count, row in enumerate(rows, start + 1):
            yield [Cell(False, count)], cells(row)
        return
    order = ", ".join(column.order() for column in key)
    # Behind the key (a, b) are the rows with the same a and a further b, then those with a further a. Each is one range
    # of the index, whatever the directions and collations.
    for depth in range(len(position), 0, -1) or [0]:
        terms = [
            column.condition(value, number, equal=number < depth)
            for number, (column, value) in enumerate(zip(key, position[:depth]), 1)
        ]
        where = f"WHERE {' AND '.join(terms)}" if terms else ""
        values = [cell.value for cell in position[:depth]]
        for row in db.execute(f"{select} {where} ORDER BY {order}", values):
            found = cells(row)
            yield found[: len(key)], found[len(key) :]


def exact(name: str) -> str:
    """A column as two results, so that text comes as the bytes that are stored, in UTF-16 too."""
    return f"typeof({name}) = 'text', CASE typeof({name}) WHEN 'text' THEN CAST({name} AS BLOB) ELSE {name} END"


def cells(row: tuple) -> list[Cell]:
    return [Cell(bool(row[at]), row[at + 1]) for at in range(0, len(row), 2)]

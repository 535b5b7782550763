"""The contract's `rows` (wit/rows.wit) over a DuckDB database: other types, other SQL, columns instead of rows.

The schema is one that SQLite understands, made of what DuckDB says of its tables. README.md says what does not fit.
"""

import re
import shutil
from pathlib import Path
from typing import Iterator

import duckdb
from wasmtime.component import Record

from cursor import Cell, Cursor, Position, RowsError, decode_position, find_table, quoted, record

INTEGERS = {"BOOLEAN", "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER"}
NESTED = re.compile(r"(STRUCT|MAP|UNION)\(|.*\]$", re.DOTALL)
# What an index is on: names, of which some are in quotes.
COLUMNS = re.compile(r"""\[(\w+|'"\w+"')(, (\w+|'"\w+"'))*\]""")
# DuckDB's rows come in vectors of so many; a range of row ids that begins and ends with one is read without those around.
VECTOR = 2048


def copy(database: Path, to: Path):
    """Copies the files under DuckDB's lock: nobody can write to the database meanwhile."""
    with duckdb.connect(str(database), read_only=True):
        log = database.with_name(database.name + ".wal")
        if log.exists():
            shutil.copyfile(log, to.with_name(to.name + ".wal"))
        # Last: to close a file is to lose its lock.
        shutil.copyfile(database, to)


class Rows:
    """The tables of the schema `main`, of a database that nobody changes."""

    # DuckDB's row ids are its own: the dump is not to have them.
    SETTINGS = [("rowids", "drop")]
    ERRORS = (duckdb.Error, UnicodeError)
    copy = staticmethod(copy)

    def __init__(self, path: Path):
        self.db = duckdb.connect(str(path), read_only=True)
        # Times of day and zone are written as text: the same everywhere.
        self.db.execute("SET TimeZone = 'UTC'")
        self.tables: dict[bytes, Record] = {}
        self.types: dict[tuple[bytes, bytes], str] = {}
        self.left_out: list[str] = []
        self.schema = self.read_schema()

    @staticmethod
    def is_corrupt(error: Exception) -> bool:
        return isinstance(error, (duckdb.FatalException, duckdb.SerializationException))

    def all(self, sql: str, *parameters) -> list[tuple]:
        return self.db.execute(sql, parameters).fetchall()

    def read_schema(self) -> Record:
        objects = []
        for table, rows in self.all(
            """SELECT table_name, estimated_size FROM duckdb_tables()
               WHERE schema_name = 'main' AND NOT internal ORDER BY table_name"""
        ):
            name = table.encode()
            details, sql = self.read_table(table, rows)
            self.tables[name] = details
            objects.append(record(kind="table", name=name, on=name, sql=sql.encode(), table=details))
        objects += self.read_indexes()
        self.note_others()
        return record(
            encoding="utf8", user_version=0, application_id=0, page_size=4096, auto_vacuum="none", objects=objects
        )

    def read_table(self, table: str, rows: int) -> tuple[Record, str]:
        key, constraints = [], []
        for kind, columns, parent, parent_columns, text in self.all(
            """SELECT constraint_type, constraint_column_names, referenced_table, referenced_column_names, constraint_text
               FROM duckdb_constraints() WHERE schema_name = 'main' AND table_name = ? ORDER BY constraint_index""",
            table,
        ):
            if kind in ("PRIMARY KEY", "UNIQUE"):
                constraints.append(f"{kind} ({names(columns)})")
                key = columns if kind == "PRIMARY KEY" else key
            elif kind == "FOREIGN KEY":
                constraints.append(f"FOREIGN KEY ({names(columns)}) REFERENCES {names([parent])} ({names(parent_columns)})")
            elif kind == "CHECK":
                self.left_out.append(f"{text} of table {table}")
        columns, definitions = [], []
        for name, type_name, may_be_null, default in self.all(
            """SELECT column_name, data_type, is_nullable, column_default FROM duckdb_columns()
               WHERE schema_name = 'main' AND table_name = ? ORDER BY column_index""",
            table,
        ):
            self.types[table.encode(), name.encode()] = type_name
            declared = declared_type(type_name)
            definitions.append(f"{names([name])} {declared}{'' if may_be_null else ' NOT NULL'}")
            place = key.index(name) + 1 if name in key else 0
            columns.append(
                record(name=name.encode(), declared_type=declared.encode(), kind="ordinary", primary_key=place)
            )
            if default is not None:
                self.left_out.append(f"DEFAULT or expression {default} of column {table}.{name}")
        details = record(
            columns=columns, rowid=b"rowid", references=self.parents(table), flags=set(), estimated_rows=rows
        )
        return details, f"CREATE TABLE {names([table])} ({', '.join(definitions + constraints)})"

    def parents(self, table: str) -> list[bytes]:
        select = """SELECT DISTINCT referenced_table FROM duckdb_constraints()
                    WHERE schema_name = 'main' AND table_name = ? AND constraint_type = 'FOREIGN KEY' ORDER BY 1"""
        return [parent.encode() for (parent,) in self.all(select, table)]

    def read_indexes(self) -> list[Record]:
        """Those over columns. Their text is one that SQLite understands."""
        objects = []
        for name, table, on, sql in self.all(
            """SELECT index_name, table_name, expressions, sql FROM duckdb_indexes()
               WHERE schema_name = 'main' ORDER BY index_name"""
        ):
            if COLUMNS.fullmatch(on):
                text = sql.removesuffix(";").encode()
                objects.append(record(kind="index", name=name.encode(), on=table.encode(), sql=text, table=None))
            else:
                self.left_out.append(f"index {name}: it is on expressions")
        return objects

    def note_others(self):
        """What is in the database and has no place in the schema."""
        for kind, select in {
            "view": "SELECT view_name FROM duckdb_views() WHERE NOT internal",
            "macro": "SELECT DISTINCT function_name FROM duckdb_functions() WHERE NOT internal",
            "sequence": "SELECT sequence_name FROM duckdb_sequences()",
            "table": "SELECT schema_name || '.' || table_name FROM duckdb_tables() WHERE schema_name <> 'main'",
        }.items():
            self.left_out += [f"{kind} {name}" for (name,) in self.all(f"{select} ORDER BY 1")]

    def scan(self, table: bytes, columns: list[bytes], after: bytes | None) -> Cursor:
        details = find_table(self.tables, table, columns)
        if any(column.name.lower() == b"rowid" for column in details.columns):
            raise RowsError("unavailable", f"table {table.decode()} has a column rowid, which hides DuckDB's row ids")
        position = decode_position(after, table, 1)
        return Cursor(position, self.rows_after(table, columns, position))

    def rows_after(self, table: bytes, columns: list[bytes], position: Position) -> Iterator[tuple[Position, list[Cell]]]:
        results = ", ".join(converted(quoted(name), self.types.get((table, name), "BIGINT")) for name in columns)
        select = f"SELECT rowid, {results} FROM {quoted(table)} WHERE rowid BETWEEN ? AND ? ORDER BY rowid"
        ((last,),) = self.all(f"SELECT coalesce(max(rowid), -1) FROM {quoted(table)}")
        start = position[0].value + 1 if position else 0
        while start <= last:
            end = start // VECTOR * VECTOR + VECTOR
            for number, *row in self.all(select, start, end - 1):
                yield [Cell(False, number)], [cell(value) for value in row]
            start = end


def names(columns: list[str]) -> str:
    return ", ".join(quoted(name.encode()) for name in columns)


def declared_type(type_name: str) -> str:
    """SQLite's type for one of DuckDB's. BIGINT, so that an INTEGER PRIMARY KEY is not taken for the rowid."""
    if type_name in INTEGERS:
        return "BIGINT"
    return {"FLOAT": "REAL", "DOUBLE": "REAL", "BLOB": "BLOB"}.get(type_name, "TEXT")


def converted(column: str, type_name: str) -> str:
    """A column as one of SQLite's storage classes; what has none as DuckDB writes it, lists and the like as JSON."""
    declared = declared_type(type_name)
    if declared == "TEXT":
        return f"CAST({f'to_json({column})' if NESTED.match(type_name) else column} AS VARCHAR)"
    return column if declared == "BLOB" else f"CAST({column} AS {'DOUBLE' if declared == 'REAL' else 'BIGINT'})"


def cell(value) -> Cell:
    if isinstance(value, str):
        return Cell(True, value.encode())
    # The contract and SQLite have no NaN; as text it survives, in a REAL column too.
    return Cell(True, b"NaN") if value != value else Cell(False, value)

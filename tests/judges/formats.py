"""Compares objects in the formats csv, ndjson and json with the database that they were exported from, value by value.

    formats.py DATABASE FOLDER

FOLDER has tables.json, names of tables, and of the table with number N some of the objects N.csv, N.null.csv (NULL is
\\N), N.ndjson and N.json; and all.ndjson and all.json, of these and other tables. It reads by Python's own sqlite3, csv and json, by the
program sqlite3, and by DuckDB and pandas where they are installed. It prints what it has read.
"""

import base64
import csv
import io
import json
import math
import os
import re
import sqlite3
import subprocess
import sys
import tempfile
from urllib.parse import quote

try:
    import duckdb
except ImportError:
    duckdb = None
try:
    import pandas
except ImportError:
    pandas = None

csv.field_size_limit(sys.maxsize)

CODECS = {"UTF-8": "utf-8", "UTF-16le": "utf-16-le", "UTF-16be": "utf-16-be"}

# A cell is asked for in two columns of a result, which has at most 2,000.
COLUMNS = 900

# A text for NULL that no text of the tests is.
NULL = "\\N"


def identifier(name):
    return '"' + name.replace('"', '""') + '"'


class Table:
    """A table as Python reads it: its columns, and pairs of storage class and value."""

    def __init__(self, connection, name, codec):
        self.name, self.codec = name, codec
        query = "SELECT name FROM pragma_table_xinfo(?) WHERE hidden <> 1 ORDER BY cid"
        self.columns = [column for (column,) in connection.execute(query, (name,))]
        self.rows = []
        for begin in range(0, len(self.columns), COLUMNS):
            values = ", ".join(
                f"typeof({c}), CASE typeof({c}) WHEN 'text' THEN CAST({c} AS BLOB) ELSE {c} END"
                for c in map(identifier, self.columns[begin : begin + COLUMNS])
            )
            # In the order of the table's key: an index would give another.
            found = connection.execute(f"SELECT {values} FROM {identifier(name)} NOT INDEXED")
            rows = [list(zip(row[::2], row[1::2])) for row in found]
            self.rows = [one + other for one, other in zip(self.rows, rows)] if begin else rows

    def text(self, value):
        """Text as CSV has it. How many characters stand for what is invalid, decoders do not agree upon."""
        return one_mark(value.decode(self.codec, errors="replace"))

    def field(self, cell, null):
        """A cell as CSV has it, and whether it is quoted."""
        storage, value = cell
        if storage == "null":
            return null, False
        if storage == "text":
            return self.text(value), True
        if storage == "blob":
            return value.hex(), True
        if storage == "real" and math.isinf(value):
            return ("Infinity" if value > 0 else "-Infinity"), False
        return repr(value), False

    def member(self, cell):
        """A cell as JSON has it: numbers with their digits, since 1 and 1.0 are equal."""
        storage, value = cell
        if storage == "text":
            try:
                return value.decode(self.codec)
            except UnicodeDecodeError:
                return {"text": base64.b64encode(value).decode()}
        if storage == "blob":
            return {"blob": base64.b64encode(value).decode()}
        if storage == "real" and math.isinf(value):
            return {"real": "Infinity" if value > 0 else "-Infinity"}
        return None if storage == "null" else Number(repr(value))

    def members(self):
        return [dict(zip(self.columns, map(self.member, row))) for row in self.rows]


def one_mark(text):
    return re.sub("\ufffd+", "\ufffd", text)


class Number(str):
    """A number's digits, unlike a string of them."""

    def __eq__(self, other):
        return isinstance(other, Number) and str(self) == str(other)

    __hash__ = str.__hash__


def unique(pairs):
    names = [name for name, _ in pairs]
    assert len(set(names)) == len(names), f"a name is there twice: {names}"
    return dict(pairs)


def no_constant(name):
    raise ValueError(f"{name} is no JSON")


def loads(text):
    return json.loads(
        text, parse_int=Number, parse_float=Number, parse_constant=no_constant, object_pairs_hook=unique
    )


def same(what, found, expected):
    if found == expected:
        return
    if isinstance(found, list) and isinstance(expected, list):
        for index, (one, other) in enumerate(zip(found, expected)):
            if one != other:
                sys.exit(f"{what}, row {index}: {str(one)[:500]!r}, not {str(other)[:500]!r}")
        sys.exit(f"{what}: {len(found)} rows, not {len(expected)}")
    sys.exit(f"{what}: {str(found)[:500]!r}, not {str(expected)[:500]!r}")


FIELD = re.compile(r'("(?:[^"]|"")*"|[^,"\r\n]*)(,|\r\n)')


def tokens(text):
    """The rows of CSV by RFC 4180, each field with whether it is quoted."""
    rows, row, at = [], [], 0
    while at < len(text):
        match = FIELD.match(text, at)
        assert match, f"no field at {at}: {text[at : at + 50]!r}"
        field, at = match[1], match.end()
        is_quoted = field.startswith('"')
        row.append((one_mark(field[1:-1].replace('""', '"') if is_quoted else field), is_quoted))
        if match[2] != ",":
            rows.append(row)
            row = []
    assert not row, "the last line has no end"
    return rows


def check_csv(path, table, null):
    with open(path, encoding="utf-8", newline="") as file:
        text = file.read()
    expected = [[table.field(cell, null) for cell in row] for row in table.rows]
    header = [(name, True) for name in table.columns]
    same(f"{path} of {table.name}", tokens(text), [header, *expected])
    plain = [[field for field, _ in row] for row in [header, *expected]]
    # A line without anything is a row without fields to Python.
    read = [row or [""] for row in csv.reader(io.StringIO(text, newline=""))]
    same(f"csv: {path}", [[one_mark(field) for field in row] for row in read], plain)
    if any("\0" in field for row in plain for field in row):
        return {"csv"}
    # Of these readers only DuckDB tells NULL from empty text.
    if null:
        return {"csv", *by_duckdb(path, table, plain, null)}
    return {"csv", *by_sqlite(path, plain), *by_pandas(path, plain)}


def by_sqlite(path, plain):
    """The program's own import, into a table of text without affinity."""
    if len(plain[0]) > COLUMNS:
        return []
    with tempfile.TemporaryDirectory() as folder:
        database = os.path.join(folder, "imported.db")
        columns = ", ".join(f"c{index}" for index in range(len(plain[0])))
        script = f"PRAGMA synchronous=OFF; CREATE TABLE t ({columns});\n.import --csv --skip 1 '{path}' t\n"
        done = subprocess.run(["sqlite3", database], input=script, text=True, capture_output=True)
        assert done.returncode == 0 and not done.stderr, done.stderr[:500]
        rows = sqlite3.connect(database).execute("SELECT * FROM t").fetchall()
        same(f"sqlite3: {path}", [[one_mark(field) for field in row] for row in rows], plain[1:])
    return ["sqlite3"]


def by_duckdb(path, table, plain, null):
    if duckdb is None or len(plain) < 2 or len(plain[0]) > COLUMNS:
        return []
    columns = {f"c{index}": "VARCHAR" for index in range(len(plain[0]))}
    # The longest line may be the whole file.
    size = max(os.path.getsize(path), 100_000)
    options = (
        f"columns={columns}, header=true, auto_detect=false, delim=',', quote='\"', escape='\"', nullstr='{null}',"
        f" allow_quoted_nulls=false, max_line_size={size}, buffer_size={2 * size}, parallel=false, new_line='\\r\\n'"
    )
    rows = duckdb.sql(f"SELECT * FROM read_csv('{path}', {options})").fetchall()
    fields = [[table.field(cell, null) for cell in row] for row in table.rows]
    expected = [[field if is_quoted or field != null else None for field, is_quoted in row] for row in fields]
    read = [[field if field is None else one_mark(field) for field in row] for row in rows]
    same(f"duckdb: {path}", read, expected)
    return ["duckdb"]


def by_pandas(path, plain):
    if pandas is None:
        return []
    frame = pandas.read_csv(path, dtype=str, keep_default_na=False, skip_blank_lines=False, header=0)
    read = [[one_mark(field) for field in row] for row in frame.values.tolist()]
    same(f"pandas: {path}", read, plain[1:])
    return ["pandas"]


def check_json(path, table):
    with open(path, encoding="utf-8") as file:
        same(f"{path} of {table.name}", loads(file.read()), table.members())
    return {"json"}


def check_ndjson(path, table):
    with open(path, encoding="utf-8", newline="\n") as file:
        lines = [line for line in file if line != "\n"]
    same(f"{path} of {table.name}", [loads(line) for line in lines], table.members())
    return {"json"}


def check_all(folder, tables):
    with open(os.path.join(folder, "all.json"), encoding="utf-8") as file:
        found = loads(file.read())
    with open(os.path.join(folder, "all.ndjson"), encoding="utf-8", newline="\n") as file:
        *lines, end = [loads(line) for line in file]
    of_lines = {}
    for line in lines:
        if "columns" in line:
            last = of_lines[line["table"]] = [line]
        else:
            assert list(line) == ["table", "row"] and line["table"] == last[0]["table"], line
            last.append(line["row"])
    same("the order of all.ndjson", list(of_lines), list(found))
    for table in tables:
        same(f"all.json, {table.name}", found[table.name], table.members())
        heading, *rows = of_lines[table.name]
        same(f"all.ndjson, {table.name}", heading, {"table": table.name, "columns": table.columns})
        same(f"all.ndjson, {table.name}", rows, table.members())
    counts = {"tables": Number(len(found)), "rows": Number(sum(map(len, found.values())))}
    same("the end of all.ndjson", end, {"end": counts})


CHECKS = [
    ("csv", lambda path, table: check_csv(path, table, "")),
    ("null.csv", lambda path, table: check_csv(path, table, NULL)),
    ("ndjson", check_ndjson),
    ("json", check_json),
]


def main(path, folder):
    connection = sqlite3.connect(f"file:{quote(path)}?mode=ro", uri=True)
    (encoding,) = connection.execute("PRAGMA encoding").fetchone()
    with open(os.path.join(folder, "tables.json"), encoding="utf-8") as file:
        names = json.load(file)
    tables = [Table(connection, name, CODECS[encoding]) for name in names]
    readers = set()
    for number, table in enumerate(tables):
        for name, check in CHECKS:
            path = os.path.join(folder, f"{number}.{name}")
            if os.path.exists(path):
                readers |= check(path, table)
    check_all(folder, tables)
    rows = sum(len(table.rows) for table in tables)
    print(f"{len(tables)} tables, {rows} rows, read by {', '.join(sorted(readers))}")


main(*sys.argv[1:])

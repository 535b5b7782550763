"""Compares Parquet files with the tables that they were exported from, by readers that Partway does not contain.

    parquet.py DATABASE FOLDER

FOLDER has `tables.json`, a list of names, and `0.parquet`, `1.parquet` and so on, one for each. Every value that pyarrow
and DuckDB read is compared with what Python's own sqlite3 says of it, by the rules of docs/FORMATS.md.
"""

import json
import pathlib
import sqlite3
import struct
import sys

import duckdb
import pyarrow
import pyarrow.parquet


def quoted(name):
    return '"' + name.replace('"', '""') + '"'


def is_text(value, encoding):
    try:
        value.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def affinity(declared):
    declared = declared.upper()
    if "INT" in declared:
        return "int64"
    if any(word in declared for word in ("CHAR", "CLOB", "TEXT")):
        return "string"
    if "BLOB" in declared:
        return "binary"
    if any(word in declared for word in ("REAL", "FLOA", "DOUB")) and declared:
        return "double"
    return "string"


def expected_type(cells, encoding, declared):
    """The smallest type that holds all cells: pairs of SQLite's kind and the value, text as stored."""
    kinds = {kind for kind, _ in cells} - {"null"}
    if any(kind == "text" and not is_text(value, encoding) for kind, value in cells):
        return "stored"
    if "blob" in kinds:
        return "binary"
    if "text" in kinds:
        return "string"
    if "real" in kinds:
        is_exact = all(kind != "integer" or int(float(value)) == value for kind, value in cells)
        return "double" if is_exact else "string"
    return "int64" if kinds else affinity(declared)


def digits(value):
    """What numbers are as text. Of floats, Python's own digits differ in form alone."""
    if isinstance(value, int):
        return str(value)
    return {float("inf"): "Infinity", float("-inf"): "-Infinity"}.get(value, value)


def is_same(kind, value, found, column, encoding):
    if kind == "null":
        return found is None
    if column == "int64":
        return kind == "integer" and type(found) is int and found == value
    if column == "double":
        return kind in ("integer", "real") and struct.pack("<d", value) == struct.pack("<d", found)
    if column == "string" and type(found) is str:
        found = found.encode()
    if type(found) is not bytes:
        return False
    if kind == "blob":
        return column != "string" and found == value
    if kind == "text":
        return found == (value if column == "stored" else value.decode(encoding).encode())
    text = digits(value)
    if type(text) is str:
        return found == text.encode()
    is_float = any(mark in found for mark in b".e")
    return is_float and struct.pack("<d", float(found)) == struct.pack("<d", value)


def read_by_pyarrow(path):
    file = pyarrow.parquet.ParquetFile(path)
    table = file.read()
    types = {pyarrow.int64(): "int64", pyarrow.float64(): "double", pyarrow.string(): "string", pyarrow.binary(): "binary"}
    names = [field.name for field in table.schema]
    check_statistics(file, table)
    return names, [types[field.type] for field in table.schema], [column.to_pylist() for column in table.columns]


def check_statistics(file, table):
    """What a row group says of its values is true."""
    for number in range(file.metadata.num_row_groups):
        group = file.metadata.row_group(number)
        rows = file.read_row_group(number)
        for index, column in enumerate(rows.columns):
            statistics = group.column(index).statistics
            values = [value for value in column.to_pylist() if value is not None]
            assert statistics.null_count == len(column) - len(values), (number, index)
            if not values:
                assert not statistics.has_min_max, (number, index)
            elif statistics.has_min_max:
                key = str.encode if isinstance(values[0], str) else lambda value: value
                assert key(statistics.min) == key(min(values, key=key)), (number, index, statistics)
                assert key(statistics.max) == key(max(values, key=key)), (number, index, statistics)


def read_by_duckdb(path):
    connection = duckdb.connect()
    relation = connection.execute(f"SELECT * FROM read_parquet('{path}')")
    types = {"BIGINT": "int64", "DOUBLE": "double", "VARCHAR": "string", "BLOB": "binary"}
    described = [(name, types[str(kind)]) for name, kind, *_ in relation.description]
    rows = relation.fetchall()
    names = [name for name, _ in described]
    return names, [kind for _, kind in described], [[row[at] for row in rows] for at in range(len(names))]


def compare(connection, table, path):
    encoding = connection.execute("PRAGMA encoding").fetchone()[0].replace("UTF-16le", "utf-16-le")
    encoding = encoding.replace("UTF-16be", "utf-16-be")
    columns = connection.execute(f"PRAGMA table_xinfo({quoted(table)})").fetchall()
    columns = [(name, declared) for _, name, declared, _, _, _, hidden in columns if hidden != 1]
    stored = []
    for name, _ in columns:
        column = quoted(name)
        value = f"CASE typeof({column}) WHEN 'text' THEN CAST({column} AS BLOB) ELSE {column} END"
        query = f"SELECT typeof({column}), {value} FROM {quoted(table)} NOT INDEXED"
        stored.append(connection.execute(query).fetchall())
    kinds = [expected_type(cells, encoding, declared) for cells, (_, declared) in zip(stored, columns)]
    for read in (read_by_pyarrow, read_by_duckdb):
        names, types, found = read(path)
        if read is read_by_pyarrow:
            assert names == [name for name, _ in columns], (table, names)
        assert types == [kind.replace("stored", "binary") for kind in kinds], (table, types, kinds)
        for name, kind, cells, values in zip(names, kinds, stored, found):
            assert len(cells) == len(values), (table, name, len(cells), len(values))
            for row, ((of, value), other) in enumerate(zip(cells, values)):
                assert is_same(of, value, other, kind, encoding), (read.__name__, table, name, row, of, value, other)
    return len(stored[0])


def main():
    database, folder = sys.argv[1], pathlib.Path(sys.argv[2])
    connection = sqlite3.connect(database)
    rows = 0
    tables = json.loads((folder / "tables.json").read_text())
    for number, table in enumerate(tables):
        rows += compare(connection, table, folder / f"{number}.parquet")
    print(f"{len(tables)} tables and {rows} rows are the same in pyarrow {pyarrow.__version__} and DuckDB {duckdb.__version__}")


main()

"""Prints what the examples' format makes of a database, by Python's own sqlite3 and json alone.

    ndjson.py DATABASE

It has nothing in common with the components: it reads by SQL, and loads each row whole.
"""

import base64
import json
import math
import sqlite3
import sys
from urllib.parse import quote

CODECS = {"UTF-8": "utf-8", "UTF-16le": "utf-16-le", "UTF-16be": "utf-16-be"}

# A cell is asked for in two columns of a result, which has at most 2,000.
COLUMNS = 900


def identifier(name):
    return '"' + name.replace('"', '""') + '"'


def cell(storage, value, codec):
    if storage == "text":
        try:
            return value.decode(codec)
        except UnicodeDecodeError:
            return {"text": base64.b64encode(value).decode()}
    if storage == "blob":
        return {"blob": base64.b64encode(value).decode()}
    if storage == "real" and math.isinf(value):
        return {"real": "Infinity" if value > 0 else "-Infinity"}
    return value


def line(content):
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    sys.stdout.buffer.write(text.encode() + b"\n")


def main(path):
    connection = sqlite3.connect(f"file:{quote(path)}?mode=ro", uri=True)
    (encoding,) = connection.execute("PRAGMA encoding").fetchone()
    tables = connection.execute(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"
        " AND sql NOT LIKE 'CREATE VIRTUAL TABLE%' ORDER BY rowid"
    ).fetchall()
    count = 0
    for (table,) in tables:
        query = "SELECT name FROM pragma_table_xinfo(?) WHERE hidden <> 1 ORDER BY cid"
        columns = [name for (name,) in connection.execute(query, (table,))]
        assert len(columns) <= COLUMNS
        line({"table": table, "columns": columns})
        values = ", ".join(
            f"typeof({c}), CASE typeof({c}) WHEN 'text' THEN CAST({c} AS BLOB) ELSE {c} END"
            for c in map(identifier, columns)
        )
        # In the order of the table's key: an index would give another.
        for row in connection.execute(f"SELECT {values} FROM {identifier(table)} NOT INDEXED"):
            cells = [cell(storage, value, CODECS[encoding]) for storage, value in zip(row[::2], row[1::2])]
            line({"table": table, "row": dict(zip(columns, cells))})
            count += 1
    line({"end": {"tables": len(tables), "rows": count}})


main(sys.argv[1])

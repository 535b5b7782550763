"""Compares pairs of SQLite databases, cell by cell, by a SQLite library that Partway does not contain.

    compare.py sqlite3|apsw

reads a pair a line from standard input, `["original.db", "copy.db"]`, and answers each with a line: a list of
differences in words, empty where there are none. Its first line names the library.

What is compared: header values, the encoding, the schema's text, rowids, and of each cell the storage class and every
stored byte; floats by their bits. Rows that no name identifies are compared as multisets.
"""

import itertools
import json
import struct
import sys
from collections import Counter
from urllib.parse import quote

HEADER = ["user_version", "application_id", "encoding", "page_size", "auto_vacuum"]

# SQLite returns at most 2,000 columns, and a cell takes up to four.
COLUMNS_PER_QUERY = 400

# Differences that are told of one table.
MOST = 5


class Standard:
    """A database, opened by Python's own module."""

    def __init__(self, path):
        import sqlite3

        self.connection = sqlite3.connect(f"file:{quote(path)}?mode=ro", uri=True)

    def rows(self, sql, parameters=()):
        return self.connection.execute(sql, parameters)

    def blob(self, table, column, rowid):
        # From Python 3.11 on.
        with self.connection.blobopen(table, column, rowid, readonly=True) as blob:
            return blob.read()

    def close(self):
        self.connection.close()

    @staticmethod
    def version():
        import sqlite3

        return sqlite3.sqlite_version


class Apsw:
    """A database, opened by apsw, which has a newer library inside."""

    def __init__(self, path):
        import apsw

        self.connection = apsw.Connection(path, flags=apsw.SQLITE_OPEN_READONLY)

    def rows(self, sql, parameters=()):
        return self.connection.execute(sql, parameters)

    def blob(self, table, column, rowid):
        with self.connection.blob_open("main", table, column, rowid, False) as blob:
            return blob.read()

    def close(self):
        self.connection.close()

    @staticmethod
    def version():
        import apsw

        return apsw.sqlite_lib_version()


def quoted(name):
    return '"' + name.replace('"', '""') + '"'


class Database:
    """A database, and what its cells are."""

    def __init__(self, opened):
        self.opened = opened
        ((self.encoding,),) = opened.rows("PRAGMA encoding")
        self.codec = {"UTF-16le": "utf-16-le", "UTF-16be": "utf-16-be"}.get(self.encoding, "utf-8")
        # From SQLite 3.43 on, text of over 4,000 bytes in UTF-16 loses a byte order mark as it is read.
        version = tuple(int(number) for number in opened.version().split("."))
        self.loses_marks = self.codec != "utf-8" and version >= (3, 43)

    def header(self):
        return {name: list(self.opened.rows(f"PRAGMA {name}")) for name in HEADER}

    def schema(self):
        """All that the schema's rows say but where a B-tree begins, and which of them have rows."""
        cells = ", ".join(f"CAST({column} AS BLOB)" for column in ["type", "name", "tbl_name", "sql"])
        entries, tables = [], []
        for *entry, root in self.opened.rows(f"SELECT {cells}, rootpage FROM sqlite_schema"):
            kind, name, on, sql = (
                None if cell is None else cell.decode(self.codec, "surrogatepass") for cell in entry
            )
            entries.append((kind, name, on, sql))
            if kind == "table" and root:
                tables.append(name)
        return entries, tables

    def integrity(self):
        found = (str(message) for (message,) in self.opened.rows("PRAGMA integrity_check(100000)"))
        if self.codec != "utf-8":
            # An index that a library fills which loses marks lacks them, as others see.
            found = (message for message in found if " index " not in message and message != "ok")
        return sorted(found)

    def table(self, name):
        """Whether the table's rows have an order, and an iterator over them."""
        columns = list(self.opened.rows("SELECT name, hidden FROM pragma_table_xinfo(?)", (name,)))
        ((without_rowid,),) = self.opened.rows(
            "SELECT wr FROM pragma_table_list WHERE schema = 'main' AND name = ?", (name,)
        )
        taken = {column.lower() for column, _ in columns}
        free = [rowid for rowid in ("rowid", "_rowid_", "oid") if rowid not in taken]
        # SQLite fills its own tables anew, with other rowids.
        if name.lower().startswith("sqlite_") or without_rowid or not free:
            rowid = None
        else:
            rowid = free[0]
        has_generated = any(hidden in (2, 3) for _, hidden in columns)
        wanted = [column for column, hidden in columns if hidden in (0, 2, 3)]
        groups = [wanted[at : at + COLUMNS_PER_QUERY] for at in range(0, len(wanted), COLUMNS_PER_QUERY)]
        scans = [self.scan(name, group, rowid, has_generated) for group in groups]
        return bool(rowid or without_rowid), map(tuple, zip(*scans, strict=True))

    def scan(self, table, columns, rowid, has_generated):
        """Some columns of each row, after the rowid."""
        width = 4 if self.loses_marks else 2
        cells = ", ".join(self.expressions(quoted(column)) for column in columns)
        order = f" ORDER BY {rowid}" if rowid else ""
        sql = f"SELECT {rowid or 'NULL'}, {cells} FROM {quoted(table)} NOT INDEXED{order}"
        for key, *values in self.opened.rows(sql):
            row = [key]
            for column, at in zip(columns, range(0, len(values), width), strict=True):
                kind, value = values[at : at + 2]
                if kind == "real":
                    value = struct.pack(">d", value)
                elif width == 4 and values[at + 2] is not None:
                    # What a blob handle reads is what is stored; where there is none, its length and the kind of
                    # its mark are compared.
                    if rowid and not has_generated:
                        value = self.stored(table, column, key, value)
                    else:
                        value = (value, values[at + 2], values[at + 3])
                row.append((kind, value))
            yield tuple(row)

    def stored(self, table, column, rowid, read):
        """The bytes of a value where it lies. No handle opens a default that no row stores: it is as it was read."""
        try:
            return self.opened.blob(table, column, rowid)
        except Exception as error:
            if "cannot open value of type" not in str(error):
                raise
            return read

    def expressions(self, column):
        """A cell: its storage class, its value with text as the bytes that are stored, and what tells its mark."""
        cell = f"typeof({column}), CASE typeof({column}) WHEN 'text' THEN CAST({column} AS BLOB) ELSE {column} END"
        if not self.loses_marks:
            return cell
        is_long = f"typeof({column}) = 'text' AND octet_length({column}) > 4000"
        # The two sides differ where the mark is that of the other byte order.
        return (
            f"{cell}, CASE WHEN {is_long} THEN octet_length({column}) END, "
            f"CASE WHEN {is_long} THEN {column} COLLATE RTRIM = {column} || '' END"
        )


def shown(row):
    text = repr(row)
    return text if len(text) < 200 else text[:200] + "…"


def table_differences(original, copy, name):
    (is_ordered, before), (_, after) = original.table(name), copy.table(name)
    if is_ordered:
        pairs = itertools.zip_longest(before, after)
        differ = [f"{shown(one)} became {shown(other)}" for one, other in pairs if one != other]
    else:
        before, after = Counter(before), Counter(after)
        differ = [f"{shown(row)} is missing" for row in before - after]
        differ += [f"{shown(row)} is new" for row in after - before]
    return [f"table {name!r}: {text}" for text in differ[:MOST]]


def differences(original, copy):
    found = []
    before, after = original.header(), copy.header()
    found += [f"{name}: {before[name]} became {after[name]}" for name in HEADER if before[name] != after[name]]
    (before, tables), (after, others) = original.schema(), copy.schema()
    if not before:
        # A database without tables may be a file without pages.
        found = [text for text in found if not text.startswith(("page_size", "auto_vacuum"))]
    before, after = Counter(before), Counter(after)
    found += [f"{shown(entry)} is missing" for entry in before - after]
    found += [f"{shown(entry)} is new" for entry in after - before]
    for name in tables:
        if name in others:
            found += table_differences(original, copy, name)
    before, after = original.integrity(), copy.integrity()
    if before != after:
        found.append(f"integrity_check: {before[:MOST]} became {after[:MOST]}")
    return found


def judge(opener, pair):
    opened = []
    try:
        for path in pair:
            opened.append(opener(path))
        return differences(*map(Database, opened))
    except Exception as error:  # What can't be compared is not the same.
        return [f"{type(error).__name__}: {error}"]
    finally:
        for database in opened:
            database.close()


def main():
    name = sys.argv[1]
    opener = {"sqlite3": Standard, "apsw": Apsw}[name]
    print(f"{name} with SQLite {opener.version()}", flush=True)
    for line in sys.stdin:
        print(json.dumps(judge(opener, json.loads(line))), flush=True)


if __name__ == "__main__":
    main()

"""Exports a SQLite database by Partway's component, a slice at a time, each in a fresh instance.

    python export.py DATABASE COMPONENT OUTPUT [SLICES]

With SLICES, it stops after so many. The same command goes on where it stopped, and where it was killed.
"""

import os
import sqlite3
import sys
from pathlib import Path

from wasmtime import Config, Engine, Store, WasmtimeError
from wasmtime.component import Component, Linker, ResourceAny, ResourceHost, ResourceType, Variant

import fast_bytes
from rows import Cursor, Rows, RowsError, record

VERSION = "0.1.0"
PART_SIZE = 1024 * 1024
PARTS_PER_SLICE = 2


class Host:
    """What the component imports during one slice: rows, parts and pacing."""

    def __init__(self, rows: Rows, output):
        self.rows = rows
        self.output = output
        self.cursors: dict[int, Cursor] = {}
        self.opened = 0

    def link(self, linker: Linker):
        with linker.root() as root:
            with root.add_instance(f"partway:pipe/rows@{VERSION}") as rows:
                rows.add_resource("cursor", ResourceType.host(1), lambda _, cursor: self.cursors.pop(cursor) and None)
                rows.add_func("describe", lambda _: self.rows.schema)
                rows.add_func("scan", self.scan)
                for method in ("next", "position", "read"):
                    rows.add_func(f"[method]cursor.{method}", self.method(method))
            with root.add_instance(f"partway:pipe/parts@{VERSION}") as parts:
                parts.add_func("write", self.write)
            with root.add_instance(f"partway:pipe/pacing@{VERSION}") as pacing:
                pacing.add_func("should-yield", lambda _: False)

    def scan(self, _, table: bytes, columns: list[bytes], after: bytes | None):
        def opened():
            cursor = self.rows.scan(table, columns, after)
            self.opened += 1
            self.cursors[self.opened] = cursor
            return ResourceHost.own(self.opened, 1)

        return answer(opened)

    def method(self, name: str):
        def call(store, cursor: ResourceAny, *arguments):
            number = cursor.to_host(store).rep
            return answer(lambda: getattr(self.cursors[number], name)(*arguments))

        return call

    def write(self, _, number: int, part: bytes):
        def written():
            # At its own place, so that a part that is written once more changes nothing.
            self.output.seek((number - 1) * PART_SIZE)
            self.output.write(part)

        try:
            return written()
        except OSError as error:
            return Variant("failed", str(error))


def answer(call):
    """What a call gives, or why it could not, as the contract's error."""
    try:
        return call()
    except RowsError as error:
        return error.variant
    except (sqlite3.Error, UnicodeError) as error:
        is_corrupt = getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
        return Variant("corrupt" if is_corrupt else "failed", str(error))


class Exporter:
    """The component. Each call is one of a fresh instance."""

    interface = f"partway:pipe/exporter@{VERSION}"

    def __init__(self, path: Path):
        self.engine = Engine(Config())
        self.component = Component(self.engine, path.read_bytes())

    def call(self, host: Host, name: str, *arguments):
        linker = Linker(self.engine)
        host.link(linker)
        store = Store(self.engine)
        instance = linker.instantiate(store, self.component)
        exports = instance.get_export_index(store, self.interface)
        function = instance.get_func(store, instance.get_export_index(store, name, exports))
        return function(store, *arguments)


def save(path: Path, text: str):
    """Replaces a file, whole or not at all."""
    new = path.with_suffix(".new")
    with open(new, "w", encoding="utf-8", newline="") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)


def copy(database: Path, to: Path):
    """Copies a database page by page: what others write meanwhile, and from now on, does not matter."""
    with sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro", uri=True) as source:
        with sqlite3.connect(to) as target:
            source.backup(target)
    source.close()
    target.close()


def main(database: Path, component: Path, output: Path, slices: int | None):
    folder = output.with_name(output.name + ".partial")
    snapshot, checkpoint, parts = folder / "snapshot.db", folder / "checkpoint", folder / "parts"
    exporter = Exporter(component)
    if not checkpoint.exists():
        folder.mkdir(exist_ok=True)
        snapshot.unlink(missing_ok=True)
        copy(database, snapshot)
        parts.write_bytes(b"")
        options = record(format="sql", tables=[], part_size=PART_SIZE, settings=[])
        save(checkpoint, checked(exporter.call(Host(Rows(snapshot), None), "start", options)))
    rows = Rows(snapshot)
    done = 0
    while done != slices:
        with open(parts, "r+b") as file:
            budget = record(parts=PARTS_PER_SLICE)
            saved = checkpoint.read_text(encoding="utf-8")
            outcome = checked(exporter.call(Host(rows, file), "resume", saved, budget))
            # All parts of a slice must be safe before its checkpoint is saved.
            file.flush()
            os.fsync(file.fileno())
        done += 1
        result = outcome.payload
        if outcome.tag == "done":
            for warning in result.warnings:
                print(f"warning: {warning}", file=sys.stderr)
            if result.damaged:
                sys.exit(f"{database} is damaged in {', '.join(result.damaged)}: {parts} is incomplete")
            rows.db.close()
            parts.replace(output)
            for left in folder.iterdir():
                left.unlink()
            folder.rmdir()
            print(f"{output}: {result.rows} rows of {result.tables} tables, {result.bytes} bytes in {result.parts} parts")
            return
        save(checkpoint, result.checkpoint)
        print(f"slice {done}: {result.progress.bytes} bytes so far")
    print("stopped: the same command goes on from here")


def checked(result: str | Variant):
    """The good result. This library puts it in `ok` only where that and the error could be confused."""
    if isinstance(result, str):
        return result
    if result.tag == "ok":
        return result.payload
    error = result.payload if result.tag == "err" else result
    sys.exit(f"the export failed: {error.tag}: {error.payload}")


if __name__ == "__main__":
    fast_bytes.install()
    if len(sys.argv) not in (4, 5):
        sys.exit(__doc__)
    limit = int(sys.argv[4]) if len(sys.argv) == 5 else None
    main(*map(Path, sys.argv[1:4]), limit)

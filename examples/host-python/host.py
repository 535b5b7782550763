"""The host: exports a database by Partway's component, a slice at a time, each in a fresh instance.

What reads the database is a class given to it: `Rows` of rows.py, or another of the same shape.
"""

import os
import sys
from pathlib import Path

from wasmtime import Config, Engine, Store
from wasmtime.component import Component, Linker, ResourceAny, ResourceHost, ResourceType, Variant

import fast_bytes
from cursor import Cursor, RowsError, record

VERSION = "0.1.0"
PART_SIZE = 1024 * 1024
PARTS_PER_SLICE = 2


class Host:
    """What the component imports during one slice: rows, parts and pacing."""

    def __init__(self, rows, output):
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

        return self.answer(opened)

    def method(self, name: str):
        def call(store, cursor: ResourceAny, *arguments):
            number = cursor.to_host(store).rep
            return self.answer(lambda: getattr(self.cursors[number], name)(*arguments))

        return call

    def answer(self, call):
        """What a call gives, or why it could not, as the contract's error."""
        try:
            return call()
        except RowsError as error:
            return error.variant
        except self.rows.ERRORS as error:
            return Variant("corrupt" if self.rows.is_corrupt(error) else "failed", str(error))

    def write(self, _, number: int, part: bytes):
        try:
            # At its own place, so that a part that is written once more changes nothing.
            self.output.seek((number - 1) * PART_SIZE)
            self.output.write(part)
        except OSError as error:
            return Variant("failed", str(error))


class Instances:
    """A component. Each call is one of a fresh instance."""

    def __init__(self, path: Path, interface: str):
        self.interface = interface
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


def export(rows_of: type, database: Path, component: Path, output: Path, slices: int | None):
    """Exports a database, or goes on with it; with `slices`, at most so many."""
    folder = output.with_name(output.name + ".partial")
    snapshot, checkpoint, parts = folder / "snapshot.db", folder / "checkpoint", folder / "parts"
    is_new = not checkpoint.exists()
    if is_new:
        folder.mkdir(exist_ok=True)
        # What a start that failed has left, an engine's log too: it does not belong to the new copy.
        for left in folder.iterdir():
            left.unlink()
        rows_of.copy(database, snapshot)
        parts.write_bytes(b"")
    rows = rows_of(snapshot)
    exporter = Instances(component, f"partway:pipe/exporter@{VERSION}")
    if is_new:
        options = record(format="sql", tables=[], part_size=PART_SIZE, settings=rows.SETTINGS)
        save(checkpoint, checked(exporter.call(Host(rows, None), "start", options)))
        for text in rows.left_out:
            print(f"left out: {text}", file=sys.stderr)
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


def save(path: Path, text: str):
    """Replaces a file, whole or not at all."""
    new = path.with_suffix(".new")
    with open(new, "w", encoding="utf-8", newline="") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)


def checked(result: str | Variant):
    """The good result. This library puts it in `ok` only where that and the error could be confused."""
    if isinstance(result, str):
        return result
    if result.tag == "ok":
        return result.payload
    error = result.payload if result.tag == "err" else result
    sys.exit(f"the export failed: {error.tag}: {error.payload}")


def main(rows_of: type, arguments: list[str], usage: str):
    """The arguments DATABASE COMPONENT OUTPUT [SLICES]."""
    if len(arguments) not in (3, 4):
        sys.exit(usage)
    fast_bytes.install()
    slices = int(arguments[3]) if len(arguments) == 4 else None
    try:
        export(rows_of, *map(Path, arguments[:3]), slices)
    except (RowsError, *rows_of.ERRORS) as error:
        sys.exit(f"the export failed: {error}")


def check(rows_of: type, arguments: list[str], usage: str):
    """Runs component/rows-check over rows. The arguments DATABASE ROWS-CHECK [--sample]."""
    is_sample = arguments[2:] == ["--sample"]
    if len(arguments) != 2 + is_sample:
        sys.exit(usage)
    fast_bytes.install()
    checks = Instances(Path(arguments[1]), "partway:rows-check/checks@0.1.0")
    host = Host(rows_of(Path(arguments[0])), None)
    report = checks.call(host, "check-sample" if is_sample else "check-any")
    for failure in report.failures:
        print(f"{failure.rule}: {failure.text}")
    print(f"{len(report.failures)} failures in {report.rows} rows of {report.tables} tables")
    sys.exit(1 if report.failures else 0)

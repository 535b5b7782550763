"""The engines, and the way to what the hosts share."""

import sys
from importlib import import_module
from pathlib import Path

sys.path.insert(1, str(Path(__file__).resolve().parent.parent / "host-python"))

ENGINES = {"turso": "turso_rows", "duckdb": "duckdb_rows"}


def engine(name: str | None) -> type:
    """The class that reads by an engine of this name."""
    if name not in ENGINES:
        sys.exit(f"the engine is one of {', '.join(ENGINES)}")
    return import_module(ENGINES[name]).Rows

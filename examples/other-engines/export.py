"""Exports a database by Partway's component, as host-python does, but read by another engine than SQLite.

    python export.py turso|duckdb DATABASE COMPONENT OUTPUT [SLICES]

With SLICES, it stops after so many. The same command goes on where it stopped, and where it was killed.
"""

import sys

from engine import engine

import host

if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    host.main(engine(sys.argv[1]), sys.argv[2:], __doc__)

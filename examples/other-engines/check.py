"""Runs component/rows-check over the rows that an engine reads.

    python check.py turso|duckdb DATABASE ROWS-CHECK [--sample]

Turso writes to the database: give it a copy. With --sample, it is the one that sample.sql makes.
"""

import sys

from engine import engine

import host

if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    host.check(engine(sys.argv[1]), sys.argv[2:], __doc__)

"""Exports a SQLite database by Partway's component, a slice at a time, each in a fresh instance.

    python export.py DATABASE COMPONENT OUTPUT [SLICES]

With SLICES, it stops after so many. The same command goes on where it stopped, and where it was killed.
"""

import sys

import host
from rows import Rows

if __name__ == "__main__":
    host.main(Rows, sys.argv[1:], __doc__)

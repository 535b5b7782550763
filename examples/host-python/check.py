"""Runs component/rows-check over the rows of a database.

    python check.py DATABASE ROWS-CHECK [--sample]

The database must not be changed meanwhile. With --sample, it is the one that sample.sql makes.
"""

import sys

import host
from rows import Rows

if __name__ == "__main__":
    host.check(Rows, sys.argv[1:], __doc__)

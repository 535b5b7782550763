"""Runs component/rows-check over the rows of a database.

    python check.py DATABASE ROWS-CHECK [--sample]

The database must not be changed meanwhile. With --sample, it is the one that sample.sql makes.
"""

import sys
from pathlib import Path

import fast_bytes
from export import Exporter, Host
from rows import Rows


class Checks(Exporter):
    interface = "partway:rows-check/checks@0.1.0"


def main(database: Path, component: Path, name: str):
    report = Checks(component).call(Host(Rows(database), None), name)
    for failure in report.failures:
        print(f"{failure.rule}: {failure.text}")
    print(f"{len(report.failures)} failures in {report.rows} rows of {report.tables} tables")
    sys.exit(1 if report.failures else 0)


if __name__ == "__main__":
    fast_bytes.install()
    is_sample = sys.argv[3:] == ["--sample"]
    if len(sys.argv) != 3 + is_sample:
        sys.exit(__doc__)
    main(Path(sys.argv[1]), Path(sys.argv[2]), "check-sample" if is_sample else "check-any")

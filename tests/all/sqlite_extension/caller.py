"""A program that uses the extension: python caller.py MODULE EXTENSION CASE STORE [DATABASE]

MODULE is sqlite3 or a module like it. What a case finds is one line of JSON on standard output.
"""

import hashlib
import importlib
import json
import os
import sys
import threading
import time

MODULE, EXTENSION, CASE, STORE = sys.argv[1:5]
DATABASE = sys.argv[5] if len(sys.argv) > 5 else ":memory:"
sqlite = importlib.import_module(MODULE)
WAIT_LIMIT = 60
EXPORT = "SELECT partway_export(?, ?)"


def connect(path):
    connection = sqlite.connect(path, isolation_level=None, check_same_thread=False)
    connection.enable_load_extension(True)
    connection.load_extension(EXTENSION)
    connection.enable_load_extension(False)
    return connection


def one(connection, sql, *parameters):
    return connection.execute(sql, parameters).fetchone()[0]


def export(connection, **options):
    return json.loads(one(connection, EXPORT, STORE, json.dumps(options)))


def same():
    """The hashes of one database's dump, from wherever it is."""
    file = connect(DATABASE)
    memory = connect(":memory:")
    file.backup(memory)
    attaching = connect(":memory:")
    attaching.execute(f"PRAGMA encoding = '{one(file, 'PRAGMA encoding')}'")
    attaching.execute("ATTACH ? AS other", (DATABASE,))
    parts = hashlib.sha256()
    for number, part in memory.execute("SELECT number, bytes FROM partway_parts('{\"part_size\":1048576}')"):
        parts.update(part)
    # One after the other from several threads, and at the same time from several connections.
    results = []

    def run(connection):
        results.append(export(connection)["sha256"])

    connections = [file, memory, connect(DATABASE)]
    threads = [threading.Thread(target=run, args=(connection,)) for connection in connections]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WAIT_LIMIT)
    return results + [export(attaching, schema="other")["sha256"], parts.hexdigest()]


PRAGMAS = """application_id auto_vacuum automatic_index busy_timeout cache_size cell_size_check
    checkpoint_fullfsync data_version defer_foreign_keys encoding foreign_keys freelist_count fullfsync
    ignore_check_constraints journal_mode journal_size_limit legacy_alter_table locking_mode mmap_size page_count
    page_size query_only read_uncommitted recursive_triggers reverse_unordered_selects schema_version
    secure_delete synchronous temp_store trusted_schema user_version wal_autocheckpoint writable_schema""".split()


def state():
    """Whether the connection is after an export as it was before."""
    connection = connect(DATABASE)
    seen = {"authorized": 0, "steps": 0}

    def authorize(*arguments):
        seen["authorized"] += 1
        return 0

    def step():
        seen["steps"] += 1
        return 0

    connection.execute("CREATE TEMP TABLE mine (a)")
    connection.executemany("INSERT INTO mine VALUES (?)", [(1,), (2,)])
    connection.execute("UPDATE mine SET a = 3")
    connection.set_authorizer(authorize)
    connection.set_progress_handler(step, 100)
    limits = getattr(sqlite, "SQLITE_LIMIT_LENGTH", None)
    if limits is not None:
        connection.setlimit(sqlite.SQLITE_LIMIT_LENGTH, 50_000_000)

    def look():
        found = {name: connection.execute("PRAGMA " + name).fetchall() for name in PRAGMAS}
        found["changes"] = one(connection, "SELECT json_array(changes(), total_changes(), last_insert_rowid())")
        found["tables"] = connection.execute("SELECT * FROM pragma_table_list ORDER BY 1, 2").fetchall()
        found["in_transaction"] = connection.in_transaction
        found["limit"] = limits is not None and connection.getlimit(sqlite.SQLITE_LIMIT_LENGTH)
        return found

    def works(handler):
        before = seen[handler]
        connection.execute("SELECT count(*) FROM (SELECT 1 FROM pragma_table_list), mine, mine, mine").fetchall()
        return seen[handler] > before

    before = look()
    results = []
    for run in (
        lambda: export(connection),
        lambda: connection.execute("SELECT * FROM partway_parts").fetchall(),
        lambda: connection.execute("SELECT * FROM partway_parts('{\"part_size\":4096}')").fetchone(),
        lambda: export(connection, table="nowhere"),
    ):
        try:
            run()
        except sqlite.Error as error:
            results.append(str(error))
        after = look()
        assert after == before, {name: (before[name], after[name]) for name in before if after[name] != before[name]}
        assert works("authorized") and works("steps"), seen
    # Nobody holds a lock on the file, and the connection can be closed, with a read that is not at its end.
    left = connection.execute("SELECT number FROM partway_parts('{\"part_size\":4096}')")
    left.fetchone()
    left.close()
    other = sqlite.connect(DATABASE, timeout=0, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    other.execute("ROLLBACK")
    connection.close()
    return results


def changed():
    """What happens to a dump that is read while its connection writes."""
    connection = connect(DATABASE)
    rows = connection.execute("SELECT number FROM partway_parts('{\"part_size\":4096}')")
    rows.fetchone()
    connection.execute("CREATE TABLE new (a)")
    try:
        rows.fetchall()
    except sqlite.Error as error:
        return str(error)


def wait_for_a_file():
    began = time.monotonic()
    while not os.listdir(STORE):
        assert time.monotonic() - began < WAIT_LIMIT, "nothing is exported"
        time.sleep(0.001)


def interrupted(connection, wait):
    """Interrupts an export when `wait` returns: what is said, and how long it took."""
    began = []

    def interrupt():
        wait()
        began.append(time.monotonic())
        connection.interrupt()

    thread = threading.Thread(target=interrupt)
    thread.start()
    said = None
    try:
        export(connection)
    except sqlite.OperationalError as error:
        said = str(error)
    ended = time.monotonic()
    thread.join(WAIT_LIMIT)
    # It is of use again.
    assert one(connection, "SELECT 7") == 7
    return [said, ended - began[0]]


def interrupt():
    connection = connect(DATABASE)
    found = [interrupted(connection, wait_for_a_file)[0], os.listdir(STORE)]
    # By a progress handler, too.
    connection.set_progress_handler(lambda: bool(os.listdir(STORE)), 1000)
    try:
        export(connection)
    except sqlite.OperationalError as error:
        found.append(str(error))
    connection.set_progress_handler(None, 0)
    return found + [os.listdir(STORE)]


def interrupt_upload():
    """Interrupts an export when standard input says so."""
    return interrupted(connect(DATABASE), sys.stdin.readline)


print(json.dumps(globals()[CASE]()))

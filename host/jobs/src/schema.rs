//! The file that jobs are saved in: how it is opened, recognized and migrated to the current
//! version.

use std::fs;
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use crate::private_file::create_private;
use crate::state_error::StateError;

/// "Pway": the file's mark, SQLite's `application_id`.
const APPLICATION_ID: i64 = 0x5077_6179;

/// What migrates a file from one version to the next. The version is SQLite's `user_version`: how many of these a
/// file has had. They are never changed, only added to.
const MIGRATIONS: &[&str] = &["
    CREATE TABLE export_jobs (
        id TEXT PRIMARY KEY,
        state TEXT NOT NULL,
        -- What makes two exports the same: the database's path, the store, the name asked for.
        database TEXT NOT NULL,
        store TEXT NOT NULL,
        name TEXT NOT NULL,
        -- What was asked for, as JSON.
        options TEXT NOT NULL,
        skips_damaged INTEGER NOT NULL DEFAULT 0,
        -- What going on needs.
        object TEXT,
        upload_id TEXT,
        part_size INTEGER,
        component TEXT,
        fingerprint TEXT,
        checkpoint TEXT,
        hash TEXT,
        ended INTEGER NOT NULL DEFAULT 0,
        -- How far it is, and is to come, as JSON.
        totals TEXT,
        expected TEXT,
        -- The timer's. Times are milliseconds since 1970.
        starts INTEGER NOT NULL DEFAULT 0,
        attempts INTEGER NOT NULL DEFAULT 0,
        wake_at INTEGER,
        lease_owner TEXT,
        lease_until INTEGER,
        lease_token INTEGER NOT NULL DEFAULT 0,
        unwanted INTEGER NOT NULL DEFAULT 0,
        created_at INTEGER NOT NULL,
        moved_at INTEGER NOT NULL,
        finished_at INTEGER,
        last_error TEXT,
        location TEXT,
        sha256 TEXT
    ) STRICT;
    CREATE INDEX export_jobs_due ON export_jobs (wake_at) WHERE wake_at IS NOT NULL;
    -- Two unfinished jobs never make the same object.
    CREATE UNIQUE INDEX export_jobs_object ON export_jobs (store, object) WHERE finished_at IS NULL;
    CREATE TABLE export_parts (
        job TEXT NOT NULL REFERENCES export_jobs (id) ON DELETE CASCADE,
        number INTEGER NOT NULL,
        receipt TEXT NOT NULL,
        PRIMARY KEY (job, number)
    ) STRICT, WITHOUT ROWID;
", "
    -- A client's word for its request: the same request again is the same job.
    ALTER TABLE export_jobs ADD COLUMN request_key TEXT;
    CREATE UNIQUE INDEX export_jobs_request ON export_jobs (store, request_key) WHERE request_key IS NOT NULL;
", "
    -- Who is to be told how a job has ended. Nothing has to be written here when it does: who sends looks at both.
    CREATE TABLE export_callbacks (
        job TEXT PRIMARY KEY REFERENCES export_jobs (id) ON DELETE CASCADE,
        url TEXT NOT NULL,
        attempts INTEGER NOT NULL DEFAULT 0,
        -- When it is sent, once the job is finished; NULL: never again.
        next_at INTEGER,
        delivered_at INTEGER,
        last_error TEXT
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX export_callbacks_due ON export_callbacks (next_at) WHERE next_at IS NOT NULL;
", "
    -- When exports are made unasked: of which database to which store, by which rule, and which was the last.
    CREATE TABLE export_schedules (
        database TEXT NOT NULL,
        store TEXT NOT NULL,
        rule TEXT NOT NULL,
        next_at INTEGER NOT NULL,
        last_job TEXT,
        -- The state of the database when that was made.
        fingerprint TEXT,
        PRIMARY KEY (database, store)
    ) STRICT, WITHOUT ROWID;
    ALTER TABLE export_jobs ADD COLUMN scheduled INTEGER NOT NULL DEFAULT 0;
    -- When the object was deleted.
    ALTER TABLE export_jobs ADD COLUMN pruned_at INTEGER;
    CREATE INDEX export_jobs_newest ON export_jobs (store, created_at);
    CREATE INDEX export_jobs_named ON export_jobs (store, object);
", "
    ALTER TABLE export_jobs RENAME COLUMN unwanted TO cancel_requested;
    ALTER TABLE export_parts RENAME COLUMN receipt TO part_id;
", "
    -- What tells the object of a done job from any other that has its name later.
    ALTER TABLE export_jobs ADD COLUMN object_version TEXT;
", "
    -- How exports of a database to a store have ended. It stays when the jobs are forgotten.
    CREATE TABLE export_results (
        database TEXT NOT NULL,
        store TEXT NOT NULL,
        -- The final state; 'incomplete' where rows are missing.
        result TEXT NOT NULL,
        exports INTEGER NOT NULL,
        bytes INTEGER NOT NULL,
        seconds REAL NOT NULL,
        last_at INTEGER NOT NULL,
        PRIMARY KEY (database, store, result)
    ) STRICT, WITHOUT ROWID;
    -- The last complete export of all tables, and when it was last known to be up to date.
    CREATE TABLE export_last_good (
        database TEXT NOT NULL,
        store TEXT NOT NULL,
        good_at INTEGER NOT NULL,
        bytes INTEGER NOT NULL,
        seconds REAL NOT NULL,
        PRIMARY KEY (database, store)
    ) STRICT, WITHOUT ROWID;
    INSERT INTO export_results
        SELECT database, store,
            CASE WHEN state = 'done' AND json_array_length(totals, '$.damaged') > 0
                THEN 'incomplete' ELSE state END AS result,
            count(*), sum(coalesce(totals ->> 'bytes', 0)), sum(coalesce(totals ->> 'seconds', 0.0)),
            max(finished_at)
        FROM export_jobs WHERE finished_at IS NOT NULL GROUP BY database, store, result;
    -- With max(), the other columns are those of its row.
    INSERT INTO export_last_good
        SELECT database, store, max(finished_at), totals ->> 'bytes', totals ->> 'seconds'
        FROM export_jobs
        WHERE state = 'done' AND totals IS NOT NULL
            AND coalesce(json_array_length(totals, '$.damaged'), 0) = 0
            AND json_array_length(options, '$.tables') = 0
        GROUP BY database, store;
    -- When the schedule last started an export, or found that none was needed.
    ALTER TABLE export_schedules ADD COLUMN last_at INTEGER;
", "
    -- How the object is encoded, and how far that is, as JSON. With the key of an object that is encrypted.
    ALTER TABLE export_jobs ADD COLUMN encoded TEXT;
", "
    -- What the manifest lists. Hashes are XXH64, as signed numbers.
    ALTER TABLE export_parts ADD COLUMN bytes INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE export_parts ADD COLUMN xxh64 INTEGER NOT NULL DEFAULT 0;
    CREATE TABLE export_tables (
        job TEXT NOT NULL REFERENCES export_jobs (id) ON DELETE CASCADE,
        number INTEGER NOT NULL,
        name TEXT NOT NULL,
        rows INTEGER NOT NULL,
        offset INTEGER NOT NULL,
        bytes INTEGER NOT NULL,
        xxh64 INTEGER NOT NULL,
        PRIMARY KEY (job, number)
    ) STRICT, WITHOUT ROWID;
", "
    -- Of a job that makes one object of each table: the progress of the one that it is at, as JSON.
    ALTER TABLE export_jobs ADD COLUMN object_totals TEXT;
    CREATE TABLE export_objects (
        job TEXT NOT NULL REFERENCES export_jobs (id) ON DELETE CASCADE,
        number INTEGER NOT NULL,
        -- NULL: the manifest.
        table_name TEXT,
        -- Once its upload has begun.
        name TEXT,
        -- When its slices are done, as JSON: what completing it needs.
        ended TEXT,
        -- When the job is done.
        bytes INTEGER,
        rows INTEGER,
        sha256 TEXT,
        version TEXT,
        PRIMARY KEY (job, number)
    ) STRICT, WITHOUT ROWID;
", "
    -- A database may have several schedules to a store, each of which exports something else: what, as its options say,
    -- and nothing for the whole database by default.
    ALTER TABLE export_schedules RENAME TO old_schedules;
    CREATE TABLE export_schedules (
        database TEXT NOT NULL,
        store TEXT NOT NULL,
        options TEXT NOT NULL,
        rule TEXT NOT NULL,
        next_at INTEGER NOT NULL,
        last_job TEXT,
        fingerprint TEXT,
        last_at INTEGER,
        PRIMARY KEY (database, store, options)
    ) STRICT, WITHOUT ROWID;
    INSERT INTO export_schedules
        SELECT database, store, '', rule, next_at, last_job, fingerprint, last_at FROM old_schedules;
    DROP TABLE old_schedules;
    -- The options of the schedule that created the job; NULL: a client did.
    ALTER TABLE export_jobs ADD COLUMN schedule TEXT;
    UPDATE export_jobs SET schedule = '' WHERE scheduled;
    ALTER TABLE export_jobs DROP COLUMN scheduled;
"];

/// How long to wait for another process that writes.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// Opens the file, creates it if there is none, and migrates it to the current version. A file that
/// is damaged, belongs to another program or is from a newer version is not changed.
pub(crate) fn open(path: &Path) -> Result<Connection, StateError> {
    // Checkpoints hold data of databases: the file is for its owner alone, and SQLite gives the files beside it the
    // same rights. One that is there is never opened here: closing it would drop this process' locks on it.
    match create_private(path) {
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => {
            return Err(StateError::ReadOnly { path: path.to_owned(), reason: error.to_string() });
        }
    }
    let failed = |error: rusqlite::Error| StateError::from_sqlite(path, &error);
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags).map_err(failed)?;
    connection.busy_timeout(BUSY_TIMEOUT).map_err(failed)?;
    // Where it can't open a file for writing, SQLite opens it for reading.
    if connection.is_readonly("main").map_err(failed)? {
        let reason = "the file or its disk is read-only".to_owned();
        return Err(StateError::ReadOnly { path: path.to_owned(), reason });
    }
    let is_present = is_present(&connection, path)?;
    // Of a file that is new: pages of jobs that are forgotten can be given back to the disk.
    connection
        .execute_batch(
            "PRAGMA auto_vacuum=INCREMENTAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON; PRAGMA trusted_schema=OFF;",
        )
        .and_then(|()| retry_while_busy(|| connection.execute_batch("PRAGMA journal_mode=WAL")))
        .map_err(failed)?;
    if !is_present {
        migrate(&mut connection, path, MIGRATIONS)?;
    }
    Ok(connection)
}

/// Opens a file for reading that [`open`] has opened.
pub(crate) fn open_reader(path: &Path) -> Result<Connection, StateError> {
    let failed = |error: rusqlite::Error| StateError::from_sqlite(path, &error);
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(failed)?;
    connection
        .busy_timeout(BUSY_TIMEOUT)
        .and_then(|()| connection.execute_batch("PRAGMA query_only=ON; PRAGMA trusted_schema=OFF;"))
        .map_err(failed)?;
    Ok(connection)
}

/// Repeats what SQLite refuses at once while another process does the same, whatever its timeout: the change to WAL mode.
fn retry_while_busy(work: impl Fn() -> rusqlite::Result<()>) -> rusqlite::Result<()> {
    let until = Instant::now() + BUSY_TIMEOUT;
    loop {
        match work() {
            Err(error)
                if error.sqlite_error_code() == Some(rusqlite::ErrorCode::DatabaseBusy)
                    && Instant::now() < until =>
            {
                std::thread::sleep(Duration::from_millis(10));
            }
            other => return other,
        }
    }
}

/// Makes the folder, with its parents, for its owner alone.
pub(crate) fn create_folder(folder: &Path) -> Result<(), StateError> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder).map_err(|source| StateError::Folder { path: folder.to_owned(), source })
}

/// Whether the file is ours, intact and of the current version: nothing is written before that is
/// known.
fn is_present(connection: &Connection, path: &Path) -> Result<bool, StateError> {
    let failed = |error: rusqlite::Error| StateError::from_sqlite(path, &error);
    // All of it at one moment: another process may be making the file.
    let _moment = connection.unchecked_transaction().map_err(failed)?;
    let number =
        |pragma: &str| connection.query_row(pragma, [], |row| row.get::<_, i64>(0)).map_err(failed);
    let damaged =
        |reason: &str| StateError::Damaged { path: path.to_owned(), reason: reason.to_owned() };
    let known = MIGRATIONS.len() as i64;
    let application_id = number("PRAGMA application_id")?;
    let found = number("PRAGMA user_version")?;
    if application_id != APPLICATION_ID {
        let objects = number("SELECT count(*) FROM sqlite_schema")?;
        return match (application_id, found, objects) {
            (0, 0, 0) => Ok(false),
            _ => Err(damaged("it belongs to another program")),
        };
    }
    if found > known {
        return Err(StateError::Newer { path: path.to_owned(), found, known });
    }
    let check: String =
        connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0)).map_err(failed)?;
    if check != "ok" {
        return Err(damaged(&check));
    }
    Ok(found == known)
}

fn migrate(connection: &mut Connection, path: &Path, steps: &[&str]) -> Result<(), StateError> {
    let mut migrate = || -> rusqlite::Result<()> {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        // Another process may have done it meanwhile.
        let version: u32 = transaction.query_row("PRAGMA user_version", [], |row| row.get(0))?;
        for step in steps.iter().skip(version as usize) {
            transaction.execute_batch(step)?;
        }
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.pragma_update(
            None,
            "user_version",
            steps.len().max(version as usize) as i64,
        )?;
        transaction.commit()
    };
    migrate().map_err(|error| StateError::from_sqlite(path, &error))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(connection: &Connection) -> i64 {
        connection.query_row("PRAGMA user_version", [], |row| row.get(0)).unwrap()
    }

    #[test]
    fn a_file_is_brought_forward_step_by_step_and_keeps_its_jobs() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("jobs.db");
        let mut connection = open(&path).unwrap();
        let insert = "INSERT INTO export_jobs (id, state, database, store, name, options, created_at, moved_at) \
                      VALUES ('a', 'waiting', '', '', '', '', 0, 0)";
        connection.execute(insert, []).unwrap();
        let further = "ALTER TABLE export_jobs ADD COLUMN later TEXT DEFAULT 'x'";
        let steps = [MIGRATIONS, &[further]].concat();
        migrate(&mut connection, &path, &steps).unwrap();
        // A second time, as by another process at once.
        migrate(&mut connection, &path, &steps).unwrap();
        assert_eq!(version(&connection), steps.len() as i64);
        let later: String =
            connection.query_row("SELECT later FROM export_jobs", [], |row| row.get(0)).unwrap();
        assert_eq!(later, "x");
        // The version before does not touch it.
        let error = open(&path).unwrap_err();
        assert!(matches!(error, StateError::Newer { .. }), "{error}");
        assert_eq!(version(&connection), steps.len() as i64);
    }

    #[test]
    fn schedules_and_what_they_made_are_kept_when_a_database_may_have_several() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("jobs.db");
        let mut connection = Connection::open(&path).unwrap();
        let several = MIGRATIONS.iter().position(|step| step.contains("old_schedules")).unwrap();
        migrate(&mut connection, &path, &MIGRATIONS[..several]).unwrap();
        connection
            .execute_batch(
                "INSERT INTO export_schedules VALUES ('/app.db', '/store', '24h', 5, 'a', '{}', 3);
                 INSERT INTO export_jobs (id, state, database, store, name, options, created_at, moved_at, scheduled)
                     VALUES ('a', 'done', '', '', '', '', 0, 0, 1), ('b', 'done', '', '', '', '', 0, 0, 0);",
            )
            .unwrap();
        drop(connection);
        let connection = open(&path).unwrap();
        let text =
            |query: &str| -> String { connection.query_row(query, [], |row| row.get(0)).unwrap() };
        let entries = "SELECT json_group_array(json_array(database, store, options, rule, next_at, last_job, fingerprint, \
                       last_at)) FROM export_schedules";
        assert_eq!(text(entries), r#"[["/app.db","/store","","24h",5,"a","{}",3]]"#);
        let jobs = "SELECT json_group_array(json_array(id, schedule)) FROM export_jobs";
        assert_eq!(text(jobs), r#"[["a",""],["b",null]]"#);
    }

    #[test]
    fn the_present_version_is_written_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("jobs.db");
        drop(open(&path).unwrap());
        assert_eq!(version(&open(&path).unwrap()), MIGRATIONS.len() as i64);
    }
}

//! What stays of finished jobs: how many ended how, and the last good export of each database. Forgetting jobs by age.

use std::path::PathBuf;

use jiff::Timestamp;
use rusqlite::{Transaction, params};

use crate::columns::time;
use crate::job_store::{JobStore, TransactionError};
use crate::record::JobId;
use crate::state_error::StateError;

/// How many jobs are forgotten in one transaction: others that write do not wait for long.
const BATCH: u32 = 500;

/// How exports of a database to a store have ended so far, including those that are forgotten.
#[derive(Debug, Clone, PartialEq)]
pub struct ExportResult {
    /// The database's path.
    pub database: PathBuf,
    /// `done`, `incomplete` (done, but rows are missing because the database is damaged), `failed` or `cancelled`.
    pub result: String,
    /// How many have ended so.
    pub exports: u64,
    /// Bytes that they have written, all in all.
    pub bytes: u64,
    /// Seconds that their slices took, all in all.
    pub seconds: f64,
    /// When the last one ended.
    pub last_at: Timestamp,
}

/// The last complete export of all tables of a database to a store.
#[derive(Debug, Clone, PartialEq)]
pub struct LastGood {
    /// The database's path.
    pub database: PathBuf,
    /// When it ended, or a schedule last found that the database has not changed since.
    pub good_at: Timestamp,
    /// Its length, in bytes.
    pub bytes: u64,
    /// Seconds that its slices took.
    pub seconds: f64,
}

impl JobStore {
    /// How exports to a store have ended.
    ///
    /// # Errors
    ///
    /// Errors of [`StateError`] about the file.
    pub fn results(&self, store: &str) -> Result<Vec<ExportResult>, StateError> {
        self.read(|connection| {
            let mut statement =
                connection.prepare_cached("SELECT * FROM export_results WHERE store = ?1")?;
            let rows = statement.query_map([store], |row| {
                Ok(ExportResult {
                    database: row.get::<_, String>("database")?.into(),
                    result: row.get("result")?,
                    exports: row.get("exports")?,
                    bytes: row.get("bytes")?,
                    seconds: row.get("seconds")?,
                    last_at: time(row, "last_at")?.unwrap_or_default(),
                })
            })?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }

    /// The last good export of each database to a store.
    ///
    /// # Errors
    ///
    /// Errors of [`StateError`] about the file.
    pub fn last_good(&self, store: &str) -> Result<Vec<LastGood>, StateError> {
        self.read(|connection| {
            let mut statement =
                connection.prepare_cached("SELECT * FROM export_last_good WHERE store = ?1")?;
            let rows = statement.query_map([store], |row| {
                Ok(LastGood {
                    database: row.get::<_, String>("database")?.into(),
                    good_at: time(row, "good_at")?.unwrap_or_default(),
                    bytes: row.get("bytes")?,
                    seconds: row.get("seconds")?,
                })
            })?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }

    /// Forgets some of the exports to a store that ended before a time, oldest first, and says how many; 0: there are no
    /// more. Their objects stay. Exports whose callback is still to be sent, and the last one of each schedule, are not
    /// forgotten, nor, with `keeps_scheduled`, scheduled ones whose object is there: retention needs them.
    ///
    /// # Errors
    ///
    /// Errors of [`StateError`] about the file.
    pub fn forget_finished(
        &self,
        store: &str,
        before: Timestamp,
        keeps_scheduled: bool,
    ) -> Result<usize, StateError> {
        self.write(|transaction| {
            let forgotten = transaction.execute(
                "DELETE FROM export_jobs WHERE id IN ( \
                     SELECT id FROM export_jobs WHERE store = ?1 AND finished_at < ?2 \
                         AND NOT (?3 AND schedule IS NOT NULL AND state = 'done' AND pruned_at IS NULL) \
                         AND NOT EXISTS (SELECT 1 FROM export_callbacks WHERE job = id AND next_at IS NOT NULL) \
                         AND NOT EXISTS (SELECT 1 FROM export_schedules WHERE last_job = id) \
                     ORDER BY finished_at LIMIT ?4)",
                params![store, before.as_millisecond(), keeps_scheduled, BATCH],
            )?;
            // Files that older versions have made have no list of what to give back: there, pages are only used again.
            let mut vacuum = transaction.prepare("PRAGMA incremental_vacuum")?;
            let mut steps = vacuum.query([])?;
            // Each step gives back one page.
            while steps.next()?.is_some() {}
            Ok(forgotten)
        })
    }
}

/// Counts a job that has just ended.
pub(crate) fn remember(transaction: &Transaction<'_>, id: &JobId) -> Result<(), TransactionError> {
    transaction.execute(
        "INSERT INTO export_results (database, store, result, exports, bytes, seconds, last_at) \
         SELECT database, store, \
             CASE WHEN state = 'done' AND json_array_length(totals, '$.damaged') > 0 \
                 THEN 'incomplete' ELSE state END, \
             1, coalesce(totals ->> 'bytes', 0), coalesce(totals ->> 'seconds', 0.0), finished_at \
         FROM export_jobs WHERE id = ?1 \
         ON CONFLICT DO UPDATE SET exports = exports + 1, bytes = bytes + excluded.bytes, \
             seconds = seconds + excluded.seconds, last_at = max(last_at, excluded.last_at)",
        [&id.0],
    )?;
    // An export of some tables or rows stands in for none of all.
    transaction.execute(
        "INSERT INTO export_last_good (database, store, good_at, bytes, seconds) \
         SELECT database, store, finished_at, totals ->> 'bytes', totals ->> 'seconds' \
         FROM export_jobs \
         WHERE id = ?1 AND state = 'done' AND totals IS NOT NULL \
             AND coalesce(json_array_length(totals, '$.damaged'), 0) = 0 \
             AND json_array_length(options, '$.tables') = 0 \
             AND NOT coalesce(options ->> '$.each_table', 0) \
             AND NOT EXISTS (SELECT 1 FROM json_each(options, '$.settings') \
                 WHERE value ->> 0 IN ('exclude-table', 'content', 'limit', 'filtered')) \
         ON CONFLICT DO UPDATE SET good_at = max(good_at, excluded.good_at), bytes = excluded.bytes, \
             seconds = excluded.seconds",
        [&id.0],
    )?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lease::{Claim, Lease};
    use crate::object_set::Completed;
    use crate::record::JobState;
    use crate::totals::{Finished, Totals};
    use crate::{Content, ExportRequest, Queued, ScheduleKey, subset_settings};

    fn request(tables: &[&str]) -> ExportRequest {
        let tables = tables.iter().map(|&table| table.to_owned()).collect();
        ExportRequest { tables, ..ExportRequest::example() }
    }

    fn key(options: &str) -> ScheduleKey {
        let database = request(&[]).database;
        ScheduleKey { database, store: store(), options: options.to_owned() }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn store() -> String {
        request(&[]).store.identity()
    }

    struct Case {
        jobs: JobStore,
        _folder: tempfile::TempDir,
    }

    impl Case {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            Self { jobs: JobStore::open(folder.path()).unwrap(), _folder: folder }
        }

        fn claimed(
            &self,
            request: &ExportRequest,
            callback: Option<&str>,
            now: Timestamp,
        ) -> Lease {
            let queued = self.jobs.queue(request, None, callback, 1000, now).unwrap();
            let Queued::New(id) = queued else { panic!("{queued:?}") };
            let Claim::Claimed(lease, _) = self.jobs.claim(&id, "me", now, false).unwrap() else {
                panic!("not claimed")
            };
            lease
        }

        /// An export that is done, with these tables damaged.
        fn done(&self, request: &ExportRequest, damaged: &[&str], second: i64) -> JobId {
            let lease = self.claimed(request, None, at(second - 5));
            let totals = Totals {
                bytes: 1000,
                seconds: 2.5,
                damaged: damaged.iter().map(|&table| table.to_owned()).collect(),
                ..Totals::default()
            };
            let text = serde_json::to_string(&totals).unwrap();
            let set = "UPDATE export_jobs SET totals = ?2 WHERE id = ?1";
            self.jobs
                .write(|transaction| Ok(transaction.execute(set, params![lease.id.0, text])?))
                .unwrap();
            let (name, location) = (format!("{}.sql", lease.id), String::new());
            let sha256 = "ab".to_owned();
            let finished = Finished { name, location, sha256, version: None, totals };
            let completed = Completed { finished, objects: Vec::new() };
            self.jobs.save_done(&lease, &completed, at(second)).unwrap();
            lease.id
        }

        fn pages(&self) -> i64 {
            self.jobs
                .read(|connection| {
                    Ok(connection.query_row("PRAGMA page_count", [], |row| row.get(0))?)
                })
                .unwrap()
        }

        fn good_at(&self) -> Option<Timestamp> {
            self.jobs.last_good(&store()).unwrap().pop().map(|good| good.good_at)
        }
    }

    #[test]
    fn what_has_ended_is_counted_and_only_a_whole_export_is_good() {
        let case = Case::new();
        let incomplete = case.done(&request(&[]), &["t"], 100);
        assert_eq!(case.good_at(), None);
        case.done(&request(&["t"]), &[], 200);
        for content in [Content::Schema, Content::Data] {
            let settings = subset_settings(&[], Some(content), None);
            case.done(&ExportRequest { settings, ..request(&[]) }, &[], 210);
        }
        case.done(&ExportRequest { each_table: true, ..request(&[]) }, &[], 215);
        let settings = subset_settings(&["t".to_owned()], None, Some(5));
        case.done(&ExportRequest { settings, ..request(&[]) }, &[], 220);
        assert_eq!(case.good_at(), None);
        case.done(&request(&[]), &[], 300);
        case.done(&request(&[]), &["t"], 400);
        let failed = case.claimed(&request(&[]), None, at(450));
        case.jobs.save_ended(&failed, JobState::Failing, Some("why"), at(500)).unwrap();
        assert_eq!(case.good_at(), Some(at(300)));
        let check = || {
            let mut results = case.jobs.results(&store()).unwrap();
            results.sort_by(|one, other| one.result.cmp(&other.result));
            let found: Vec<_> = results
                .iter()
                .map(|it| (it.result.as_str(), it.exports, it.bytes, it.seconds, it.last_at))
                .collect();
            assert_eq!(
                found,
                [
                    ("done", 6, 6000, 15.0, at(300)),
                    ("failed", 1, 0, 0.0, at(500)),
                    ("incomplete", 2, 2000, 5.0, at(400)),
                ]
            );
        };
        check();
        // Whatever is forgotten.
        assert!(case.jobs.remove(&incomplete).unwrap());
        while case.jobs.forget_finished(&store(), at(1000), false).unwrap() > 0 {}
        assert_eq!(case.jobs.list().unwrap(), []);
        check();
        assert_eq!(case.good_at(), Some(at(300)));
        // A later export of an unchanged database is as good.
        case.jobs.save_skipped(&key(""), false, at(9000), at(600)).unwrap();
        assert_eq!(case.good_at(), Some(at(300)));
        case.jobs.save_skipped(&key(""), true, at(9000), at(700)).unwrap();
        assert_eq!(case.good_at(), Some(at(700)));
    }

    #[test]
    fn what_is_needed_is_not_forgotten() {
        let case = Case::new();
        let (jobs, request) = (&case.jobs, request(&[]));
        let waiting = case.claimed(&request, Some("http://127.0.0.1/"), at(1)).id;
        let told = case.claimed(&request, Some("http://127.0.0.1/"), at(1));
        jobs.save_ended(&told, JobState::Cancelling, None, at(2)).unwrap();
        let old = case.done(&request, &[], 10);
        let new = case.done(&request, &[], 100);
        // As two runs of a schedule have left them.
        let key = key("format=csv");
        jobs.set_schedule_entry(&key, "24h", at(20)).unwrap();
        let scheduled = [1, 2].map(|_| {
            let entry = jobs.schedule_entry(&key).unwrap().unwrap();
            let next = at(entry.next_at.as_second() + 1);
            let queued = jobs.queue_scheduled(&request, "format=csv", &entry, None, next, at(20));
            let id = queued.unwrap().unwrap();
            let Claim::Claimed(lease, _) = jobs.claim(&id, "me", at(20), false).unwrap() else {
                panic!("not claimed")
            };
            let (name, location, sha256) = (id.to_string(), String::new(), String::new());
            let totals = Totals::default();
            let finished = Finished { name, location, sha256, version: None, totals };
            let completed = Completed { finished, objects: Vec::new() };
            jobs.save_done(&lease, &completed, at(21)).unwrap();
            id
        });
        let known = || {
            let mut ids: Vec<JobId> =
                jobs.list().unwrap().into_iter().map(|record| record.id).collect();
            ids.sort();
            ids
        };
        let sorted = |ids: &[&JobId]| {
            let mut ids: Vec<JobId> = ids.iter().map(|&id| id.clone()).collect();
            ids.sort();
            ids
        };
        assert_eq!(jobs.forget_finished("another store", at(50), false).unwrap(), 0);
        // The object of the first is still retention's to delete.
        assert_eq!(jobs.forget_finished(&store(), at(50), true).unwrap(), 1);
        let [first, last] = &scheduled;
        assert_eq!(known(), sorted(&[&waiting, &told.id, &new, first, last]));
        assert!(!known().contains(&old));
        jobs.save_pruned(first, at(40)).unwrap();
        assert_eq!(jobs.forget_finished(&store(), at(50), true).unwrap(), 1);
        jobs.save_callback_delivered(&told.id, at(40)).unwrap();
        assert_eq!(jobs.forget_finished(&store(), at(50), true).unwrap(), 1);
        assert_eq!(known(), sorted(&[&waiting, &new, last]));
        assert_eq!(jobs.schedule_entry(&key).unwrap().unwrap().last_job.as_ref(), Some(last));
    }

    #[test]
    fn a_file_stops_growing_where_jobs_are_forgotten() {
        let case = Case::new();
        let empty = case.pages();
        let mut pages = Vec::new();
        for round in 0..12_i64 {
            for number in 0..40 {
                case.done(&request(&[]), &[], 1000 * round + number + 10);
            }
            pages.push(case.pages());
            // Those of the last two rounds stay.
            let before = at(1000 * (round - 1));
            while case.jobs.forget_finished(&store(), before, false).unwrap() > 0 {}
        }
        assert!(pages[2] > pages[0] + 5, "{pages:?}");
        let most = *pages[2..].iter().max().unwrap();
        assert!(most <= pages[2] + 3, "{pages:?}");
        while case.jobs.forget_finished(&store(), at(100_000), false).unwrap() > 0 {}
        assert!(case.pages() <= empty + 8, "{} pages of {most}, once {empty}", case.pages());
    }
}

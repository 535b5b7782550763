//! Exports that nobody asks for: made when a rule says so, as long as there is something new to export.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use partway_jobs::{Clock, ExportRequest, JobState, ScheduleEntry, StateError, SystemClock};
use partway_sqlite::{Fingerprint, Snapshot};
use tokio::task::spawn_blocking;
use tokio::time::sleep;

use crate::databases::Databases;
use crate::exports::Exports;
use crate::rule::{DatabaseRule, Rule};
use crate::service::Service;

/// How often the clock is looked at, at least: it may be set.
const LOOK: Duration = Duration::from_secs(10);

/// When an export is tried again that could not be made.
const AGAIN: Duration = Duration::from_secs(60);

/// The most that an export is put off at random, unless asked otherwise.
const LONGEST_JITTER: Duration = Duration::from_secs(5 * 60);

/// Which databases are exported unasked, and when.
pub struct Schedules {
    service: Arc<Service>,
    all: Vec<Schedule>,
    jitter: Option<Duration>,
}

/// When a database is exported.
pub struct Schedule {
    name: String,
    database: PathBuf,
    rule: Rule,
}

/// What came of an schedule_entry.
enum Kept {
    Made,
    Skipped(&'static str),
}

/// The schedule of each database that has a rule.
///
/// # Errors
///
/// Where a rule names no database, or a database has two.
pub fn rules(databases: &Databases, rules: &[DatabaseRule]) -> anyhow::Result<Vec<Schedule>> {
    let names = || databases.names().collect::<Vec<_>>().join(", ");
    for rule in rules {
        if let Some(name) = &rule.database
            && !databases.names().any(|known| known == name)
        {
            bail!("--every names the database {name:?}, which is not served: there is {}", names());
        }
        let same = rules.iter().filter(|other| other.database == rule.database);
        if same.count() > 1 {
            let of = rule.database.as_deref().unwrap_or("all databases");
            bail!("--every is given twice for {of}: give it once");
        }
    }
    let rule_of = |name: &str| {
        let own = rules.iter().find(|rule| rule.database.as_deref() == Some(name));
        own.or_else(|| rules.iter().find(|rule| rule.database.is_none()))
    };
    Ok(databases
        .iter()
        .filter_map(|(name, path)| {
            let rule = rule_of(name)?.rule.clone();
            Some(Schedule { name: name.to_owned(), database: path.to_owned(), rule })
        })
        .collect())
}

impl Schedules {
    pub fn new(service: Arc<Service>, all: Vec<Schedule>, jitter: Option<Duration>) -> Self {
        Self { service, all, jitter }
    }

    /// Keeps all appointments, until the service is to stop.
    pub async fn run(self) {
        let Service { exports: Some(exports), stop, .. } = &*self.service else { return };
        if self.all.is_empty() {
            return;
        }
        while !stop.is_cancelled() {
            let mut rest = LOOK;
            for schedule in &self.all {
                match self.look_at(schedule, exports).await {
                    Ok(wait) => rest = rest.min(wait),
                    Err(error) => {
                        let error = format!("{error:#}");
                        tracing::error!(
                            database = schedule.name,
                            error,
                            "the scheduled export could not be made, and is tried again"
                        );
                    }
                }
            }
            tokio::select! {
                () = sleep(rest) => {}
                () = stop.cancelled() => {}
            }
        }
    }

    /// Keeps the schedule_entry of a schedule where it is due, and tells how long the next is off.
    async fn look_at(&self, schedule: &Schedule, exports: &Exports) -> anyhow::Result<Duration> {
        let request = exports.request(schedule.database.clone());
        let jobs = exports.worker.jobs();
        let now = SystemClock.now();
        let rule = schedule.rule.to_string();
        let schedule_entry = match jobs.schedule_entry(&request)? {
            Some(schedule_entry) if schedule_entry.rule == rule => schedule_entry,
            // Of a time that goes round, the first export is made at once; of a calendar, when it says so.
            other => {
                let first = match (&schedule.rule, &other) {
                    (Rule::Every(_), None) => now,
                    (_, None) => self.next(&schedule.rule, now)?,
                    // Never later than by the rule before: another service may go by that one.
                    (_, Some(before)) => self.next(&schedule.rule, now)?.min(before.next_at),
                };
                jobs.set_schedule_entry(&request, &rule, first)?;
                tracing::info!(database = schedule.name, rule, %first, "a schedule begins");
                return Ok(wait(first, now));
            }
        };
        if schedule_entry.next_at > now {
            return Ok(wait(schedule_entry.next_at, now));
        }
        let next_at = self.next(&schedule.rule, now)?;
        match keep(exports, &request, &schedule_entry, next_at).await {
            Ok(Kept::Made) => Ok(wait(next_at, now)),
            Ok(Kept::Skipped(why)) => {
                tracing::info!(database = schedule.name, why, %next_at, "no export is made");
                jobs.set_schedule_entry(&request, &rule, next_at)?;
                Ok(wait(next_at, now))
            }
            Err(error) => {
                let next_at = next_at.min(now.checked_add(AGAIN)?);
                jobs.set_schedule_entry(&request, &rule, next_at)?;
                Err(error)
            }
        }
    }

    /// The next time by a rule, put off by chance.
    fn next(&self, rule: &Rule, now: Timestamp) -> anyhow::Result<Timestamp> {
        let next = after(rule, now)?;
        let between = Duration::try_from(after(rule, next)?.duration_since(next))?;
        let jitter = self.jitter.unwrap_or((between / 10).min(LONGEST_JITTER));
        let mut bytes = [0; 4];
        getrandom::fill(&mut bytes)?;
        let share = f64::from(u32::from_le_bytes(bytes)) / f64::from(u32::MAX);
        Ok(next.checked_add(jitter.mul_f64(share))?)
    }
}

/// The next time by a rule.
fn after(rule: &Rule, now: Timestamp) -> anyhow::Result<Timestamp> {
    match rule {
        Rule::Every(time) => Ok(now.checked_add(*time)?),
        Rule::Cron(cron) => {
            let next = cron
                .find_next_occurrence(&now.to_zoned(TimeZone::UTC), false)
                .context("the cron expression names no time to come")?;
            Ok(next.timestamp())
        }
    }
}

fn wait(at: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(at.duration_since(now)).unwrap_or_default()
}

/// Makes an export, unless the one before is still being made, or nothing has changed since it was.
async fn keep(
    exports: &Exports,
    request: &ExportRequest,
    schedule_entry: &ScheduleEntry,
    next_at: Timestamp,
) -> anyhow::Result<Kept> {
    let jobs = exports.worker.jobs();
    // Taken first: what changes between this and the export is exported once more, and never missed.
    let fingerprint = fingerprint(request.database.clone()).await?;
    let last = match &schedule_entry.last_job {
        Some(id) => match jobs.get(id) {
            Ok(record) => Some(record),
            Err(StateError::UnknownJob(_)) => None,
            Err(error) => return Err(error.into()),
        },
        None => None,
    };
    if let Some(last) = last {
        if !last.state.is_finished() {
            return Ok(Kept::Skipped("the one before is not finished"));
        }
        let is_unchanged = fingerprint.is_some() && fingerprint == schedule_entry.fingerprint;
        let is_kept = last.state == JobState::Done && last.pruned_at.is_none();
        // Somebody may have deleted the object.
        let name = last.object.as_deref().unwrap_or_default();
        if is_unchanged
            && is_kept
            && exports.store.length(name).await.is_ok_and(|length| length == last.totals.bytes)
        {
            return Ok(Kept::Skipped("nothing has changed since the one before"));
        }
    }
    let now = SystemClock.now();
    let made = jobs.queue_scheduled(request, schedule_entry, fingerprint.as_ref(), next_at, now)?;
    match made {
        Some(id) => {
            let _span = tracing::error_span!("schedule", export = %id).entered();
            tracing::info!(%next_at, "an export is made by schedule");
            exports.worker.wake_timer();
            Ok(Kept::Made)
        }
        None => Ok(Kept::Skipped("another process has made it")),
    }
}

async fn fingerprint(database: PathBuf) -> anyhow::Result<Option<Fingerprint>> {
    let snapshot = spawn_blocking(move || Snapshot::hold(&database)).await??;
    Ok(snapshot.fingerprint().cloned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_understood_and_say_when() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let next = |rule: &str, now: &str| after(&rule.parse().unwrap(), at(now)).unwrap();
        assert_eq!(next("24h", "2026-01-01T10:00:00Z"), at("2026-01-02T10:00:00Z"));
        assert_eq!(next("30 3 * * *", "2026-01-01T10:00:00Z"), at("2026-01-02T03:30:00Z"));
        assert_eq!(next("0 0 1 * *", "2026-01-01T00:00:00Z"), at("2026-02-01T00:00:00Z"));
        assert_eq!(next("*/15 * * * 1-5", "2026-11-20T23:50:00Z"), at("2026-11-23T00:00:00Z"));
        for wrong in ["", "soon", "0s", "-1h", "61 * * * *", "* * * *", "* * * * * *"] {
            assert!(wrong.parse::<Rule>().is_err(), "{wrong}");
        }
    }
}

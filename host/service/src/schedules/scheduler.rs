//! Starts exports when their schedules say so, if there is something new to export.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use partway_jobs::{
    Clock, ExportRequest, JobId, JobState, ObjectCheck, ScheduleEntry, ScheduleKey, StateError,
    SystemClock,
};
use partway_sqlite::{Fingerprint, OpenError, Snapshot};
use tokio::task::{JoinError, spawn_blocking};
use tokio::time::sleep;

use super::export_options::ScheduledExport;
use super::rule::{DatabaseSchedule, RuleError, ScheduleRule};
use crate::error::{ConfigError, with_causes};
use crate::state::ServiceState;
use crate::state::database_metrics::ScheduleRun;
use crate::state::databases::Databases;
use crate::state::exports::StoreExports;

/// How often the clock is read, at least: somebody may set it.
const CLOCK_INTERVAL: Duration = Duration::from_secs(10);

/// When an export that could not be made is tried again.
const RETRY_AFTER: Duration = Duration::from_secs(60);

/// The default jitter, at most.
const MAX_DEFAULT_JITTER: Duration = Duration::from_secs(5 * 60);

/// Makes exports by schedule.
pub struct Scheduler {
    state: Arc<ServiceState>,
    schedules: Vec<Schedule>,
    /// How much later exports begin at most, at random; none: by default.
    jitter: Option<Duration>,
}

/// When a database is exported, and what of it.
#[derive(Clone)]
pub struct Schedule {
    /// The database's name.
    pub name: String,
    pub database: PathBuf,
    rule: ScheduleRule,
    pub export: ScheduledExport,
}

/// What came of an export that was due.
enum Outcome {
    Made,
    Skipped(Reason),
}

/// Why no export is needed.
enum Reason {
    /// The previous one is not finished.
    Unfinished,
    /// Another process has just started one.
    StartedByOther,
    /// The database is as it was before the previous one, which may be incomplete.
    Unchanged { is_good: bool },
}

impl Reason {
    fn text(&self) -> &'static str {
        match self {
            Self::Unfinished => "the previous one is not finished",
            Self::StartedByOther => "another process has started it",
            Self::Unchanged { .. } => "nothing has changed since the previous one",
        }
    }
}

/// Why a scheduled export could not be made.
#[derive(Debug, thiserror::Error)]
enum ScheduleError {
    #[error(transparent)]
    Jobs(#[from] StateError),
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error(transparent)]
    Rule(#[from] RuleError),
    #[error("the system clock is outside the supported range: {0}")]
    Clock(#[from] jiff::Error),
    #[error("the system provides no random bytes: {0}")]
    Random(#[from] getrandom::Error),
    #[error("the task ended unexpectedly: {0}")]
    Panicked(#[from] JoinError),
}

/// The schedules of each database that has some.
///
/// # Errors
///
/// If a schedule names an unknown database, or two export the same of one database.
pub fn resolve(
    databases: &Databases,
    schedules: &[DatabaseSchedule],
) -> Result<Vec<Schedule>, ConfigError> {
    for DatabaseSchedule { database, export, .. } in schedules {
        if let Some(name) = database
            && !databases.names().any(|known| known == name)
        {
            let served = databases.names().map(str::to_owned).collect();
            return Err(ConfigError::ScheduledDatabase { name: name.clone(), served });
        }
        let is_same = |other: &&DatabaseSchedule| {
            other.database == *database && other.export.options == export.options
        };
        if schedules.iter().filter(is_same).count() > 1 {
            let options = export.options.clone();
            return Err(ConfigError::TwoSchedules { database: database.clone(), options });
        }
    }
    let of_database = |(name, path)| {
        let own = schedules.iter().any(|schedule| schedule.database.as_deref() == Some(name));
        let wanted = own.then_some(name);
        let its = schedules.iter().filter(move |schedule| schedule.database.as_deref() == wanted);
        its.map(move |DatabaseSchedule { rule, export, .. }| Schedule {
            name: name.to_owned(),
            database: PathBuf::from(path),
            rule: rule.clone(),
            export: export.clone(),
        })
    };
    Ok(databases.iter().flat_map(of_database).collect())
}

impl Schedule {
    /// What tells it apart from other schedules to this store.
    pub fn key(&self, exports: &StoreExports) -> ScheduleKey {
        ScheduleKey {
            database: self.database.clone(),
            store: exports.identity.clone(),
            options: self.export.options.clone(),
        }
    }
}

impl Scheduler {
    pub fn new(
        state: Arc<ServiceState>,
        schedules: Vec<Schedule>,
        jitter: Option<Duration>,
    ) -> Self {
        Self { state, schedules, jitter }
    }

    /// Makes exports when they are due, until the service is to stop.
    pub async fn run(self) {
        let ServiceState { exports: Some(exports), stop, .. } = &*self.state else { return };
        if self.schedules.is_empty() {
            return;
        }
        while !stop.is_cancelled() {
            let mut wait = CLOCK_INTERVAL;
            for schedule in &self.schedules {
                match self.run_if_due(schedule, exports).await {
                    Ok(until_next) => wait = wait.min(until_next),
                    Err(error) => {
                        let metrics = &self.state.metrics.databases;
                        metrics.schedule_ran(
                            &schedule.name,
                            &schedule.export.options,
                            ScheduleRun::Failed,
                        );
                        let error = with_causes(&error);
                        tracing::error!(
                            database = schedule.name,
                            options = schedule.export.options,
                            error,
                            "the scheduled export could not be started and will be retried"
                        );
                    }
                }
            }
            tokio::select! {
                () = sleep(wait) => {}
                () = stop.cancelled() => {}
            }
        }
    }

    /// Makes the export of a schedule if it is due. Returns the time until the next one.
    async fn run_if_due(
        &self,
        schedule: &Schedule,
        exports: &StoreExports,
    ) -> Result<Duration, ScheduleError> {
        let key = schedule.key(exports);
        let jobs = exports.worker.jobs();
        let now = SystemClock.now();
        let default = exports.default_request(schedule.database.clone());
        let request = schedule.export.request(default, now);
        let rule = schedule.rule.to_string();
        let entry = match jobs.schedule_entry(&key)? {
            Some(entry) if entry.rule == rule => entry,
            previous => {
                let first = self.first(&schedule.rule, previous.as_ref(), now)?;
                jobs.set_schedule_entry(&key, &rule, first)?;
                let (database, options) = (&schedule.name, &schedule.export.options);
                tracing::info!(database, options, rule, %first, "a schedule was added or changed");
                return Ok(until(first, now));
            }
        };
        if entry.next_at > now {
            return Ok(until(entry.next_at, now));
        }
        let next_at = self.next(&schedule.rule, now)?;
        let metrics = &self.state.metrics.databases;
        match export_if_changed(exports, &request, (&key, &entry), next_at).await {
            Ok(Outcome::Made) => {
                metrics.schedule_ran(
                    &schedule.name,
                    &schedule.export.options,
                    ScheduleRun::Started,
                );
                Ok(until(next_at, now))
            }
            Ok(Outcome::Skipped(reason)) => {
                let text = reason.text();
                let (database, options) = (&schedule.name, &schedule.export.options);
                tracing::info!(database, options, reason = text, %next_at, "the scheduled export was skipped");
                let is_complete = matches!(reason, Reason::Unchanged { is_good: true });
                let is_good = is_complete && request.is_of_everything();
                jobs.save_skipped(&key, is_good, next_at, now)?;
                metrics.schedule_ran(
                    &schedule.name,
                    &schedule.export.options,
                    ScheduleRun::Skipped,
                );
                Ok(until(next_at, now))
            }
            Err(error) => {
                let next_at = next_at.min(now.checked_add(RETRY_AFTER)?);
                jobs.set_schedule_entry(&key, &rule, next_at)?;
                Err(error)
            }
        }
    }

    /// The first time by a new or changed rule: with a fixed time at once, with a calendar when it says so.
    fn first(
        &self,
        rule: &ScheduleRule,
        previous: Option<&ScheduleEntry>,
        now: Timestamp,
    ) -> Result<Timestamp, ScheduleError> {
        match previous {
            None if rule.is_interval() => Ok(now),
            None => self.next(rule, now),
            // Never later than by the previous rule: another service may still go by that one.
            Some(previous) => Ok(self.next(rule, now)?.min(previous.next_at)),
        }
    }

    /// The next time by a rule, with jitter.
    fn next(&self, rule: &ScheduleRule, now: Timestamp) -> Result<Timestamp, ScheduleError> {
        let next = rule.next_after(now)?;
        let interval = Duration::try_from(rule.next_after(next)?.duration_since(next))?;
        let jitter = self.jitter.unwrap_or((interval / 10).min(MAX_DEFAULT_JITTER));
        let mut bytes = [0; 4];
        getrandom::fill(&mut bytes)?;
        let share = f64::from(u32::from_le_bytes(bytes)) / f64::from(u32::MAX);
        Ok(next.checked_add(jitter.mul_f64(share))?)
    }
}

/// How long it is until `at`.
fn until(at: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(at.duration_since(now)).unwrap_or_default()
}

/// Makes an export, unless the previous one is unfinished, or nothing has changed since it was made.
async fn export_if_changed(
    exports: &StoreExports,
    request: &ExportRequest,
    (key, entry): (&ScheduleKey, &ScheduleEntry),
    next_at: Timestamp,
) -> Result<Outcome, ScheduleError> {
    let jobs = exports.worker.jobs();
    // Taken first: a change between this and the export leads to one more export, and is never missed.
    let fingerprint = fingerprint(request.database.clone()).await?;
    let is_unchanged = fingerprint.is_some() && fingerprint == entry.fingerprint;
    if let Some(id) = &entry.last_job
        && let Some(reason) = reason_to_skip(exports, id, is_unchanged).await?
    {
        return Ok(Outcome::Skipped(reason));
    }
    let now = SystemClock.now();
    let made =
        jobs.queue_scheduled(request, &key.options, entry, fingerprint.as_ref(), next_at, now)?;
    let Some(id) = made else { return Ok(Outcome::Skipped(Reason::StartedByOther)) };
    let _span = tracing::error_span!("schedule", export = %id).entered();
    tracing::info!(%next_at, "a scheduled export was started");
    exports.worker.wake_timer();
    Ok(Outcome::Made)
}

/// Why the previous export, of a database that may be unchanged since, makes another one unnecessary.
async fn reason_to_skip(
    exports: &StoreExports,
    id: &JobId,
    is_unchanged: bool,
) -> Result<Option<Reason>, ScheduleError> {
    let last = match exports.worker.jobs().get(id) {
        Ok(record) => record,
        Err(StateError::UnknownJob(_)) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    if !last.state.is_finished() {
        return Ok(Some(Reason::Unfinished));
    }
    if !is_unchanged || last.state != JobState::Done || last.pruned_at.is_some() {
        return Ok(None);
    }
    // Somebody may have deleted the object.
    let is_there =
        exports.check_object(&last).await.is_ok_and(|check| check == ObjectCheck::Present);
    let is_good = last.incomplete().is_none();
    Ok(is_there.then_some(Reason::Unchanged { is_good }))
}

async fn fingerprint(database: PathBuf) -> Result<Option<Fingerprint>, ScheduleError> {
    let snapshot = spawn_blocking(move || Snapshot::hold(&database)).await??;
    Ok(snapshot.fingerprint().cloned())
}

//! Retention: deletes the objects of scheduled exports when newer ones replace them.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use partway_jobs::{Clock, JobRecord, SystemClock};
use tokio::time::sleep;
use tracing::Instrument;

use super::scheduler::Schedule;
use crate::config::Retention;
use crate::error::with_causes;
use crate::state::ServiceState;
use crate::state::exports::StoreExports;

/// How often objects are checked for having grown too old.
const CHECK_INTERVAL: Duration = Duration::from_secs(60 * 60);

/// Which objects are kept of which schedules.
#[derive(Clone)]
pub struct RetentionRules {
    /// Of those that say nothing of it, and of those that are no more.
    default: Retention,
    /// By the database and the schedule's options.
    own: HashMap<(PathBuf, String), Retention>,
}

impl RetentionRules {
    pub fn new(default: Retention, schedules: &[Schedule]) -> Self {
        let own = schedules.iter().filter_map(|Schedule { database, export, .. }| {
            Some(((database.clone(), export.options.clone()), export.retention?))
        });
        Self { default, own: own.collect() }
    }

    /// Whether anything is ever deleted.
    pub fn is_needed(&self) -> bool {
        self.default != Retention::default() || !self.own.is_empty()
    }

    /// Those exports of schedules, given the newest first, whose objects are not kept. Each schedule has its own.
    fn expired<'a>(&self, records: &'a [JobRecord], now: Timestamp) -> Vec<&'a JobRecord> {
        let mut schedules: HashMap<_, Vec<&JobRecord>> = HashMap::new();
        for record in records {
            let options = record.schedule.clone().unwrap_or_default();
            let key = (record.request.database.clone(), options);
            schedules.entry(key).or_default().push(record);
        }
        let expired = schedules.into_iter().flat_map(|(key, records)| {
            let retention = self.own.get(&key).copied().unwrap_or(self.default);
            retention.expired(records.into_iter(), now)
        });
        expired.collect()
    }
}

/// Deletes objects whenever an export has finished, and now and then, until the service is to stop.
pub async fn run(rules: RetentionRules, state: Arc<ServiceState>) {
    let ServiceState { databases, exports: Some(exports), stop, .. } = &*state else { return };
    if !rules.is_needed() {
        return;
    }
    let mut finished = exports.running.finished();
    while !stop.is_cancelled() {
        let mut records = exports.made_by_schedule().await.unwrap_or_else(|error| {
            tracing::error!(error = with_causes(&error), "the scheduled exports can't be read");
            Vec::new()
        });
        records.retain(|record| databases.name(&record.request.database).is_some());
        for record in rules.expired(&records, SystemClock.now()) {
            delete(exports, record).await;
        }
        tokio::select! {
            _ = finished.changed() => {}
            () = sleep(CHECK_INTERVAL) => {}
            () = stop.cancelled() => {}
        }
    }
}

async fn delete(exports: &StoreExports, record: &JobRecord) {
    let span = tracing::error_span!("retention", export = %record.id);
    let pruned = exports.prune(record).instrument(span.clone()).await;
    let _span = span.entered();
    match pruned {
        Ok(_) => {
            let object = record.object.as_deref().unwrap_or_default();
            tracing::info!(object, "the object of an old export was deleted");
        }
        Err(error) => {
            let error = with_causes(&error);
            tracing::error!(error, "the object of an old export can't be deleted");
        }
    }
}

impl Retention {
    /// Those exports of a schedule, given the newest first, whose objects are not kept. Without limits, all are.
    fn expired<'a>(
        self,
        records: impl Iterator<Item = &'a JobRecord>,
        now: Timestamp,
    ) -> Vec<&'a JobRecord> {
        if self == Self::default() {
            return Vec::new();
        }
        let is_recent = |record: &JobRecord| {
            let days = SignedDuration::from_hours(24 * i64::from(self.days.unwrap_or(0)));
            record.finished_at.is_some_and(|at| now.duration_since(at) <= days)
        };
        let last = self.last.unwrap_or(1).max(1);
        let (mut complete, mut incomplete) = (0, 0);
        records
            .filter(|record| {
                let is_kept = if record.incomplete().is_none() {
                    complete += 1;
                    complete <= last
                } else {
                    // An incomplete one replaces none, and is of use only until there is a newer one that is complete.
                    incomplete += 1;
                    complete == 0 && incomplete <= last
                };
                !is_kept && !is_recent(record)
            })
            .collect()
    }
}

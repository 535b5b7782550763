//! Retention: deletes the objects of scheduled exports when newer ones replace them.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use partway_jobs::{Clock, JobRecord, SystemClock};
use tokio::time::sleep;
use tracing::Instrument;

use crate::config::Retention;
use crate::error::with_causes;
use crate::state::ServiceState;
use crate::state::exports::StoreExports;

/// How often objects are checked for having grown too old.
const CHECK_INTERVAL: Duration = Duration::from_secs(60 * 60);

/// Deletes objects whenever an export has finished, and now and then, until the service is to stop.
pub async fn run(retention: Retention, state: Arc<ServiceState>) {
    let ServiceState { databases, exports: Some(exports), stop, .. } = &*state else { return };
    if retention == Retention::default() {
        return;
    }
    let mut finished = exports.running.finished();
    while !stop.is_cancelled() {
        let records = exports.made_by_schedule().await.unwrap_or_else(|error| {
            tracing::error!(error = with_causes(&error), "the scheduled exports can't be read");
            Vec::new()
        });
        for (_, database) in databases.iter() {
            let of_database = records.iter().filter(|record| record.request.database == database);
            for record in retention.expired(of_database, SystemClock.now()) {
                delete(exports, record).await;
            }
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
    /// Those exports of a database, given the newest first, whose objects are not kept.
    fn expired<'a>(
        self,
        records: impl Iterator<Item = &'a JobRecord>,
        now: Timestamp,
    ) -> Vec<&'a JobRecord> {
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

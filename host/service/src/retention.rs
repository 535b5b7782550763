//! Retention: the objects of exports that a schedule has made are deleted when newer ones stand in for them.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use partway_jobs::{Clock, JobRecord, SystemClock};
use tokio::time::sleep;
use tracing::Instrument;

use crate::service::Service;

/// How often it is looked for objects that have grown too old.
const LOOK: Duration = Duration::from_secs(60 * 60);

/// What is kept: what any of these wants kept, and the last one.
#[derive(Debug, Clone, Copy, Default)]
pub struct Retention {
    /// So many of each database.
    pub last: Option<u32>,
    /// Those of so many days.
    pub days: Option<u32>,
}

impl Retention {
    /// Deletes, whenever an export has finished and now and then, until the service is to stop.
    pub async fn run(self, service: Arc<Service>) {
        let Service { databases, exports: Some(exports), stop, .. } = &*service else { return };
        if self.last.is_none() && self.days.is_none() {
            return;
        }
        let mut finished = exports.live.finished();
        while !stop.is_cancelled() {
            let records = match exports.made_by_schedule().await {
                Ok(records) => records,
                Err(refusal) => {
                    tracing::error!(error = refusal.text(), "it can't be told what is to be kept");
                    Vec::new()
                }
            };
            for (_, database) in databases.iter() {
                let of_database =
                    records.iter().filter(|record| record.request.database == database);
                for record in self.too_many(of_database, SystemClock.now()) {
                    let span = tracing::error_span!("retention", export = %record.id);
                    let pruned = exports.prune(record).instrument(span.clone()).await;
                    let _span = span.entered();
                    match pruned {
                        Ok(_) => {
                            let object = record.object.as_deref().unwrap_or_default();
                            tracing::info!(object, "an old export is deleted");
                        }
                        Err(refusal) => {
                            let error = refusal.text();
                            tracing::error!(error, "an old export can't be deleted");
                        }
                    }
                }
            }
            tokio::select! {
                _ = finished.changed() => {}
                () = sleep(LOOK) => {}
                () = stop.cancelled() => {}
            }
        }
    }

    /// Which of the exports of a database, the newest first, are not kept.
    fn too_many<'a>(
        self,
        records: impl Iterator<Item = &'a JobRecord>,
        now: Timestamp,
    ) -> Vec<&'a JobRecord> {
        let is_young = |record: &JobRecord| {
            let days = SignedDuration::from_hours(24 * i64::from(self.days.unwrap_or(0)));
            record.finished_at.is_some_and(|at| now.duration_since(at) <= days)
        };
        let last = self.last.unwrap_or(1).max(1);
        let (mut whole, mut incomplete) = (0, 0);
        records
            .filter(|record| {
                let is_kept = if record.totals.damaged.is_empty() {
                    whole += 1;
                    whole <= last
                } else {
                    // One with gaps stands in for none. It is of use as long as there is no newer one that is whole.
                    incomplete += 1;
                    whole == 0 && incomplete <= last
                };
                !is_kept && !is_young(record)
            })
            .collect()
    }
}

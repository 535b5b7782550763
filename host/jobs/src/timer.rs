//! The timer: every job whose alarm is due, so many at a time.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use jiff::Timestamp;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::error::StateError;
use crate::observer::JobEvent;
use crate::record::JobId;
use crate::store::DueJob;
use crate::worker::{StepOutcome, Worker};

/// How often it is looked for jobs that other processes have made or left.
const LOOK: Duration = Duration::from_secs(1);

impl Worker {
    /// Lets this worker's timer look for due jobs at once: one has been made.
    pub fn look_now(&self) {
        self.0.knock.notify_one();
    }

    /// Goes on with every job when its alarm is due, until somebody wants an end: then each is
    /// saved at its next part, and given back. No more than `most` are begun at a time; others wait for one of them to end.
    ///
    /// # Errors
    ///
    /// Those of the job store on giving jobs back. What one job fails from is saved with it.
    pub async fn run_due(&self, most: usize, stop: &CancellationToken) -> Result<(), StateError> {
        let most = most.max(1);
        let mut steps = JoinSet::new();
        let mut busy = HashSet::new();
        // Jobs that turned out to be somebody else's are left alone for a while.
        let mut not_before: HashMap<JobId, Timestamp> = HashMap::new();
        while !stop.is_cancelled() {
            let now = self.clock().now();
            not_before.retain(|_, until| *until > now);
            let (due, next) = match self.jobs().due(now) {
                Ok(found) => found,
                Err(error) => {
                    tracing::error!(%error, "no jobs can be looked for");
                    (Vec::new(), None)
                }
            };
            for DueJob { id, is_new } in due {
                if steps.len() >= most {
                    break;
                }
                // What is begun is brought to its end first: each keeps a state of its database, or a copy.
                if is_new && !self.is_in_hand(&id) && self.begun() >= most {
                    continue;
                }
                if not_before.contains_key(&id) || !busy.insert(id.clone()) {
                    continue;
                }
                let (worker, stop) = (self.clone(), stop.clone());
                steps.spawn(async move {
                    let alarm = worker.alarm(&id, true, &stop).await;
                    (id, alarm)
                });
            }
            let rest = next.and_then(|next| Duration::try_from(next.duration_since(now)).ok());
            let rest = self.clock().sleep(rest.unwrap_or(LOOK).min(LOOK));
            tokio::select! {
                Some(done) = steps.join_next(), if !steps.is_empty() => {
                    // A step that has panicked stays busy: it would do so again.
                    let Ok((id, alarm)) = done else { continue };
                    busy.remove(&id);
                    match alarm {
                        Ok(alarm @ (StepOutcome::Held | StepOutcome::NotDue | StepOutcome::Refused(_))) => {
                            if !matches!(alarm, StepOutcome::NotDue) {
                                // It is not this process' any more.
                                self.0.observer.event(&id, &JobEvent::Finished);
                            }
                            let until = self.clock().now().saturating_add(LOOK);
                            not_before.extend(until.ok().map(|until| (id, until)));
                        }
                        Ok(StepOutcome::Finished(..) | StepOutcome::Stopped(_)) => {
                            self.0.observer.event(&id, &JobEvent::Finished);
                        }
                        Ok(StepOutcome::Again(_)) => {}
                        Err(error) => {
                            let _span = tracing::error_span!("job", export = %id).entered();
                            tracing::error!(%error, "the job can't be saved");
                            let until = self.clock().now().saturating_add(10 * LOOK);
                            not_before.extend(until.ok().map(|until| (id, until)));
                        }
                    }
                }
                () = self.0.knock.notified() => {}
                () = rest => {}
                () = stop.cancelled() => {}
            }
        }
        while steps.join_next().await.is_some() {}
        self.let_all_go()
    }
}

//! Sends the callbacks that are due, and resends those that were not delivered.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use partway_jobs::{Callback, Clock, DueCallback, JobRecord, StateError, SystemClock};
use tokio::task::JoinSet;
use tokio::time::sleep;
use tracing::Instrument;
use url::Url;

use super::client::{CallbackClient, DeliveryError, SEND_TIMEOUT};
use super::message::CallbackMessage;
use crate::error::with_causes;
use crate::state::ServiceState;
use crate::state::database_metrics::CallbackResult;

/// How many callbacks are sent at a time.
const CONCURRENT: usize = 16;

/// How many of those go to one host, so that a slow one does not hold up others.
const CONCURRENT_PER_HOST: usize = 2;

/// How often the saved jobs are checked for callbacks: another process may have finished an export.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// When another process may send a callback that this one has claimed: it must have crashed.
const CLAIM: Duration = SEND_TIMEOUT.saturating_mul(2);

/// A callback that was not delivered is sent again after 2 s, and each time after twice as long, up to this.
const MAX_RETRY_WAIT: Duration = Duration::from_secs(60 * 60);

/// How long after the end of its export a callback is given up.
const GIVE_UP_AFTER: SignedDuration = SignedDuration::from_hours(24);

/// Sends callbacks.
pub struct CallbackSender {
    state: Arc<ServiceState>,
}

/// The callbacks that are being sent.
#[derive(Default)]
struct Sending {
    /// Each ends with its host.
    tasks: JoinSet<String>,
    /// How many go to each host.
    hosts: HashMap<String, usize>,
}

impl Sending {
    /// Counts a callback to this host; false where there are enough already.
    fn admit(&mut self, host: &str) -> bool {
        let count = self.hosts.entry(host.to_owned()).or_default();
        let is_admitted = *count < CONCURRENT_PER_HOST;
        *count += usize::from(is_admitted);
        is_admitted
    }

    /// A callback to this host has been sent.
    fn finish(&mut self, host: &str) {
        if let Some(count) = self.hosts.get_mut(host) {
            *count -= 1;
            if *count == 0 {
                self.hosts.remove(host);
            }
        }
    }
}

impl CallbackSender {
    pub fn new(state: Arc<ServiceState>) -> Self {
        Self { state }
    }

    /// Sends until the service is to stop. Callbacks that are being sent then are delivered, or sent again after the next
    /// start.
    pub async fn run(self) {
        let sender = Arc::new(self);
        let ServiceState { databases, exports: Some(exports), stop, .. } = &*sender.state else {
            return;
        };
        let jobs = exports.worker.jobs().clone();
        let mut finished = exports.running.finished();
        let databases: Vec<&Path> = databases.iter().map(|(_, path)| path).collect();
        let mut sending = Sending::default();
        while !stop.is_cancelled() {
            let now = SystemClock.now();
            let due = jobs.due_callbacks(&exports.identity, &databases, now);
            let (due, next) = due.unwrap_or_else(|error| {
                tracing::error!(%error, "the callbacks that are due can't be read");
                (Vec::new(), None)
            });
            sender.start_sending(due, &mut sending);
            let wait = next.and_then(|next| Duration::try_from(next.duration_since(now)).ok());
            tokio::select! {
                Some(sent) = sending.tasks.join_next(), if !sending.tasks.is_empty() => {
                    if let Ok(host) = sent {
                        sending.finish(&host);
                    }
                }
                _ = finished.changed() => {}
                () = sleep(wait.unwrap_or(POLL_INTERVAL).min(POLL_INTERVAL)) => {}
                () = stop.cancelled() => {}
            }
        }
        while sending.tasks.join_next().await.is_some() {}
    }

    /// Starts to send as many of these callbacks as may be.
    fn start_sending(self: &Arc<Self>, due: Vec<DueCallback>, sending: &mut Sending) {
        for callback in due {
            if sending.tasks.len() >= CONCURRENT {
                break;
            }
            let host = host(&callback.url);
            if !sending.admit(&host) {
                continue;
            }
            let sender = self.clone();
            let span = tracing::error_span!("callback", export = %callback.id);
            let send = async move {
                if let Err(error) = sender.send(&callback).await {
                    tracing::error!(%error, "the result of a callback can't be saved");
                }
                host
            };
            sending.tasks.spawn(send.instrument(span));
        }
    }

    /// Sends a callback, unless another process does, and saves what became of it.
    async fn send(&self, due: &DueCallback) -> Result<(), StateError> {
        let Some(exports) = &self.state.exports else { return Ok(()) };
        let jobs = exports.worker.jobs();
        let now = SystemClock.now();
        let until = now.saturating_add(CLAIM).unwrap_or(now);
        let Some((record, callback)) = jobs.claim_callback(due, until)? else { return Ok(()) };
        match self.deliver(&exports.callbacks, &record, &callback).await {
            Ok(()) => {
                tracing::info!(attempt = callback.attempts, "the callback was delivered");
                self.count(&record, CallbackResult::Delivered);
                jobs.save_callback_delivered(&record.id, SystemClock.now())
            }
            Err(error) => {
                let next_at = match error {
                    // The receiver wants none, ever.
                    DeliveryError::Gone => None,
                    _ => next_attempt(&record, &callback),
                };
                self.count(
                    &record,
                    match next_at {
                        Some(_) => CallbackResult::Failed,
                        None => CallbackResult::GivenUp,
                    },
                );
                let (attempt, text) = (callback.attempts, with_causes(&error));
                tracing::warn!(attempt, error = text, ?next_at, "a callback was not delivered");
                jobs.save_callback_failed(&record.id, &text, next_at)
            }
        }
    }

    fn count(&self, record: &JobRecord, result: CallbackResult) {
        let database = self.state.databases.name(&record.request.database).unwrap_or_default();
        self.state.metrics.databases.callback_sent(database, result);
    }

    async fn deliver(
        &self,
        client: &CallbackClient,
        record: &JobRecord,
        callback: &Callback,
    ) -> Result<(), DeliveryError> {
        let database = self.state.databases.name(&record.request.database).unwrap_or_default();
        let body = serde_json::to_string(&CallbackMessage::of(record, database))?;
        let timestamp = SystemClock.now().as_second();
        client.send(&callback.url, &message_id(record), timestamp, body).await
    }
}

/// The same each time it is sent, so that a receiver can tell a repetition. An export that failed and was resumed ends
/// once more, with another id.
fn message_id(record: &JobRecord) -> String {
    let ended = record.finished_at.map_or(0, Timestamp::as_millisecond);
    format!("{}-{ended}", record.id)
}

fn host(url: &str) -> String {
    Url::parse(url).ok().and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_default()
}

/// When a callback that was not delivered is sent again; none: it is given up.
fn next_attempt(record: &JobRecord, callback: &Callback) -> Option<Timestamp> {
    let now = SystemClock.now();
    let wait = Duration::from_secs(1) * 2_u32.pow(callback.attempts.min(12));
    let at = now.checked_add(wait.min(MAX_RETRY_WAIT)).ok()?;
    let end = record.finished_at?.checked_add(GIVE_UP_AFTER).ok()?;
    (at <= end).then_some(at)
}

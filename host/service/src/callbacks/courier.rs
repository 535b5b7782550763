//! The courier: sends the callbacks that are due, and again those that have not arrived.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{anyhow, bail};
use jiff::{SignedDuration, Timestamp};
use partway_jobs::{Callback, Clock, DueCallback, JobRecord, StateError, SystemClock};
use reqwest::StatusCode;
use reqwest::header::CONTENT_TYPE;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tracing::Instrument;
use url::Url;

use super::message::Message;
use super::{Callbacks, PATIENCE};
use crate::service::Service;

/// How many callbacks are on their way at a time, and how many of those to one host: a slow one holds up its own.
const MOST: (usize, usize) = (16, 2);

/// How often it is looked for callbacks: another process may have finished an export.
const LOOK: Duration = Duration::from_secs(1);

/// When others may send a callback that this process has taken and then died with.
const CLAIM: Duration = PATIENCE.saturating_mul(2);

/// Failed ones are sent again from 2 s on, each wait twice as long, up to this one.
const LONGEST_WAIT: Duration = Duration::from_secs(60 * 60);

/// After this time a callback is given up.
const GIVEN_UP: SignedDuration = SignedDuration::from_hours(24);

/// Sends callbacks.
pub struct Courier(Arc<Service>);

/// What became of sending.
enum Outcome {
    Arrived,
    /// It may arrive another time.
    Failed(String),
    /// The receiver does not want any, ever.
    Unwanted(String),
}

impl Courier {
    pub fn new(service: Arc<Service>) -> Self {
        Self(service)
    }

    /// Sends until the service is to stop; what is on its way then arrives, or is sent again after the next start.
    pub async fn run(self) {
        let courier = Arc::new(self);
        let Service { databases, exports: Some(exports), stop, .. } = &*courier.0 else { return };
        let jobs = exports.worker.jobs().clone();
        let mut finished = exports.live.finished();
        let databases: Vec<&Path> = databases.iter().map(|(_, path)| path).collect();
        let mut sending = JoinSet::new();
        let mut hosts: HashMap<String, usize> = HashMap::new();
        while !stop.is_cancelled() {
            let now = SystemClock.now();
            let due = jobs.due_callbacks(&exports.identity, &databases, now);
            let (due, next) = due.unwrap_or_else(|error| {
                tracing::error!(%error, "no callbacks can be looked for");
                (Vec::new(), None)
            });
            for callback in due {
                if sending.len() >= MOST.0 {
                    break;
                }
                let host = host(&callback.url);
                let at_host = hosts.entry(host.clone()).or_default();
                if *at_host >= MOST.1 {
                    continue;
                }
                *at_host += 1;
                let courier = courier.clone();
                let span = tracing::error_span!("callback", export = %callback.id);
                let send = async move {
                    if let Err(error) = courier.send(&callback).await {
                        tracing::error!(%error, "a callback can't be saved");
                    }
                    host
                };
                sending.spawn(send.instrument(span));
            }
            let rest = next.and_then(|next| Duration::try_from(next.duration_since(now)).ok());
            tokio::select! {
                Some(sent) = sending.join_next(), if !sending.is_empty() => {
                    if let Ok(host) = sent && let Some(number) = hosts.get_mut(&host) {
                        *number -= 1;
                        if *number == 0 {
                            hosts.remove(&host);
                        }
                    }
                }
                _ = finished.changed() => {}
                () = sleep(rest.unwrap_or(LOOK).min(LOOK)) => {}
                () = stop.cancelled() => {}
            }
        }
        while sending.join_next().await.is_some() {}
    }

    /// Sends one, if nobody else does, and saves what became of it.
    async fn send(&self, due: &DueCallback) -> Result<(), StateError> {
        let Some(exports) = &self.0.exports else { return Ok(()) };
        let jobs = exports.worker.jobs();
        let now = SystemClock.now();
        let until = now.saturating_add(CLAIM).unwrap_or(now);
        let Some((record, callback)) = jobs.claim_callback(due, until)? else { return Ok(()) };
        let delivery =
            timeout(PATIENCE, self.deliver(&exports.callbacks, &record, &callback.url)).await;
        let outcome = delivery.unwrap_or_else(|_| {
            Err(anyhow!("the receiver has not answered within {} s", PATIENCE.as_secs()))
        });
        // Each cause in turn: the outermost says little.
        let outcome = outcome.unwrap_or_else(|error| Outcome::Failed(format!("{error:#}")));
        let (id, attempt) = (&record.id, callback.attempts);
        match outcome {
            Outcome::Arrived => {
                tracing::info!(attempt, "the callback has arrived");
                jobs.save_callback_delivered(id, SystemClock.now())
            }
            Outcome::Failed(error) => {
                let next_at = next(&record, &callback);
                tracing::warn!(attempt, error, ?next_at, "a callback has not arrived");
                jobs.save_callback_failed(id, &error, next_at)
            }
            Outcome::Unwanted(error) => {
                tracing::warn!(attempt, error, "a callback is not wanted");
                jobs.save_callback_failed(id, &error, None)
            }
        }
    }

    async fn deliver(
        &self,
        callbacks: &Callbacks,
        record: &JobRecord,
        url: &str,
    ) -> anyhow::Result<Outcome> {
        let url = Url::parse(url)?;
        let Callbacks { reach, secret, encrypted, plain, .. } = callbacks;
        // An address in numbers is looked up by nobody.
        reach.check(&url).await?;
        let database = self.0.databases.name(&record.request.database).unwrap_or_default();
        let body = serde_json::to_string(&Message::of(record, database))?;
        let (id, timestamp) = (message_id(record), SystemClock.now().as_second());
        let signature = secret.sign(&id, timestamp, &body)?;
        let client = if url.scheme() == "https" { encrypted } else { plain };
        let answer = client
            .post(url)
            .header(CONTENT_TYPE, "application/json")
            .header("webhook-id", id)
            .header("webhook-timestamp", timestamp)
            .header("webhook-signature", signature)
            .body(body)
            .send()
            .await
            .map_err(|error| anyhow!(error.without_url()))?;
        // Whatever else it has to say is of no interest.
        let status = answer.status();
        if status.is_success() {
            return Ok(Outcome::Arrived);
        }
        if status == StatusCode::GONE {
            return Ok(Outcome::Unwanted("the receiver answered 410 Gone".to_owned()));
        }
        if status.is_redirection() {
            bail!("the receiver answered {status}: callbacks follow nowhere else");
        }
        bail!("the receiver answered {status}");
    }
}

/// The same each time it is sent: by it a receiver knows what it has had. An export that was resumed ends once more.
fn message_id(record: &JobRecord) -> String {
    let ended = record.finished_at.map_or(0, Timestamp::as_millisecond);
    format!("{}-{ended}", record.id)
}

fn host(url: &str) -> String {
    Url::parse(url).ok().and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_default()
}

/// When a callback that has not arrived is sent again; none: it is given up.
fn next(record: &JobRecord, callback: &Callback) -> Option<Timestamp> {
    let now = SystemClock.now();
    let wait = Duration::from_secs(1) * 2_u32.pow(callback.attempts.min(12));
    let at = now.checked_add(wait.min(LONGEST_WAIT)).ok()?;
    let end = record.finished_at?.checked_add(GIVEN_UP).ok()?;
    (at <= end).then_some(at)
}

//! `GET /export/status/{id}/events`: the status of an export each time it changes, as server-sent events.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Extension;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde_json::Value;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{MissedTickBehavior, interval_at};
use utoipa::ToSchema;

use super::id::Id;
use super::status;
use crate::http::error::{ApiError, CommonErrors, ErrorBody};
use crate::state::ServiceState;

/// How often the status of an export is checked for changes.
const CHECK_INTERVAL: Duration = Duration::from_millis(500);

/// How long a stream may be silent: proxies and clients take a longer silence for a broken connection.
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(15);

/// How many streams may be open at a time. Each holds a connection, and most systems give a process 1024 open files:
/// three quarters of them are left for other requests, databases and parts.
const MAX_STREAMS: usize = 256;

/// The id of the last event. A browser's EventSource connects again when a stream ends, and shows by this id that it has
/// received everything.
const LAST_ID: &str = "final";

/// The open streams.
pub struct EventStreams {
    /// One permit for each stream.
    permits: Arc<Semaphore>,
    /// The exports that clients listen to. One task checks each, however many listen.
    watched: Mutex<HashMap<String, watch::Receiver<Update>>>,
}

/// The status of an export.
#[derive(Clone)]
struct Update {
    /// The status as JSON.
    text: Arc<str>,
    /// The status without what changes with time alone.
    progress: Value,
    /// Whether it is the last one.
    is_final: bool,
}

impl Default for EventStreams {
    fn default() -> Self {
        Self { permits: Arc::new(Semaphore::new(MAX_STREAMS)), watched: Mutex::default() }
    }
}

impl EventStreams {
    fn watched(&self) -> MutexGuard<'_, HashMap<String, watch::Receiver<Update>>> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An event of the stream.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it describes an event, which the framework writes")]
struct StatusEvent {
    /// The status, as JSON.
    data: String,
    /// `final` in the last event; others have none.
    id: Option<String>,
}

/// The status of an export, now and each time it changes.
///
/// The stream ends after the final status.
#[utoipa::path(
    get,
    path = "/export/status/{id}/events",
    operation_id = "events",
    params(
        Id,
        ("Last-Event-ID" = Option<String>, Header, description = "The id of the last event that the client has received"),
    ),
    responses(
        CommonErrors,
        (status = 200, description = "The events", body = StatusEvent, content_type = "text/event-stream"),
        (status = 204, description = "The client has received the final event"),
        (status = 404, description = "There is no such export", body = ErrorBody),
        (status = 429, description = "Too many streams are open", body = ErrorBody,
            headers(("Retry-After" = u64, description = "When to try again, in seconds"))),
    )
)]
pub async fn get(
    State(state): State<Arc<ServiceState>>,
    Extension(streams): Extension<Arc<EventStreams>>,
    Id(id): Id,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let permit = streams.permits.clone().try_acquire_owned().map_err(|_| {
        let text =
            format!("{MAX_STREAMS} event streams are already open: request the status instead");
        ApiError::new(StatusCode::TOO_MANY_REQUESTS, text).retry_after(10)
    })?;
    let update = current_update(&state, &id).await?;
    let has_last = headers.get("last-event-id").is_some_and(|id| id == LAST_ID);
    if has_last && update.is_final {
        // Which tells a browser's EventSource not to connect again.
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let mut updates = subscribe(&state, &streams, id, update);
    // The first event is the present status.
    updates.mark_changed();
    let subscription = Subscription { updates, state, _permit: permit };
    let events = stream::unfold(Some(subscription), |subscription| async move {
        let mut subscription = subscription?;
        let update = subscription.next().await?;
        let event = Event::default().data(&*update.text);
        Some(if update.is_final {
            (Ok::<_, Infallible>(event.id(LAST_ID)), None)
        } else {
            (Ok(event), Some(subscription))
        })
    });
    let keep_alive = KeepAlive::new().interval(KEEP_ALIVE_INTERVAL);
    let mut response = Sse::new(events).keep_alive(keep_alive).into_response();
    // Otherwise nginx buffers the events.
    let (name, value) =
        (HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    response.headers_mut().insert(name, value);
    Ok(response)
}

struct Subscription {
    updates: watch::Receiver<Update>,
    state: Arc<ServiceState>,
    _permit: OwnedSemaphorePermit,
}

impl Subscription {
    /// The next status; none when there will be none, or the service is to stop.
    async fn next(&mut self) -> Option<Update> {
        tokio::select! {
            biased;
            () = self.state.stop.cancelled() => None,
            changed = self.updates.changed() => {
                changed.ok()?;
                Some(self.updates.borrow_and_update().clone())
            }
        }
    }
}

async fn current_update(state: &ServiceState, id: &str) -> Result<Update, ApiError> {
    let unwritable =
        |error| ApiError::internal(format!("the status can't be written as JSON: {error}"));
    let status = status::current(state, id).await?;
    let text = serde_json::to_string(&status).map_err(unwritable)?.into();
    let mut progress = serde_json::to_value(&status).map_err(unwritable)?;
    for changes_with_time in ["bytesPerSecond", "expectedEnd"] {
        progress[changes_with_time] = Value::Null;
    }
    Ok(Update { text, progress, is_final: status.is_finished() })
}

/// Subscribes to the updates of an export, and starts the task that checks it where none does.
fn subscribe(
    state: &Arc<ServiceState>,
    streams: &Arc<EventStreams>,
    id: String,
    update: Update,
) -> watch::Receiver<Update> {
    let mut watched = streams.watched();
    if let Some(open) = watched.get(&id).filter(|open| open.has_changed().is_ok()) {
        return open.clone();
    }
    let (sender, receiver) = watch::channel(update.clone());
    if !update.is_final {
        watched.insert(id.clone(), receiver.clone());
        tokio::spawn(watch_export(state.clone(), streams.clone(), id, sender));
    }
    receiver
}

/// Sends updates of an export until it has ended, nobody listens or the service is to stop.
async fn watch_export(
    state: Arc<ServiceState>,
    streams: Arc<EventStreams>,
    id: String,
    sender: watch::Sender<Update>,
) {
    let mut ticks = interval_at(tokio::time::Instant::now() + CHECK_INTERVAL, CHECK_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = state.stop.cancelled() => break,
        }
        // On an error the streams end: a client that connects again gets the error.
        let Ok(update) = current_update(&state, &id).await else { break };
        let is_final = update.is_final;
        sender.send_if_modified(|last| {
            let is_new = last.progress != update.progress;
            if is_new {
                *last = update;
            }
            is_new
        });
        let mut watched = streams.watched();
        // One of the receivers is the map's own.
        if is_final || sender.receiver_count() == 1 {
            watched.remove(&id);
            return;
        }
    }
    streams.watched().remove(&id);
}

//! `GET /export/status/{id}/events`: how an export is doing, told when it changes, as server-sent events.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, StatusCode};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use partway_jobs::{Clock, SystemClock};
use serde_json::Value;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{MissedTickBehavior, interval_at};
use utoipa::ToSchema;

use crate::answer::{Problem, Refusal};
use crate::document::Guarded;
use crate::routes::Id;
use crate::service::Service;
use crate::status::Status;

/// How often it is looked whether an export has got further.
const LOOK: Duration = Duration::from_millis(500);

/// How long a stream may be silent: servers in between, and clients, take longer silence for a broken connection.
const SILENCE: Duration = Duration::from_secs(15);

/// How many streams may be open at a time. Each holds a connection, and most systems give a process 1024 open files:
/// three quarters of them are left for other requests, databases and parts.
const MOST: usize = 256;

/// The id of the last event. A browser's EventSource asks again when a stream ends, and says by it that it has all.
const LAST: &str = "final";

/// Who listens to what.
pub struct Events {
    seats: Arc<Semaphore>,
    /// The exports that are listened to. Each is looked at by one task, however many listen.
    told: Mutex<HashMap<String, watch::Receiver<News>>>,
}

/// How an export is doing.
#[derive(Clone)]
struct News {
    /// The status as JSON.
    text: Arc<str>,
    /// The status without what changes with time alone.
    progress: Value,
    /// Whether it will never change again.
    is_final: bool,
}

impl Default for Events {
    fn default() -> Self {
        Self { seats: Arc::new(Semaphore::new(MOST)), told: Mutex::default() }
    }
}

impl Events {
    fn told(&self) -> MutexGuard<'_, HashMap<String, watch::Receiver<News>>> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An event of the stream.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it is described here, and written by the framework")]
struct Told {
    /// The status, as JSON.
    data: String,
    /// Of the last one alone: `final`.
    id: Option<String>,
}

/// How an export is doing, as it is and each time it has changed.
///
/// Nothing comes after the final status.
#[utoipa::path(
    get,
    path = "/export/status/{id}/events",
    operation_id = "events",
    params(
        Id,
        ("Last-Event-ID" = Option<String>, Header, description = "The id of the last event that the client has had"),
    ),
    responses(
        Guarded,
        (status = 200, description = "The events", body = Told, content_type = "text/event-stream"),
        (status = 204, description = "The client has had the final one"),
        (status = 404, description = "There is no such export", body = Problem),
        (status = 429, description = "As many streams are open as may be", body = Problem,
            headers(("Retry-After" = u64, description = "When to ask again, in seconds"))),
    )
)]
pub async fn get(
    State(service): State<Arc<Service>>,
    Id(id): Id,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let seat = service.events.seats.clone().try_acquire_owned().map_err(|_| {
        let text = format!("{MOST} streams of events are open already: ask for the status instead");
        Refusal::new(StatusCode::TOO_MANY_REQUESTS, text).again_in(10)
    })?;
    let news = news(&service, &id).await?;
    let has_last = headers.get("last-event-id").is_some_and(|id| id == LAST);
    if has_last && news.is_final {
        // Which a browser's EventSource takes for the end.
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let mut told = listen(&service, id, news);
    // It is told what there is, and then what is new.
    told.mark_changed();
    let listener = Listener { told, service, _seat: seat };
    let events = stream::unfold(Some(listener), |listener| async move {
        let mut listener = listener?;
        let news = listener.next().await?;
        let event = Event::default().data(&*news.text);
        Some(if news.is_final {
            (Ok::<_, Infallible>(event.id(LAST)), None)
        } else {
            (Ok(event), Some(listener))
        })
    });
    let mut response =
        Sse::new(events).keep_alive(KeepAlive::new().interval(SILENCE)).into_response();
    let headers = response.headers_mut();
    // nginx keeps back what it is not told to hand on at once.
    headers.insert(HeaderName::from_static("x-accel-buffering"), "no".parse().map_err(odd)?);
    Ok(response)
}

struct Listener {
    told: watch::Receiver<News>,
    service: Arc<Service>,
    _seat: OwnedSemaphorePermit,
}

impl Listener {
    /// What is new; none when nobody looks any more, or the service is to stop.
    async fn next(&mut self) -> Option<News> {
        tokio::select! {
            biased;
            () = self.service.stop.cancelled() => None,
            changed = self.told.changed() => {
                changed.ok()?;
                Some(self.told.borrow_and_update().clone())
            }
        }
    }
}

async fn news(service: &Service, id: &str) -> Result<News, Refusal> {
    let (exports, record, database) = service.export(id).await?;
    let pulse = exports.live.pulse(&record.id);
    let callback = exports.callback(&record.id).await?;
    let status = Status::of(&record, database, pulse, SystemClock.now()).with_callback(callback);
    let text = serde_json::to_string(&status).map_err(odd)?.into();
    let mut progress = serde_json::to_value(&status).map_err(odd)?;
    for of_time in ["bytesPerSecond", "expectedEnd"] {
        progress[of_time] = Value::Null;
    }
    Ok(News { text, progress, is_final: record.state.is_finished() })
}

fn odd(error: impl std::fmt::Display) -> Refusal {
    Refusal::failed(format!("the events can't be written: {error}"))
}

/// Listens to an export, at which somebody looks from now on.
fn listen(service: &Arc<Service>, id: String, news: News) -> watch::Receiver<News> {
    let mut told = service.events.told();
    if let Some(open) = told.get(&id).filter(|open| open.has_changed().is_ok()) {
        return open.clone();
    }
    let (teller, first) = watch::channel(news.clone());
    if !news.is_final {
        told.insert(id.clone(), first.clone());
        tokio::spawn(look(service.clone(), id, teller));
    }
    first
}

/// Tells of an export until it has ended, nobody listens or the service is to stop.
async fn look(service: Arc<Service>, id: String, teller: watch::Sender<News>) {
    let mut ticks = interval_at(tokio::time::Instant::now() + LOOK, LOOK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = service.stop.cancelled() => break,
        }
        // Where it can't be told, the streams end: who asks again is answered with the reason.
        let Ok(news) = news(&service, &id).await else { break };
        let is_final = news.is_final;
        teller.send_if_modified(|told| {
            let is_new = told.progress != news.progress;
            if is_new {
                *told = news;
            }
            is_new
        });
        let mut told = service.events.told();
        // One of the receivers is the list's own.
        if is_final || teller.receiver_count() == 1 {
            told.remove(&id);
            return;
        }
    }
    service.events.told().remove(&id);
}

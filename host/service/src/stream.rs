//! A dump that is streamed in its answer, as it is made: nothing of it is kept.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::StatusCode;
use axum::response::Response;
use futures_util::stream;
use partway_jobs::{Clock, SnapshotMode, SystemClock, skip_damaged};
use partway_sqlite::Snapshot;
use partway_wasmtime::async_trait;
use partway_wasmtime::exporter::Exporter;
use partway_wasmtime::exporter::{Budget, Outcome};
use partway_wasmtime::parts::Parts;
use partway_wasmtime::{CallError, PipeCtx, parts};
use tempfile::TempDir;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::Span;

use crate::answer::Refusal;
use crate::download::{file_headers, set_headers};
use crate::metrics::{Metrics, StreamEnd};
use crate::service::{Plan, Service, refusal};
use partway_jobs::{Incomplete, UntilStopped};

/// Small parts reach a client soon.
const PART_SIZE: u32 = 256 * 1024;

/// Parts that wait for the client. The export waits when there are so many.
const WAITING: usize = 4;

/// How long a client may take nothing: the state of the database is held for it meanwhile.
const STALL: Duration = Duration::from_secs(60);

/// What the export hands to the answer: parts, at the end None, or why it has failed.
type Message = Result<Option<Bytes>, Refusal>;

/// Answers with the dump. What goes wrong before its first part is answered with an error; after that the connection
/// ends without the answer's end, so that nobody takes it for whole.
///
/// # Errors
///
/// 429 where as many dumps are streamed as may be, and what the export fails from at its beginning.
pub async fn answer(service: &Arc<Service>, plan: Plan) -> Result<Response, Refusal> {
    let turn = service.streams.clone().try_acquire_owned().map_err(|_| {
        let text =
            "as many dumps are being streamed as may be at a time: try again when one has ended";
        Refusal::new(StatusCode::TOO_MANY_REQUESTS, text).again_in(10)
    })?;
    let name = plan.name.clone().unwrap_or_else(|| {
        format!("{}.{}", SystemClock.now().strftime("dump_%Y%m%d-%H%M%S"), plan.format)
    });
    let headers = file_headers(&name, &plan.format);
    let (sender, mut receiver) = mpsc::channel(WAITING);
    let (exporter, mode) = (service.exporter.clone(), service.snapshot);
    let metrics = service.metrics.clone();
    let sink =
        Sink { sender, runtime: Handle::current(), cut_off: service.cut_off.clone(), metrics };
    let span = Span::current();
    service.tasks.spawn_blocking(move || {
        let (_turn, _span) = (turn, span.entered());
        let end = export(&exporter, &plan, mode, &sink).map(|()| None);
        sink.metrics.stream_ended(match &end {
            Ok(_) => StreamEnd::Done,
            Err(_) if sink.sender.is_closed() || sink.cut_off.is_cancelled() => {
                StreamEnd::BrokenOff
            }
            Err(_) => StreamEnd::Failed,
        });
        // Where nobody listens any more, there is nobody to tell.
        sink.send(end).ok();
    });
    let first = match receiver.recv().await {
        Some(first) => first?,
        None => return Err(Refusal::failed("the export ended in an unforeseen way")),
    };
    let rest = stream::unfold(Some((Some(Ok(first)), receiver)), |place| async move {
        let (first, mut receiver): (Option<Message>, mpsc::Receiver<Message>) = place?;
        let message = match first {
            Some(first) => Some(first),
            None => receiver.recv().await,
        };
        match message {
            Some(Ok(Some(part))) => Some((Ok(part), Some((None, receiver)))),
            Some(Ok(None)) => None,
            // Without a word from the export that it has ended, it is not whole.
            Some(Err(_)) | None => Some((Err(io::Error::other("the export has failed")), None)),
        }
    });
    let mut response = Response::new(Body::from_stream(rest));
    set_headers(&mut response, headers);
    Ok(response)
}

fn export(
    exporter: &Exporter,
    plan: &Plan,
    mode: SnapshotMode,
    sink: &Sink,
) -> Result<(), Refusal> {
    let (snapshot, _copy) = snapshot(&plan.database, mode, sink)?;
    let mut options = plan.options(PART_SIZE);
    // What has been sent can't be taken back, so go on behind damage at once.
    options.settings.push(skip_damaged());
    let checkpoint = exporter.start(snapshot.clone(), &options).map_err(|error| refusal(&error))?;
    let ctx =
        PipeCtx::builder().pacing(UntilStopped(sink.cut_off.clone())).build(snapshot, sink.clone());
    match exporter.resume(ctx, &checkpoint, Budget { parts: u32::MAX }) {
        Ok(Outcome::Done(summary)) if summary.damaged.is_empty() => Ok(()),
        Ok(Outcome::Done(summary)) => {
            let error = Incomplete::new(&summary.damaged);
            tracing::error!(database = %plan.database.display(), %error, "the dump that was streamed is not whole");
            Err(Refusal::failed(error.to_string()))
        }
        Ok(Outcome::More(_)) => {
            Err(Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "the service is being stopped"))
        }
        Err(error) => {
            // A client that goes away is nothing to be told of.
            if !matches!(
                error,
                CallError::Exporter(partway_wasmtime::exporter::ExportError::WriteFailed(_))
            ) {
                tracing::error!(database = %plan.database.display(), %error, "a dump that was streamed has failed");
            }
            Err(refusal(&error))
        }
    }
}

/// The database's state, and the folder of a copy, to keep as long as it is read. A client may be slow: where writers
/// would wait for it, it reads from a copy.
fn snapshot(
    database: &Path,
    mode: SnapshotMode,
    sink: &Sink,
) -> Result<(Snapshot, Option<TempDir>), Refusal> {
    let held = Snapshot::hold(database)?;
    if !mode.copies(&held, false) {
        return Ok((held, None));
    }
    let folder = tempfile::tempdir().map_err(|error| {
        Refusal::failed(format!("no folder for a copy of the database: {error}"))
    })?;
    let (copying, waiting) = (held.clone(), sink.clone());
    let given_up = sink.runtime.spawn(async move {
        tokio::select! {
            () = waiting.sender.closed() => {}
            () = waiting.cut_off.cancelled() => {}
        }
        copying.interrupt();
    });
    let copy = held.copy(&folder.path().join("copy.db"));
    given_up.abort();
    Ok((copy?, Some(folder)))
}

/// The way to the client.
#[derive(Clone)]
struct Sink {
    sender: mpsc::Sender<Message>,
    runtime: Handle,
    cut_off: CancellationToken,
    metrics: Arc<Metrics>,
}

impl Sink {
    /// Waits for the client to take what it has not taken yet.
    fn send(&self, message: Message) -> Result<(), String> {
        self.runtime.block_on(self.send_async(message))
    }

    async fn send_async(&self, message: Message) -> Result<(), String> {
        tokio::select! {
            sent = self.sender.send(message) => {
                sent.map_err(|_| "the client has gone before the dump was complete".to_owned())
            }
            () = self.cut_off.cancelled() => Err("the service is being stopped".to_owned()),
            () = sleep(STALL) => Err(format!("the client has taken nothing for {} s", STALL.as_secs())),
        }
    }
}

#[async_trait]
impl Parts for Sink {
    async fn write(&mut self, _number: u32, bytes: &[u8]) -> Result<(), parts::Error> {
        self.send_async(Ok(Some(Bytes::copy_from_slice(bytes))))
            .await
            .map_err(parts::Error::Failed)?;
        self.metrics.streamed(bytes.len());
        Ok(())
    }
}

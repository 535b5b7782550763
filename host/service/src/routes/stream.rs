//! Without a store, a dump is streamed in the response as it is made, and not kept.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::StatusCode;
use axum::response::Response;
use futures_util::stream;
use partway_codec::Encoding;
use partway_jobs::{
    Clock, Incomplete, JobError, PrebuiltResources, Resources, SnapshotMode, StreamError,
    StreamedExport, SystemClock, default_name, reads_pages, skip_damaged,
};
use partway_sqlite::Snapshot;
use partway_wasmtime::exporter::{ExportError as ComponentError, Options};
use partway_wasmtime::parts::{self, Parts};
use partway_wasmtime::{CallError, async_trait};
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::Span;

use super::parameters::ExportParameters;
use crate::http::error::ApiError;
use crate::http::headers::{file_headers, set_headers};
use crate::state::ServiceState;
use crate::state::error::ExportError;
use crate::state::metrics::{Metrics, StreamEnd};

/// How many parts are buffered for the client; then the export waits.
const BUFFERED_PARTS: usize = 4;

/// How long a client may read nothing: the state of the database is held for it meanwhile.
const STALL_TIMEOUT: Duration = Duration::from_secs(60);

/// What the export sends to the response: parts, then None at the end, or why it failed.
type Message = Result<Option<Bytes>, ApiError>;

/// What to export, and how.
struct Dump {
    resources: Arc<PrebuiltResources>,
    /// The database's name, and its path.
    name: String,
    database: PathBuf,
    options: Options,
    encoding: Encoding,
    snapshot: SnapshotMode,
    max_loaded_row: Option<u64>,
}

/// Responds with the dump. An error before its first part is sent as such; after that the connection breaks off before
/// the end of the response, so that no client takes it for complete.
///
/// # Errors
///
/// 429 where too many dumps are being streamed, and what the export fails from at its beginning.
pub async fn respond(
    state: &Arc<ServiceState>,
    parameters: &ExportParameters,
) -> Result<Response, ApiError> {
    let permit = state.streams.clone().try_acquire_owned().map_err(|_| {
        let text = "too many dumps are being streamed: try again when one has ended";
        ApiError::new(StatusCode::TOO_MANY_REQUESTS, text).retry_after(10)
    })?;
    let format = parameters.format();
    let encoding = parameters.encoding(&state.encoding)?;
    let name = parameters
        .object_name()?
        .unwrap_or_else(|| default_name(SystemClock.now(), format, &encoding));
    let headers = file_headers(&name, format, &encoding);
    let database = parameters.database(&state.databases)?;
    let dump = Dump {
        resources: state.resources.clone(),
        name: state.databases.name(database).unwrap_or_default().to_owned(),
        database: database.to_owned(),
        options: parameters.options(StreamedExport::PART_SIZE)?,
        encoding,
        snapshot: state.snapshot,
        max_loaded_row: state.max_loaded_row,
    };
    let (sender, mut receiver) = mpsc::channel(BUFFERED_PARTS);
    let (cut_off, metrics) = (state.cut_off.clone(), state.metrics.clone());
    let sink = Sink { sender, runtime: Handle::current(), cut_off, metrics };
    let span = Span::current();
    state.tasks.spawn_blocking(move || {
        let (_permit, _span) = (permit, span.entered());
        run(dump, &sink);
    });
    let first = match receiver.recv().await {
        Some(first) => first?,
        None => return Err(ApiError::internal("the export ended unexpectedly")),
    };
    let mut response = Response::new(body(first, receiver));
    set_headers(&mut response, headers);
    Ok(response)
}

/// The body: the first part, and those that follow it.
fn body(first: Option<Bytes>, receiver: mpsc::Receiver<Message>) -> Body {
    let parts = stream::unfold(Some((Some(Ok(first)), receiver)), |state| async move {
        let (first, mut receiver): (Option<Message>, mpsc::Receiver<Message>) = state?;
        let message = match first {
            Some(first) => Some(first),
            None => receiver.recv().await,
        };
        match message {
            Some(Ok(Some(part))) => Some((Ok(part), Some((None, receiver)))),
            Some(Ok(None)) => None,
            // Unless the export has said that it has ended, the dump is not complete.
            Some(Err(_)) | None => Some((Err(io::Error::other("the export failed")), None)),
        }
    });
    Body::from_stream(parts)
}

/// Exports to the response, and counts how that ended.
fn run(dump: Dump, sink: &Sink) {
    let name = dump.name.clone();
    let exported = export(dump, sink);
    let is_damaged = matches!(exported, Ok(Some(_)));
    let end = exported.and_then(|incomplete| match incomplete {
        None => Ok(None),
        Some(incomplete) => Err(ApiError::internal(incomplete.to_string())),
    });
    let stream_end = match &end {
        Ok(_) => StreamEnd::Done,
        Err(_) if is_damaged => StreamEnd::Damaged,
        Err(_) if sink.sender.is_closed() || sink.cut_off.is_cancelled() => StreamEnd::BrokenOff,
        Err(_) => StreamEnd::Failed,
    };
    sink.metrics.stream_ended(&name, stream_end);
    // Where the client has gone, there is nobody to tell.
    sink.send(end).ok();
}

/// Exports; returns what is missing, if the database is damaged.
fn export(dump: Dump, sink: &Sink) -> Result<Option<Incomplete>, ApiError> {
    let Dump { resources, database, mut options, encoding, snapshot, max_loaded_row, .. } = dump;
    let exporter = resources.exporter(&options.format, None).map_err(ExportError::from)?;
    let pages = reads_pages(&options.format);
    let export = open(&database, snapshot, max_loaded_row, pages, sink)?;
    // What has been sent can't be taken back, so skip damage from the start.
    options.settings.push(skip_damaged());
    let database = database.display();
    let stop = sink.cut_off.clone();
    match export.run(&exporter, &options, &encoding, sink.clone(), Arc::default(), stop) {
        Ok(summary) if summary.damaged.is_empty() => Ok(None),
        Ok(summary) => {
            let error = Incomplete::new(&summary.damaged);
            tracing::error!(%database, %error, "a streamed dump is incomplete");
            Ok(Some(error))
        }
        Err(error) if error.is_interrupted() => {
            Err(ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "the service is stopping"))
        }
        Err(error) => {
            // That a client has gone away is no error of the service.
            if !matches!(
                &error,
                JobError::Call(CallError::Exporter(ComponentError::WriteFailed(_)))
            ) {
                tracing::error!(%database, %error, "a streamed dump failed");
            }
            Err(error.into())
        }
    }
}

/// Keeps the state of the database. A client may be slow: where writers would have to wait for it, it gets a copy.
fn open(
    database: &Path,
    mode: SnapshotMode,
    max_loaded_row: Option<u64>,
    pages: bool,
    sink: &Sink,
) -> Result<StreamedExport, ApiError> {
    let held = Snapshot::hold(database)?.with_max_loaded_row(max_loaded_row).with_pages(pages);
    let stop = async {
        tokio::select! {
            () = sink.sender.closed() => {}
            () = sink.cut_off.cancelled() => {}
        }
    };
    let export = sink.runtime.block_on(StreamedExport::open(held, mode, false, stop));
    export.map_err(|error| match error {
        StreamError::Copy(error) => error.into(),
        StreamError::Panicked(error) => error.into(),
        StreamError::TemporaryFolder(_) => ApiError::internal(error.to_string()),
    })
}

/// Sends parts to the client.
#[derive(Clone)]
struct Sink {
    sender: mpsc::Sender<Message>,
    runtime: Handle,
    cut_off: CancellationToken,
    metrics: Arc<Metrics>,
}

impl Sink {
    /// Waits until the client has read enough of what was sent before.
    fn send(&self, message: Message) -> Result<(), String> {
        self.runtime.block_on(self.send_async(message))
    }

    async fn send_async(&self, message: Message) -> Result<(), String> {
        tokio::select! {
            sent = self.sender.send(message) => {
                sent.map_err(|_| "the client disconnected before the dump was complete".to_owned())
            }
            () = self.cut_off.cancelled() => Err("the service is stopping".to_owned()),
            () = sleep(STALL_TIMEOUT) => Err(format!("the client has read nothing for {} s", STALL_TIMEOUT.as_secs())),
        }
    }
}

#[async_trait]
impl Parts for Sink {
    async fn write(&mut self, _number: u32, bytes: &[u8]) -> Result<(), parts::Error> {
        self.send_async(Ok(Some(Bytes::copy_from_slice(bytes))))
            .await
            .map_err(parts::Error::Failed)?;
        self.metrics.part_streamed(bytes.len());
        Ok(())
    }
}

//! Tells answers of the service from those that hyper writes by itself: where a head is malformed or too large, hyper
//! answers before any handler, and without a body. These are held back, so that the service can answer itself.

use std::convert::Infallible;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll, ready};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{Request, Response, StatusCode};
use hyper::body::{Frame, Incoming, SizeHint};
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Where a connection is in the exchange of requests and responses. Clones share it.
#[derive(Clone, Default)]
pub struct Phase(Arc<AtomicU8>);

/// No response is being made or sent. What hyper writes then is an answer of its own.
const IDLE: u8 = 0;

/// A handler makes a response, or its body is being read.
const ANSWERING: u8 = 1;

/// The whole response has been handed to hyper, but may not have been written yet.
const FLUSHING: u8 = 2;

impl Phase {
    fn is(&self, phase: u8) -> bool {
        self.0.load(Ordering::Relaxed) == phase
    }

    fn set(&self, phase: u8) {
        self.0.store(phase, Ordering::Relaxed);
    }
}

/// The routes, as hyper calls them on one connection.
pub struct Handlers {
    pub router: TowerToHyperService<Router>,
    pub phase: Phase,
}

impl Service<Request<Incoming>> for Handlers {
    type Response = Response<AnswerBody>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        self.phase.set(ANSWERING);
        let (response, end) = (self.router.call(request), AnswerEnd(self.phase.clone()));
        Box::pin(async move { Ok(response.await?.map(|body| AnswerBody { body, _end: end })) })
    }
}

/// The body of a response. Hyper drops it when it has taken all of it.
pub struct AnswerBody {
    body: Body,
    _end: AnswerEnd,
}

struct AnswerEnd(Phase);

impl Drop for AnswerEnd {
    fn drop(&mut self) {
        self.0.set(FLUSHING);
    }
}

impl hyper::body::Body for AnswerBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A connection on which hyper's own answers are held back.
pub struct Guarded<S> {
    pub stream: S,
    phase: Phase,
    refused: Option<StatusCode>,
}

impl<S> Guarded<S> {
    pub fn new(stream: S, phase: Phase) -> Self {
        Self { stream, phase, refused: None }
    }

    /// The status of the answer that was held back. It is the last one of its connection.
    pub fn refused(&self) -> Option<StatusCode> {
        self.refused
    }

    /// Whether no response is being sent.
    pub fn is_idle(&self) -> bool {
        self.phase.is(IDLE)
    }

    /// Keeps the status of an answer: `HTTP/1.1 400 …`.
    fn hold_back(&mut self, head: &[u8]) {
        let status = head.get(9..12).and_then(|digits| StatusCode::from_bytes(digits).ok());
        self.refused = self.refused.or(status);
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Guarded<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Guarded<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.is_idle() {
            self.hold_back(bytes);
            return Poll::Ready(Ok(bytes.len()));
        }
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.is_idle() {
            self.hold_back(slices.first().map_or(&[], |slice| slice));
            return Poll::Ready(Ok(slices.iter().map(|slice| slice.len()).sum()));
        }
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    /// Hyper flushes when it has written all that it has.
    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.stream).poll_flush(context))?;
        if self.phase.is(FLUSHING) {
            self.phase.set(IDLE);
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

//! Connections: how many there may be, and how long a client may keep one waiting.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::serve::Listener;
use hyper::server::conn::http1::{Builder, Connection, Parts};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_io_timeout::TimeoutStream;
use tokio_util::sync::CancellationToken;

use super::exchange::{Guarded, Handlers, Phase};
use super::refusal::refuse;
use crate::state::metrics::Metrics;

/// How many connections may be open; further ones wait to be accepted. A process may usually have 1,024 files open, and
/// the databases, the jobs and the connections to the store need theirs.
const MAX_CONNECTIONS: usize = 512;

/// How long a client may take for the head of a request, and how long a connection may be idle between two.
pub const HEAD_TIMEOUT: Duration = Duration::from_secs(15);

/// The largest head of a request, in bytes. As much of a response is buffered, too.
pub const MAX_HEAD_LENGTH: usize = 64 * 1024;

/// How long a client may read nothing of a response.
const WRITE_TIMEOUT: Duration = Duration::from_secs(60);

type Stream<S> = Guarded<Pin<Box<TimeoutStream<S>>>>;

/// Accepts requests until the service is to stop, then waits for open responses. Dropped, it cuts them off.
pub async fn serve(
    mut listener: TcpListener,
    router: Router,
    metrics: Arc<Metrics>,
    stop: CancellationToken,
) {
    let open = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let mut connections = JoinSet::new();
    loop {
        let accepted = async {
            let permit = open.clone().acquire_owned().await;
            (Listener::accept(&mut listener).await.0, permit)
        };
        let (stream, permit) = tokio::select! {
            biased;
            () = stop.cancelled() => break,
            accepted = accepted => accepted,
        };
        let (router, metrics, stop) = (router.clone(), metrics.clone(), stop.clone());
        connections.spawn(async move {
            let _permit = permit;
            serve_one(stream, router, &stop, |status| {
                tracing::info!(status = status.as_u16(), "what is not a request was refused");
                metrics.request_refused(status.as_u16());
            })
            .await;
        });
        while connections.try_join_next().is_some() {}
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

/// Answers the requests of a client until it has no more, or the service is to stop. `refusing` is called with the status
/// with which it refuses what can't be read as a request.
async fn serve_one<S: AsyncRead + AsyncWrite>(
    stream: S,
    router: Router,
    stop: &CancellationToken,
    refusing: impl FnOnce(StatusCode),
) {
    let mut connection = connection(stream, router);
    let mut is_stopping = false;
    let ended = loop {
        tokio::select! {
            ended = poll_fn(|context| connection.poll_without_shutdown(context)) => break ended,
            () = stop.cancelled(), if !is_stopping => {
                Pin::new(&mut connection).graceful_shutdown();
                is_stopping = true;
            }
        }
    };
    let Parts { io, read_buf, .. } = connection.into_parts();
    let mut guarded = io.into_inner();
    match refusal(&ended, &guarded, !read_buf.is_empty()) {
        Some(status) => {
            refusing(status);
            refuse(&mut guarded.stream, status).await;
        }
        None => {
            // A client that is too slow, or gone, is no error of the service.
            let closed = guarded.stream.shutdown().await;
            if let Err(error) = ended {
                tracing::debug!(%error, "a connection was lost");
            } else if let Err(error) = closed {
                tracing::debug!(%error, "a connection was lost");
            }
        }
    }
}

/// The status with which to refuse what a client has sent, if it can't be read as a request.
fn refusal<S>(
    ended: &hyper::Result<()>,
    stream: &Stream<S>,
    has_begun_request: bool,
) -> Option<StatusCode> {
    let Err(error) = ended else { return None };
    match stream.refused() {
        Some(status) => Some(status),
        None if !stream.is_idle() => None,
        None if error.is_timeout() && has_begun_request => Some(StatusCode::REQUEST_TIMEOUT),
        None if error.is_parse_version_h2() => Some(StatusCode::HTTP_VERSION_NOT_SUPPORTED),
        None => None,
    }
}

/// A connection with a client, within its limits.
fn connection<S: AsyncRead + AsyncWrite>(
    stream: S,
    router: Router,
) -> Connection<TokioIo<Stream<S>>, Handlers> {
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(WRITE_TIMEOUT));
    let phase = Phase::default();
    let handlers = Handlers { router: TowerToHyperService::new(router), phase: phase.clone() };
    Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(MAX_HEAD_LENGTH)
        .serve_connection(TokioIo::new(Guarded::new(Box::pin(stream), phase)), handlers)
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::routing::{get, post};
    use futures_util::{StreamExt, stream};
    use tokio::io::{AsyncReadExt, DuplexStream, duplex};
    use tokio::time::{Instant, sleep};

    use super::*;
    use crate::http::body::LimitedBody;

    fn endless() -> Router {
        let zeros = || stream::repeat_with(|| Ok::<_, std::io::Error>(vec![0; 4096]));
        Router::new().route("/", get(move || async move { Body::from_stream(zeros()) }))
    }

    fn serve_in_background(
        stream: DuplexStream,
        router: Router,
    ) -> tokio::task::JoinHandle<Option<StatusCode>> {
        tokio::spawn(refused(stream, router))
    }

    /// Serves a connection to its end; returns the status of a refusal.
    async fn refused(stream: DuplexStream, router: Router) -> Option<StatusCode> {
        let mut refused = None;
        let stop = CancellationToken::new();
        serve_one(stream, router, &stop, |status| refused = Some(status)).await;
        refused
    }

    fn here() -> Router {
        Router::new().route("/", get(|| async { "here" }))
    }

    /// What a client receives that sends this, until the connection ends.
    async fn received(sent: &[u8]) -> (String, Option<StatusCode>) {
        let (mut client, server) = duplex(512 * 1024);
        let served = serve_in_background(server, here());
        client.write_all(sent).await.unwrap();
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.unwrap();
        (answer, served.await.unwrap())
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_no_request_has_the_answer_of_all_errors() {
        let large = format!("GET / HTTP/1.1\r\nx: {}\r\n\r\n", "x".repeat(300_000));
        for (sent, expected) in [
            ("\x16\x03\x01\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nbad header\r\n\r\n", 400),
            ("GET / HTTP/9.9\r\n\r\n", 400),
            (large.as_str(), 431),
            ("GET / HTTP/1.1\r\nhost: a", 408),
            ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
            // After a request that is answered.
            ("GET / HTTP/1.1\r\nhost: a\r\n\r\nGET / HTTP/1.1\r\nbad header\r\n\r\n", 400),
        ] {
            let (answer, refused) = received(sent.as_bytes()).await;
            assert_eq!(refused.map(|status| status.as_u16()), Some(expected), "{answer}");
            let answer = match sent.contains("host: a\r\n\r\n") {
                true => answer.split_once("\r\n\r\nhere").expect(&answer).1,
                false => answer.as_str(),
            };
            assert!(answer.starts_with(&format!("HTTP/1.1 {expected} ")), "{answer}");
            let (head, body) = answer.split_once("\r\n\r\n").unwrap();
            assert!(head.contains(&format!("content-length: {}", body.len())), "{head}");
            assert!(head.contains("connection: close"), "{head}");
            let body: serde_json::Value = serde_json::from_str(body).unwrap();
            assert!(body["result"].is_null() && body["error"].is_string(), "{body}");
        }
        // An end without a request needs no answer.
        let (mut client, server) = duplex(4096);
        let served = serve_in_background(server, here());
        client.shutdown().await.unwrap();
        assert_eq!(client.read_to_string(&mut String::new()).await.unwrap(), 0);
        assert_eq!(served.await.unwrap(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn an_object_that_looks_like_a_refusal_is_sent_as_it_is() {
        const TEXT: &str = "HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n";
        let pieces = || stream::repeat_with(|| Ok::<_, std::io::Error>(TEXT)).take(3);
        let router =
            Router::new().route("/", get(move || async move { Body::from_stream(pieces()) }));
        let (mut client, server) = duplex(64);
        serve_in_background(server, router);
        let ask = "GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
        client.write_all(ask.as_bytes()).await.unwrap();
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        assert_eq!(answer.matches(TEXT).count(), 3, "{answer}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_takes_nothing_is_cut_off_and_a_slow_one_is_not() {
        let (mut client, server) = duplex(4096);
        let began = Instant::now();
        let served = tokio::spawn(async move {
            assert_eq!(refused(server, endless()).await, None);
        });
        client.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
        for _ in 0..10 {
            sleep(WRITE_TIMEOUT - Duration::from_secs(1)).await;
            client.read_exact(&mut [0; 4096]).await.unwrap();
        }
        assert!(!served.is_finished());
        assert!(began.elapsed() > 9 * WRITE_TIMEOUT);
        let stopped = Instant::now();
        served.await.unwrap();
        assert!(
            (WRITE_TIMEOUT..WRITE_TIMEOUT + Duration::from_secs(2)).contains(&stopped.elapsed())
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_at_rest_is_closed() {
        let (mut client, server) = duplex(4096);
        let router = Router::new().route("/", get(|| async { "here" }));
        let served = serve_in_background(server, router);
        client.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
        let began = Instant::now();
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.unwrap();
        assert!(answer.ends_with("here"), "{answer}");
        assert!((HEAD_TIMEOUT..HEAD_TIMEOUT + Duration::from_secs(2)).contains(&began.elapsed()));
        assert_eq!(served.await.unwrap(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_drips_is_not_waited_for() {
        let (client, server) = duplex(4096);
        let router =
            Router::new().route("/", post(|LimitedBody(body): LimitedBody| async move { body }));
        let _served = serve_in_background(server, router);
        let (mut from, mut to) = tokio::io::split(client);
        to.write_all(b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 999\r\n\r\n").await.unwrap();
        let dripping = tokio::spawn(async move {
            while to.write_all(b"x").await.is_ok() {
                sleep(Duration::from_secs(1)).await;
            }
        });
        let began = Instant::now();
        let mut answer = String::new();
        from.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
        assert!(began.elapsed() < Duration::from_secs(35), "{:?}", began.elapsed());
        dripping.abort();
    }
}

//! Connections: how many there may be, and how long a client may keep one waiting.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::serve::Listener;
use hyper::server::conn::http1::{Builder, Connection};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_io_timeout::TimeoutStream;
use tokio_util::sync::CancellationToken;

/// How many connections may be open; further ones wait to be accepted. A process may usually have 1,024 files open, and
/// the databases, the jobs and the connections to the store need theirs.
const MAX_CONNECTIONS: usize = 512;

/// How long a client may take for the head of a request, and how long a connection may be idle between two.
const HEAD_TIMEOUT: Duration = Duration::from_secs(15);

/// The largest head of a request, in bytes. As much of a response is buffered, too.
const MAX_HEAD_LENGTH: usize = 64 * 1024;

/// How long a client may read nothing of a response.
const WRITE_TIMEOUT: Duration = Duration::from_secs(60);

type Io<S> = TokioIo<std::pin::Pin<Box<TimeoutStream<S>>>>;

/// Accepts requests until the service is to stop, then waits for open responses. Dropped, it cuts them off.
pub async fn serve(mut listener: TcpListener, router: Router, stop: CancellationToken) {
    let (open, graceful) = (Arc::new(Semaphore::new(MAX_CONNECTIONS)), GracefulShutdown::new());
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
        let connection = graceful.watch(connection(stream, router.clone()));
        connections.spawn(async move {
            let _permit = permit;
            // A client that is too slow, or gone, is no error of the service.
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection was lost");
            }
        });
        while connections.try_join_next().is_some() {}
    }
    drop(listener);
    graceful.shutdown().await;
}

/// A connection with a client, within its limits.
fn connection<S: AsyncRead + AsyncWrite>(
    stream: S,
    router: Router,
) -> Connection<Io<S>, TowerToHyperService<Router>> {
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(WRITE_TIMEOUT));
    Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(MAX_HEAD_LENGTH)
        .serve_connection(TokioIo::new(Box::pin(stream)), TowerToHyperService::new(router))
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::routing::{get, post};
    use futures_util::stream;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
    use tokio::time::{Instant, sleep};

    use super::*;
    use crate::http::body::LimitedBody;

    fn endless() -> Router {
        let zeros = || stream::repeat_with(|| Ok::<_, std::io::Error>(vec![0; 4096]));
        Router::new().route("/", get(move || async move { Body::from_stream(zeros()) }))
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_takes_nothing_is_cut_off_and_a_slow_one_is_not() {
        let (mut client, server) = duplex(4096);
        let began = Instant::now();
        let served = tokio::spawn(async move {
            connection(server, endless()).await.unwrap_err();
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
        let served = tokio::spawn(connection(server, router).into_future());
        client.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
        let began = Instant::now();
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.unwrap();
        assert!(answer.ends_with("here"), "{answer}");
        assert!((HEAD_TIMEOUT..HEAD_TIMEOUT + Duration::from_secs(2)).contains(&began.elapsed()));
        served.await.unwrap().ok();
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_drips_is_not_waited_for() {
        let (client, server) = duplex(4096);
        let router =
            Router::new().route("/", post(|LimitedBody(body): LimitedBody| async move { body }));
        let _served = tokio::spawn(connection(server, router).into_future());
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

//! HTTP for the S3 client: timeouts that distinguish a dead connection from a slow one.

use std::time::Duration;

use async_trait::async_trait;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpService,
    ReqwestConnector,
};
use object_store::{ClientConfigKey, ClientOptions};

use super::conditional::ConditionalCompletion;
use crate::store::SLOWEST_UPLOAD_BYTES_PER_SECOND;

/// How long a server may be silent: before the answer to a request that has arrived, and within an answer.
pub(super) const READ_TIMEOUT: Duration = Duration::from_secs(60);

/// Makes HTTP clients whose timeouts grow with a request's size.
#[derive(Debug)]
pub(super) struct Connector;

impl HttpConnector for Connector {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        let reqwest = ReqwestConnector::default();
        let read_timeout = options
            .get_config_value(&ClientConfigKey::ReadTimeout)
            .and_then(|text| text.parse::<jiff::SignedDuration>().ok())
            .and_then(|timeout| timeout.try_into().ok());
        let sized = HttpClient::new(SizedTimeouts {
            small: reqwest.connect(options)?,
            large: reqwest.connect(&options.clone().with_read_timeout_disabled())?,
            read_timeout: read_timeout.unwrap_or(READ_TIMEOUT),
        });
        Ok(HttpClient::new(ConditionalCompletion(sized)))
    }
}

/// Tells a connection that is dead from one that is slow.
///
/// The system finds out within 30 s that a peer is gone (the HTTP client sets `TCP_USER_TIMEOUT` and keep-alive probes).
/// What is left is a server that takes a request and never answers. The HTTP client's read timeout finds that, but it
/// also counts the time that sending the request takes, so that a part on a slow line would never arrive: a large
/// request gets as much time as its size asks for.
#[derive(Debug)]
struct SizedTimeouts {
    /// For small requests: with the HTTP client's read timeout.
    small: HttpClient,
    /// For large ones: without it.
    large: HttpClient,
    read_timeout: Duration,
}

/// The largest request, in bytes, whose own time on its way is left out of account. That which completes an object of
/// 10,000 parts has about 1 MB.
const SMALL_REQUEST: u64 = 1024 * 1024;

#[async_trait]
impl HttpService for SizedTimeouts {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let length = request.body().content_length() as u64;
        if length <= SMALL_REQUEST {
            return self.small.execute(request).await;
        }
        let timeout =
            self.read_timeout + Duration::from_secs(length / SLOWEST_UPLOAD_BYTES_PER_SECOND);
        match tokio::time::timeout(timeout, self.large.execute(request)).await {
            Ok(answer) => answer,
            Err(error) => Err(HttpError::new(HttpErrorKind::Timeout, error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use object_store::client::HttpRequestBody;
    use tokio::time::Instant;

    use super::*;

    /// A server that takes everything and answers after a time.
    #[derive(Debug)]
    struct After(Duration);

    #[async_trait]
    impl HttpService for After {
        async fn call(&self, _request: HttpRequest) -> Result<HttpResponse, HttpError> {
            tokio::time::sleep(self.0).await;
            Ok(HttpResponse::new(Vec::new().into()))
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_part_is_waited_for_by_its_size() {
        const MIB: u64 = 1024 * 1024;
        for (length, answers_after, arrives) in [
            // A part of 100 MiB at 1 MBit/s, which is 15 minutes of sending.
            (100 * MIB, 15 * 60, true),
            (100 * MIB, 24 * 3600, false),
            (5 * MIB, 160, true),
            (5 * MIB, 15 * 60, false),
        ] {
            let client = SizedTimeouts {
                small: HttpClient::new(After(Duration::ZERO)),
                large: HttpClient::new(After(Duration::from_secs(answers_after))),
                read_timeout: READ_TIMEOUT,
            };
            let body = HttpRequestBody::from(vec![0; length as usize]);
            let began = Instant::now();
            let outcome = client.call(HttpRequest::new(body)).await;
            match outcome {
                Ok(_) => assert!(arrives, "{length} in {answers_after} s"),
                Err(error) => {
                    assert!(!arrives, "{length} in {answers_after} s");
                    assert_eq!(error.kind(), HttpErrorKind::Timeout);
                    assert!(
                        began.elapsed()
                            >= READ_TIMEOUT
                                + Duration::from_secs(length / SLOWEST_UPLOAD_BYTES_PER_SECOND)
                    );
                }
            }
        }
    }
}

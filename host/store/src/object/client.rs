//! The HTTP client of an object store: its settings, how long it waits, how often it tries.

use std::time::Duration;

use async_trait::async_trait;
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpService,
    ReqwestConnector,
};
use object_store::{ClientConfigKey, ClientOptions, RetryConfig};

use crate::SLOWEST;

/// How long a connection may take to come about.
const CONNECT: Duration = Duration::from_secs(10);

/// How long a server may be silent: before the answer to a request that is there, and within an answer.
const SILENCE: Duration = Duration::from_secs(60);

/// A client's settings, gathered.
pub(super) struct Settings {
    pub builder: AmazonS3Builder,
    pub options: ClientOptions,
    /// The region, which the builder tells as long as it has built nothing.
    pub region: String,
}

impl Settings {
    /// Those of the environment: the `AWS_*` variables.
    pub fn from_environment() -> Self {
        let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        let variables: Vec<_> = std::env::vars_os().filter_map(text).collect();
        Self::new(variables.iter().map(|(name, value)| (name.as_str(), value.as_str())))
    }

    /// Those of variables as the environment's; those that are empty, or none of `AWS_*`, count for nothing.
    pub fn new<'a>(variables: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        // The client's own total time for a request, 30 s, would end every part on a line that is slow; see
        // `Patient` for what is there instead. Who sets AWS_TIMEOUT gets it for all requests.
        let mut options = ClientOptions::new()
            .with_timeout_disabled()
            .with_connect_timeout(CONNECT)
            .with_read_timeout(SILENCE);
        let mut builder = AmazonS3Builder::new();
        for (name, value) in variables {
            if !name.starts_with("AWS_") || value.is_empty() {
                continue;
            }
            match name.to_ascii_lowercase().parse() {
                Ok(AmazonS3ConfigKey::Client(key)) => options = options.with_config(key, value),
                Ok(key) => builder = builder.with_config(key, value),
                // Of another program.
                Err(_) => {}
            }
        }
        Self { builder, options, region: String::new() }
    }

    /// With all that is not the user's to set.
    pub fn ready(mut self) -> Self {
        let setting = |key| self.builder.get_config_value(&key);
        let endpoint = setting(AmazonS3ConfigKey::S3Endpoint)
            .or_else(|| setting(AmazonS3ConfigKey::Endpoint))
            .unwrap_or_default();
        // The client's own default, which it does not tell.
        self.region = setting(AmazonS3ConfigKey::Region).unwrap_or_else(|| "us-east-1".to_owned());
        if endpoint.starts_with("http://") {
            // Who names a plain endpoint means it.
            self.options = self.options.with_allow_http(true);
        }
        // A request that fails is repeated here, within about half a minute of failures; a slice that fails, by
        // whoever runs slices. The signature of a request that is repeated is the first one's, and good for
        // 15 minutes (Amazon's).
        let retry = RetryConfig {
            max_retries: 8,
            retry_timeout: Duration::from_secs(180),
            ..RetryConfig::default()
        };
        self.builder = self
            .builder
            .with_retry(retry)
            .with_client_options(self.options.clone())
            .with_http_connector(Connector);
        self
    }
}

/// Makes clients that wait as long as a request's size asks for.
#[derive(Debug)]
pub(super) struct Connector;

impl HttpConnector for Connector {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        let reqwest = ReqwestConnector::default();
        let silence = options
            .get_config_value(&ClientConfigKey::ReadTimeout)
            .and_then(|text| text.parse::<jiff::SignedDuration>().ok())
            .and_then(|silence| silence.try_into().ok());
        Ok(HttpClient::new(Patient {
            asking: reqwest.connect(options)?,
            sending: reqwest.connect(&options.clone().with_read_timeout_disabled())?,
            silence: silence.unwrap_or(SILENCE),
        }))
    }
}

/// Tells a connection that is dead from one that is slow.
///
/// That a peer is gone the system finds out, within 30 s (the HTTP client sets `TCP_USER_TIMEOUT`, and asks for signs
/// of life on a connection that is silent). What is left is a server that takes a request and never answers. The HTTP
/// client's read timeout finds that, but it also counts the time that the request itself needs on its way, so that a
/// part on a slow line would never arrive: where there is much to send, the time goes by its size.
#[derive(Debug)]
struct Patient {
    asking: HttpClient,
    sending: HttpClient,
    silence: Duration,
}

/// The largest request that counts as a question. That which completes an object of 10,000 parts has about 1 MB.
const QUESTION: u64 = 1024 * 1024;

#[async_trait]
impl HttpService for Patient {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let length = request.body().content_length() as u64;
        if length <= QUESTION {
            return self.asking.execute(request).await;
        }
        let patience = self.silence + Duration::from_secs(length / SLOWEST);
        match tokio::time::timeout(patience, self.sending.execute(request)).await {
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
            let patient = Patient {
                asking: HttpClient::new(After(Duration::ZERO)),
                sending: HttpClient::new(After(Duration::from_secs(answers_after))),
                silence: SILENCE,
            };
            let body = HttpRequestBody::from(vec![0; length as usize]);
            let began = Instant::now();
            let outcome = patient.call(HttpRequest::new(body)).await;
            match outcome {
                Ok(_) => assert!(arrives, "{length} in {answers_after} s"),
                Err(error) => {
                    assert!(!arrives, "{length} in {answers_after} s");
                    assert_eq!(error.kind(), HttpErrorKind::Timeout);
                    assert!(began.elapsed() >= SILENCE + Duration::from_secs(length / SLOWEST));
                }
            }
        }
    }

    #[test]
    fn what_the_environment_says_goes_before_what_is_chosen_here() {
        let value = |settings: &Settings, key| settings.options.get_config_value(&key);
        let none = Settings::new([("AWS_REGION", "here"), ("HOME", "/"), ("AWS_TIMEOUT", "")]);
        assert_eq!(value(&none, ClientConfigKey::Timeout), None);
        assert_eq!(none.ready().region, "here");
        let some = Settings::new([("AWS_TIMEOUT", "9s"), ("AWS_READ_TIMEOUT", "8s")]).ready();
        assert_eq!(value(&some, ClientConfigKey::Timeout).as_deref(), Some("9s"));
        assert_eq!(value(&some, ClientConfigKey::ReadTimeout).as_deref(), Some("8s"));
        let plain = Settings::new([("AWS_ENDPOINT_URL", "http://127.0.0.1:1")]).ready();
        assert_eq!(value(&plain, ClientConfigKey::AllowHttp).as_deref(), Some("true"));
    }
}

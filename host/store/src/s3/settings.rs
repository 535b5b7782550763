//! The settings of the S3 client: the user's, and how often it tries.

use std::time::Duration;

use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::{ClientOptions, RetryConfig};

use super::http::{Connector, READ_TIMEOUT};

/// How long a connection may take to come about.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// The settings of a client that is yet to be built.
pub(super) struct Settings {
    pub builder: AmazonS3Builder,
    pub options: ClientOptions,
    /// The region, which the built client does not tell. Empty before [`Settings::ready`].
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

    /// Those of variables like the environment's. Empty ones, and ones that are not `AWS_*`, are ignored.
    pub fn new<'a>(variables: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        // The client's default time limit for a whole request, 30 s, would end every part on a slow line; `super::http`
        // has what is there instead. AWS_TIMEOUT, where it is set, holds for all requests.
        let mut options = ClientOptions::new()
            .with_timeout_disabled()
            .with_connect_timeout(CONNECT_TIMEOUT)
            .with_read_timeout(READ_TIMEOUT);
        let mut builder = AmazonS3Builder::new();
        for (name, value) in variables {
            if !name.starts_with("AWS_") || value.is_empty() {
                continue;
            }
            match name.to_ascii_lowercase().parse() {
                Ok(AmazonS3ConfigKey::Client(key)) => options = options.with_config(key, value),
                Ok(key) => builder = builder.with_config(key, value),
                // Another program's.
                Err(_) => {}
            }
        }
        Self { builder, options, region: String::new() }
    }

    /// Adds what the user can't set.
    pub fn ready(mut self) -> Self {
        let setting = |key| self.builder.get_config_value(&key);
        let endpoint = setting(AmazonS3ConfigKey::S3Endpoint)
            .or_else(|| setting(AmazonS3ConfigKey::Endpoint))
            .unwrap_or_default();
        // The client's own default, which it does not tell.
        self.region = setting(AmazonS3ConfigKey::Region).unwrap_or_else(|| "us-east-1".to_owned());
        if endpoint.starts_with("http://") {
            // Whoever names an endpoint without TLS means it.
            self.options = self.options.with_allow_http(true);
        }
        // A failed request is repeated here, for about half a minute of failures; a failed slice, by whoever runs
        // slices. A repeated request keeps the first one's signature, which is valid for 15 minutes (Amazon S3).
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

#[cfg(test)]
mod tests {
    use object_store::ClientConfigKey;

    use super::*;

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

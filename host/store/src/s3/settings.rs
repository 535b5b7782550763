//! The settings of the S3 client: the user's, and how often it tries.

use std::time::Duration;

use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::{ClientOptions, RetryConfig};

use super::http::{Connector, READ_TIMEOUT};

/// How long a connection may take to come about.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

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
        // [`SizedTimeouts`](super::http) for what is there instead. Who sets AWS_TIMEOUT gets it for all requests.
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

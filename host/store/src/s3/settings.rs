//! The settings of the S3 client: the user's, of variables and a profile, and how often it tries.

use std::collections::BTreeMap;
use std::time::Duration;

use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::{ClientOptions, RetryConfig};

use super::credentials::{MachineCredentials, is_given};
use super::http::{Connector, READ_TIMEOUT};
use super::profile::{Profile, ProfileFiles};

/// How long a connection may take to come about.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// The settings of a client that is yet to be built.
pub(super) struct Settings {
    pub builder: AmazonS3Builder,
    pub options: ClientOptions,
    /// The region, which the built client does not tell. Empty before [`Settings::ready`].
    pub region: String,
    /// The files that a key was looked for in as well; none: in none.
    profile: Option<ProfileFiles>,
    /// Whether a key may come from the metadata service of a cloud machine.
    has_metadata: bool,
}

/// The variables that a key is looked for in first.
const KEY_VARIABLES: &str = "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY";

/// Those that say where else it is, on machines of clouds.
const CLOUD_VARIABLES: &str = "AWS_WEB_IDENTITY_TOKEN_FILE with AWS_ROLE_ARN, \
                               AWS_CONTAINER_CREDENTIALS_RELATIVE_URI";

impl Settings {
    /// Those of the environment: the `AWS_*` variables, and for what they do not say the profile in AWS's files.
    ///
    /// # Errors
    ///
    /// What is wrong with the profile, as a sentence.
    pub fn from_environment() -> Result<Self, String> {
        let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        let variables: Vec<_> = std::env::vars_os().filter_map(text).collect();
        let mut settings =
            Self::new(variables.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        let files = profile_files();
        // Those who give a key have said what counts, and need no files.
        match (settings.has_key(), files.load()) {
            (true, profile) => settings.fill(&profile.unwrap_or_default()),
            (false, profile) => {
                let profile = profile?;
                settings.fill(&profile);
                settings.fill_credentials(&profile);
                if let Some(way) = profile.unsupported_credentials().filter(|_| !settings.has_key())
                {
                    let name = &files.name;
                    return Err(format!(
                        "the profile {files} gets its access key {way}, which is not supported here: run \
                         `aws configure export-credentials --profile {name} --format env`, and set what it prints"
                    ));
                }
            }
        }
        settings.profile = Some(files);
        Ok(settings)
    }

    fn has(&self, key: AmazonS3ConfigKey) -> bool {
        self.builder.get_config_value(&key).is_some()
    }

    /// Whether they hold a key, or a token to get one by.
    fn has_key(&self) -> bool {
        self.has(AmazonS3ConfigKey::AccessKeyId)
            || self.has(AmazonS3ConfigKey::SecretAccessKey)
            || self.has(AmazonS3ConfigKey::WebIdentityTokenFile)
    }

    fn set(&mut self, key: AmazonS3ConfigKey, value: Option<&str>) {
        if let Some(value) = value {
            let builder = std::mem::take(&mut self.builder);
            self.builder = builder.with_config(key, value);
        }
    }

    /// Takes region and server from a profile, where they are not known.
    fn fill(&mut self, profile: &Profile) {
        if !self.has(AmazonS3ConfigKey::Region) {
            self.set(AmazonS3ConfigKey::Region, profile.get("region"));
        }
        if !self.has(AmazonS3ConfigKey::Endpoint) && !self.has(AmazonS3ConfigKey::S3Endpoint) {
            self.set(AmazonS3ConfigKey::Endpoint, profile.get("endpoint_url"));
        }
    }

    fn fill_credentials(&mut self, profile: &Profile) {
        use AmazonS3ConfigKey as Key;
        if profile.get("aws_access_key_id").is_some() {
            self.set(Key::AccessKeyId, profile.get("aws_access_key_id"));
            self.set(Key::SecretAccessKey, profile.get("aws_secret_access_key"));
            self.set(Key::Token, profile.get("aws_session_token"));
        } else if profile.get("web_identity_token_file").is_some() {
            self.set(Key::WebIdentityTokenFile, profile.get("web_identity_token_file"));
            self.set(Key::RoleArn, profile.get("role_arn"));
            self.set(Key::RoleSessionName, profile.get("role_session_name"));
        }
    }

    /// Where a key was looked for.
    fn looked_for(&self) -> String {
        match &self.profile {
            Some(files) => format!("{KEY_VARIABLES}, the profile {files}"),
            None => format!("{KEY_VARIABLES} among the given settings"),
        }
    }

    /// Only an access key itself will do, of the variables or the profile.
    ///
    /// # Errors
    ///
    /// Where it was looked for, as a sentence.
    pub fn require_access_key(&self) -> Result<(), String> {
        if self.has(AmazonS3ConfigKey::AccessKeyId) {
            return Ok(());
        }
        Err(format!("no access key was found. Looked for {}", self.looked_for()))
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
        let is_setting =
            |(name, value): &(&str, &str)| name.starts_with("AWS_") && !value.is_empty();
        let values: BTreeMap<&str, &str> = variables.into_iter().filter(is_setting).collect();
        for (name, value) in &values {
            match name.to_ascii_lowercase().parse() {
                Ok(AmazonS3ConfigKey::Client(key)) => options = options.with_config(key, *value),
                Ok(key) => builder = builder.with_config(key, *value),
                // Another program's.
                Err(_) => {}
            }
        }
        let value = |wanted: &str| values.get(wanted).copied();
        if let (None, Some(address)) = (
            builder.get_config_value(&AmazonS3ConfigKey::MetadataEndpoint),
            value("AWS_EC2_METADATA_SERVICE_ENDPOINT"),
        ) {
            builder = builder.with_metadata_endpoint(address.trim_end_matches('/'));
        }
        let is_disabled = value("AWS_EC2_METADATA_DISABLED");
        let has_metadata = !is_disabled.is_some_and(|it| it.eq_ignore_ascii_case("true"));
        Self { builder, options, region: String::new(), profile: None, has_metadata }
    }

    /// Adds what the user can't set.
    ///
    /// # Errors
    ///
    /// That there is no key, and those of the client.
    pub fn ready(mut self) -> Result<Self, String> {
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
        if !is_given(&self.builder) {
            let looked_for = format!("{}, {CLOUD_VARIABLES}", self.looked_for());
            if !self.has_metadata {
                return Err(format!("no access key was found. Looked for {looked_for}"));
            }
            let credentials = MachineCredentials::provider(&self.builder, looked_for);
            let credentials = credentials.map_err(|error| error.to_string())?;
            self.builder = self.builder.with_credentials(credentials);
        }
        Ok(self)
    }
}

/// The files that the environment's profile is in.
fn profile_files() -> ProfileFiles {
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    ProfileFiles::new(variable, std::env::home_dir().as_deref())
}

/// The server that the environment's profile names, if it names one.
pub(crate) fn profile_endpoint() -> Option<String> {
    profile_files().load().ok()?.get("endpoint_url").map(str::to_owned)
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
        assert_eq!(none.ready().unwrap().region, "here");
        let some =
            Settings::new([("AWS_TIMEOUT", "9s"), ("AWS_READ_TIMEOUT", "8s")]).ready().unwrap();
        assert_eq!(value(&some, ClientConfigKey::Timeout).as_deref(), Some("9s"));
        assert_eq!(value(&some, ClientConfigKey::ReadTimeout).as_deref(), Some("8s"));
        let plain = Settings::new([("AWS_ENDPOINT_URL", "http://127.0.0.1:1")]).ready().unwrap();
        assert_eq!(value(&plain, ClientConfigKey::AllowHttp).as_deref(), Some("true"));
    }

    #[test]
    fn without_a_key_it_is_said_where_one_was_looked_for() {
        let disabled = Settings::new([("AWS_EC2_METADATA_DISABLED", "true")]);
        assert!(disabled.require_access_key().unwrap_err().contains("AWS_ACCESS_KEY_ID"));
        let error = disabled.ready().err().unwrap();
        assert!(error.contains("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"), "{error}");
    }
}

//! Where the access key comes from, and what is said if there is none.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey, AwsCredential, AwsCredentialProvider};
use object_store::{ClientOptions, CredentialProvider, RetryConfig};

use super::http::Connector;

/// How long the metadata service of a cloud machine may take to give its first key. It is a step away.
const METADATA_TIMEOUT: Duration = Duration::from_secs(2);

/// The same once it has given one: that it is there is known then.
const RENEWAL_TIMEOUT: Duration = Duration::from_secs(30);

/// The address of that service.
const METADATA_ADDRESS: &str = "http://169.254.169.254";

/// Whether the settings say where keys come from: then the client asks there.
pub(super) fn is_given(builder: &AmazonS3Builder) -> bool {
    use AmazonS3ConfigKey as Key;
    let has = |key| builder.get_config_value(&key).is_some();
    let is_unsigned = builder.get_config_value(&Key::SkipSignature).as_deref() == Some("true");
    has(Key::AccessKeyId)
        || has(Key::SecretAccessKey)
        || (has(Key::WebIdentityTokenFile) && has(Key::RoleArn))
        || has(Key::ContainerCredentialsRelativeUri)
        || (has(Key::ContainerCredentialsFullUri) && has(Key::ContainerAuthorizationTokenFile))
        || is_unsigned
}

/// The keys of the cloud machine that this runs on, if it is one.
///
/// The client's own way to them tries for minutes, while most machines without keys are no cloud machines: here the
/// first answer has to come at once.
#[derive(Debug)]
pub(super) struct MachineCredentials {
    inner: AwsCredentialProvider,
    address: String,
    looked_for: String,
    has_answered: AtomicBool,
}

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
#[error("no access key was found. Looked for {looked_for}, and {metadata}")]
struct NoCredentials {
    looked_for: String,
    metadata: String,
}

impl MachineCredentials {
    /// Those that settings like these lead to. `looked_for`: where else keys were looked for, in vain.
    ///
    /// # Errors
    ///
    /// Those of the client.
    pub(super) fn provider(
        settings: &AmazonS3Builder,
        looked_for: String,
    ) -> object_store::Result<AwsCredentialProvider> {
        let address = settings.get_config_value(&AmazonS3ConfigKey::MetadataEndpoint);
        let retry = RetryConfig { max_retries: 0, ..RetryConfig::default() };
        let mut builder = AmazonS3Builder::new()
            .with_bucket_name("none")
            .with_retry(retry)
            .with_client_options(ClientOptions::new().with_allow_http(true))
            .with_http_connector(Connector);
        if let Some(address) = &address {
            builder = builder.with_metadata_endpoint(address);
        }
        if let Some(fallback) = settings.get_config_value(&AmazonS3ConfigKey::ImdsV1Fallback) {
            builder = builder.with_config(AmazonS3ConfigKey::ImdsV1Fallback, fallback);
        }
        Ok(Arc::new(Self {
            inner: builder.build()?.credentials().clone(),
            address: address.unwrap_or_else(|| METADATA_ADDRESS.to_owned()),
            looked_for,
            has_answered: AtomicBool::default(),
        }))
    }

    fn error(&self, reason: &str) -> object_store::Error {
        object_store::Error::Unauthenticated {
            path: String::new(),
            source: Box::new(NoCredentials {
                looked_for: self.looked_for.clone(),
                metadata: format!("the metadata service of a cloud machine ({reason})"),
            }),
        }
    }
}

/// That there is no key, in its own words, where an error comes from that.
pub(super) fn no_credentials(error: &object_store::Error) -> Option<String> {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if let Some(missing) = error.downcast_ref::<NoCredentials>() {
            return Some(missing.to_string());
        }
        cause = error.source();
    }
    None
}

#[async_trait]
impl CredentialProvider for MachineCredentials {
    type Credential = AwsCredential;

    async fn get_credential(&self) -> object_store::Result<Arc<AwsCredential>> {
        let has_answered = self.has_answered.load(Ordering::Relaxed);
        let limit = if has_answered { RENEWAL_TIMEOUT } else { METADATA_TIMEOUT };
        match tokio::time::timeout(limit, self.inner.get_credential()).await {
            Ok(Ok(credential)) => {
                self.has_answered.store(true, Ordering::Relaxed);
                Ok(credential)
            }
            // A machine that had a key will have one again.
            Ok(Err(error)) if has_answered => Err(error),
            Ok(Err(_)) => Err(self.error(&format!("{} gives none", self.address))),
            Err(_) => {
                let seconds = limit.as_secs();
                Err(self.error(&format!("no answer from {} within {seconds} s", self.address)))
            }
        }
    }
}

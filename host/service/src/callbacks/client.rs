//! The clients that send callbacks: how, signed with what, and to which URLs.

use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use reqwest::header::CONTENT_TYPE;
use reqwest::{Client, StatusCode, redirect};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use url::Url;

use super::address::{AddressError, AllowedResolver, ReachableNetworks};
use super::signature::{Secret, SignatureError};
use crate::config::CallbackConfig;
use crate::error::ConfigError;

/// How long sending a callback may take, from the DNS lookup to the head of the receiver's response.
pub const SEND_TIMEOUT: Duration = Duration::from_secs(15);

/// How long the DNS lookup of a callback's host may take when an export is requested.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(5);

/// How many such lookups run at a time.
const CONCURRENT_LOOKUPS: usize = 8;

/// The longest URL, in bytes.
const MAX_URL_LENGTH: usize = 2048;

/// Sends callbacks, and knows where they may go.
#[derive(Debug)]
pub struct CallbackClient {
    reachable: ReachableNetworks,
    secret: RwLock<Secret>,
    /// The file of the secret, if it was configured.
    secret_file: Option<PathBuf>,
    /// One permit for each DNS lookup: the system may take its time.
    lookups: Semaphore,
    https: Client,
    /// For allowed networks alone.
    http: Client,
}

/// Why a callback can't go to a URL.
#[derive(Debug, thiserror::Error)]
pub enum UrlError {
    #[error("it is longer than {MAX_URL_LENGTH} bytes")]
    TooLong,
    #[error("it is not a URL ({0})")]
    NotAUrl(url::ParseError),
    #[error(transparent)]
    Address(AddressError),
    #[error("its host can't be looked up right now: try again")]
    LookupTimeout,
}

/// Why a callback was not delivered.
#[derive(Debug, thiserror::Error)]
pub enum DeliveryError {
    #[error(transparent)]
    Url(#[from] url::ParseError),
    #[error(transparent)]
    Address(#[from] AddressError),
    #[error(transparent)]
    Message(#[from] serde_json::Error),
    #[error(transparent)]
    Signature(#[from] SignatureError),
    #[error(transparent)]
    Http(reqwest::Error),
    #[error("the receiver responded with 410 Gone")]
    Gone,
    #[error("the receiver responded with {0}: callbacks follow no redirects")]
    Redirect(StatusCode),
    #[error("the receiver responded with {0}")]
    Status(StatusCode),
    #[error("the receiver has not responded within {} s", SEND_TIMEOUT.as_secs())]
    Timeout,
}

impl CallbackClient {
    /// Sets up the clients. The secret is that of the configured file; without one it is in the state folder, and is made
    /// when it is first needed.
    ///
    /// # Errors
    ///
    /// If the secret can't be read, saved or used, or the clients can't be set up.
    pub fn new(config: &CallbackConfig, state: &Path) -> Result<Self, ConfigError> {
        let secret = match &config.secret_file {
            Some(file) => Secret::from_file(file),
            None => Secret::in_folder(state),
        }?;
        let reachable = ReachableNetworks::new(&config.allowed_networks);
        let client = |is_https| {
            Client::builder()
                .user_agent(concat!("partway/", env!("CARGO_PKG_VERSION")))
                .timeout(SEND_TIMEOUT)
                .redirect(redirect::Policy::none())
                // A proxy would look names up itself, and could reach what this machine may not.
                .no_proxy()
                .https_only(is_https)
                .http1_only()
                .pool_max_idle_per_host(0)
                // The addresses that are checked are those that are connected to: DNS can't change them in between.
                .dns_resolver(AllowedResolver { reachable: reachable.clone(), is_https })
                .build()
                .map_err(|error| ConfigError::CallbackClient(error.into()))
        };
        let lookups = Semaphore::new(CONCURRENT_LOOKUPS);
        let (secret, secret_file) = (RwLock::new(secret), config.secret_file.clone());
        Ok(Self {
            https: client(true)?,
            http: client(false)?,
            lookups,
            reachable,
            secret,
            secret_file,
        })
    }

    /// Reads the configured file of the secret again; on an error, the secret stays as it was. Returns false where no file
    /// is configured.
    ///
    /// # Errors
    ///
    /// If the secret can't be read or used.
    pub fn reload_secret(&self) -> Result<bool, ConfigError> {
        let Some(file) = &self.secret_file else { return Ok(false) };
        let secret = Secret::from_file(file)?;
        *self.secret.write().unwrap_or_else(PoisonError::into_inner) = secret;
        Ok(true)
    }

    /// Whether callbacks may go to this URL, as far as that can be told in advance.
    ///
    /// # Errors
    ///
    /// Why they may not.
    pub async fn check(&self, url: &str) -> Result<(), UrlError> {
        if url.len() > MAX_URL_LENGTH {
            return Err(UrlError::TooLong);
        }
        let url = Url::parse(url).map_err(UrlError::NotAUrl)?;
        let check = async {
            let _permit = self.lookups.acquire().await;
            self.reachable.check(&url).await
        };
        match timeout(LOOKUP_TIMEOUT, check).await {
            Ok(checked) => checked.map_err(UrlError::Address),
            Err(_) => Err(UrlError::LookupTimeout),
        }
    }

    /// Sends a callback with this id and body, at this time (in seconds since 1970).
    ///
    /// # Errors
    ///
    /// If it does not get there, or the receiver does not accept it.
    pub async fn send(
        &self,
        url: &str,
        id: &str,
        timestamp: i64,
        body: String,
    ) -> Result<(), DeliveryError> {
        timeout(SEND_TIMEOUT, self.post(url, id, timestamp, body))
            .await
            .unwrap_or(Err(DeliveryError::Timeout))
    }

    fn sign(&self, id: &str, timestamp: i64, body: &str) -> Result<String, SignatureError> {
        self.secret.read().unwrap_or_else(PoisonError::into_inner).sign(id, timestamp, body)
    }

    async fn post(
        &self,
        url: &str,
        id: &str,
        timestamp: i64,
        body: String,
    ) -> Result<(), DeliveryError> {
        let url = Url::parse(url)?;
        // The resolver does not see a host that is an IP address.
        self.reachable.check(&url).await?;
        let signature = self.sign(id, timestamp, &body)?;
        let client = if url.scheme() == "https" { &self.https } else { &self.http };
        let response = client
            .post(url)
            .header(CONTENT_TYPE, "application/json")
            .header("webhook-id", id)
            .header("webhook-timestamp", timestamp)
            .header("webhook-signature", signature)
            .body(body)
            .send()
            .await
            // A URL may be a secret.
            .map_err(|error| DeliveryError::Http(error.without_url()))?;
        // The rest of the response is of no interest.
        match response.status() {
            status if status.is_success() => Ok(()),
            StatusCode::GONE => Err(DeliveryError::Gone),
            status if status.is_redirection() => Err(DeliveryError::Redirect(status)),
            status => Err(DeliveryError::Status(status)),
        }
    }
}

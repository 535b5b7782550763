//! Callbacks: telling whoever asked how an export has ended.

mod address;
mod courier;
mod message;
mod signature;

use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use axum::http::StatusCode;
use ipnet::IpNet;
use reqwest::{Client, redirect};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use url::Url;

use self::address::{AllowedOnly, Reach};
pub use self::courier::Courier;
use self::signature::Secret;
use crate::answer::Refusal;

/// How long a receiver may take, from the look-up of its name to the head of its answer.
const PATIENCE: Duration = Duration::from_secs(15);

/// How long looking up a host's name may take before an export is refused for it, and how many are at a time.
const LOOK_UP: Duration = Duration::from_secs(5);
const LOOK_UPS: usize = 8;

/// The longest URL, in bytes.
const LONGEST: usize = 2048;

/// Where callbacks may go, and how they are sent.
#[derive(Debug)]
pub struct Callbacks {
    reach: Reach,
    secret: Secret,
    /// One for each name that is being looked up: the system may take its time.
    looking: Semaphore,
    encrypted: Client,
    /// For networks of one's own alone.
    plain: Client,
}

impl Callbacks {
    /// Sets up the clients. The secret is that of the file; without one it lies in the state folder, and is made when it
    /// is first needed.
    ///
    /// # Errors
    ///
    /// Where the secret can't be read, written or used.
    pub fn new(allowed: &[IpNet], secret: Option<&Path>, state: &Path) -> anyhow::Result<Self> {
        let secret = match secret {
            Some(file) => Secret::from_file(file),
            None => Secret::in_folder(state),
        }?;
        let reach = Reach::new(allowed);
        let client = |is_encrypted| {
            Client::builder()
                .user_agent(concat!("partway/", env!("CARGO_PKG_VERSION")))
                .timeout(PATIENCE)
                .redirect(redirect::Policy::none())
                // A proxy would look names up itself, and reach what this machine may not.
                .no_proxy()
                .https_only(is_encrypted)
                .http1_only()
                .pool_max_idle_per_host(0)
                // What is looked up is what is connected to: a name can't change its mind in between.
                .dns_resolver(AllowedOnly { reach: reach.clone(), is_encrypted })
                .build()
                .context("no client for callbacks can be set up")
        };
        let looking = Semaphore::new(LOOK_UPS);
        Ok(Self { encrypted: client(true)?, plain: client(false)?, looking, reach, secret })
    }

    /// Whether this may be called, as far as that can be told before it is.
    ///
    /// # Errors
    ///
    /// 400, with what is wrong with it.
    pub async fn check(&self, text: &str) -> Result<(), Refusal> {
        let refused =
            |reason: String| Refusal::bad(format!("the callbackUrl can't be used: {reason}"));
        if text.len() > LONGEST {
            return Err(refused(format!("it is longer than {LONGEST} bytes")));
        }
        let url = Url::parse(text).map_err(|error| refused(format!("it is no URL ({error})")))?;
        let check = async {
            let _turn = self.looking.acquire().await;
            self.reach.check(&url).await
        };
        match timeout(LOOK_UP, check).await {
            Ok(checked) => checked.map_err(|error| refused(error.to_string())),
            Err(_) => {
                let text = "the host of the callbackUrl can't be looked up just now: try again";
                Err(Refusal::new(StatusCode::SERVICE_UNAVAILABLE, text).again_in(10))
            }
        }
    }
}

//! Why a service can't be started, or ended.

use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use partway_jobs::StateError;
use partway_sqlite::OpenError;
use partway_store::{AddressError, PartSizeError, StoreError};
use partway_wasmtime::LoadError;

/// An error of any type.
pub(crate) type BoxError = Box<dyn Error + Send + Sync>;

/// Why a service can't be started, or ended.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServiceError {
    /// Its configuration can't be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The built-in export component can't be used on this machine.
    #[error("the built-in export component can't be used")]
    Component(#[source] LoadError),
    /// The client for the store can't be set up.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// The store can't be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The saved jobs can't be used: at the start, or later by the timer that runs exports.
    #[error(transparent)]
    Jobs(#[from] StateError),
    /// The address can't be listened on: it is in use, say, or reserved.
    #[error("the service can't listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The system's reason.
        source: io::Error,
    },
    /// The caller's `listening` callback failed.
    #[error(transparent)]
    Listening(BoxError),
    /// The system lacks something that the service needs: threads, say, or random bytes.
    #[error("{what} can't be set up")]
    Setup {
        /// What is missing.
        what: &'static str,
        /// The reason.
        source: BoxError,
    },
    /// The timer that runs exports panicked.
    #[error("the timer that runs exports ended unexpectedly")]
    Timer(#[source] tokio::task::JoinError),
}

impl ServiceError {
    /// The system lacks something.
    pub(crate) fn setup(what: &'static str, source: impl Into<BoxError>) -> Self {
        Self::Setup { what, source: source.into() }
    }
}

/// What is wrong with a [`Config`](crate::Config).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// It names no database.
    #[error("there is no database to serve")]
    NoDatabase,
    /// Two databases have the same name.
    #[error("{} and {} are both called {name}", first.display(), second.display())]
    SameName {
        /// The name.
        name: String,
        /// The path of one.
        first: PathBuf,
        /// The path of the other.
        second: PathBuf,
    },
    /// A database has two names.
    #[error("{} is served under two names, {first} and {second}: give it one", path.display())]
    TwoNames {
        /// The database.
        path: PathBuf,
        /// One of its names.
        first: String,
        /// The other.
        second: String,
    },
    /// A database can't be opened.
    #[error(transparent)]
    Database(#[from] OpenError),
    /// A schedule names a database that is not served.
    #[error(
        "a schedule names the database {name:?}, which is not served; available: {}",
        served.join(", ")
    )]
    ScheduledDatabase {
        /// The name in the schedule.
        name: String,
        /// The names of the databases that are served.
        served: Vec<String>,
    },
    /// Two schedules export the same of a database.
    #[error(
        "there are two schedules for {} that export the same ({}): give only one",
        database.as_deref().unwrap_or("all databases"),
        if options.is_empty() { "the whole database" } else { options }
    )]
    TwoSchedules {
        /// The database's name; none: all databases without a schedule of their own.
        database: Option<String>,
        /// The options of both; empty: none.
        options: String,
    },
    /// What a schedule is to export can't be exported.
    #[error("the schedule of {database} with {options:?} can't be kept")]
    ScheduledExport {
        /// The database's name.
        database: String,
        /// The schedule's options.
        options: String,
        /// The reason.
        source: BoxError,
    },
    /// Other machines can reach the address, and there are no tokens.
    #[error("{address} can be reached from other machines, and the service has no tokens")]
    NoTokens {
        /// The address.
        address: SocketAddr,
    },
    /// The file of tokens can't be used.
    #[error("the tokens in {} can't be used", path.display())]
    Tokens {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: TokenFileError,
    },
    /// The file of the callbacks' secret can't be used.
    #[error("the secret in {} can't be used", path.display())]
    Secret {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: SecretError,
    },
    /// No secret for callbacks can be saved in the state folder.
    #[error("the callback secret can't be saved in {}", path.display())]
    SaveSecret {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The HTTP client for callbacks can't be set up.
    #[error("the callback client can't be set up")]
    CallbackClient(#[source] BoxError),
    /// The store can't take parts of this size.
    #[error(transparent)]
    PartSize(#[from] PartSizeError),
}

/// What is wrong with a file of tokens. The file's text is secret, and never in these errors.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TokenFileError {
    /// It can't be read.
    #[error("the file can't be read")]
    Read(#[source] io::Error),
    /// A line is not a token.
    #[error("line {line} is neither `read TOKEN` nor `admin TOKEN`")]
    Line {
        /// The line's number, from 1.
        line: usize,
    },
    /// A token is too short to be a secret.
    #[error("the token on line {line} has fewer than {minimum} characters")]
    Short {
        /// The line's number, from 1.
        line: usize,
        /// The shortest length that is accepted.
        minimum: usize,
    },
    /// It has no tokens.
    #[error("the file has no tokens")]
    Empty,
}

/// What is wrong with the secret that callbacks are signed with.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SecretError {
    /// The file can't be read.
    #[error("the file can't be read")]
    Read(#[source] io::Error),
    /// It begins with `whsec_`, and the rest is not Base64.
    #[error("what follows whsec_ is not Base64")]
    NotBase64(#[source] BoxError),
    /// It is too short to be a secret.
    #[error("it has fewer than {minimum} bytes")]
    Short {
        /// The shortest length that is accepted, in bytes.
        minimum: usize,
    },
}

/// An error and all of its causes, as one line: the outermost alone says little.
pub(crate) fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

//! What a service is started with.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use axum::http::HeaderValue;
use ipnet::IpNet;
use partway_jobs::{Pace, SnapshotMode};
use partway_store::StoreAddress;

use crate::schedules::rule::DatabaseSchedule;

/// What a service is started with: [`Config::default`] with at least one database.
#[derive(Debug, Clone)]
pub struct Config {
    /// The databases to serve. The first is the default of requests that name none. Each name and each file may be
    /// there once.
    pub databases: Vec<NamedDatabase>,
    /// Where exports go. None: the service keeps no exports, and streams each dump in its response.
    pub store: Option<StoreConfig>,
    /// The address to listen on; port 0 takes a free one. Without tokens it has to be this machine's own (loopback).
    /// Default: 127.0.0.1:8787.
    pub listen: SocketAddr,
    /// A file of the tokens that clients need, one on each line: `read TOKEN` for GET and HEAD, `admin TOKEN` for
    /// everything; at least 16 characters each. None: requests need no token, and have to address this machine as
    /// `localhost` or by an IP address.
    pub token_file: Option<PathBuf>,
    /// Origins (`https://host`, with a port where it is not the default) whose pages may use the service from a
    /// browser, besides the service's own page.
    pub allowed_origins: Vec<HeaderValue>,
    /// How the state of a database is kept for the length of an export. Default: [`SnapshotMode::Auto`].
    pub snapshot: SnapshotMode,
    /// How many exports run at a time, and without a store, how many dumps are streamed at a time. At least 1;
    /// default: 2.
    pub concurrent_exports: u32,
    /// How long open responses and running slices may take after the stop. What takes longer is cut off; an export
    /// to a store resumes at the next start. Default: 30 s.
    pub drain: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            databases: Vec::new(),
            store: None,
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8787)),
            token_file: None,
            allowed_origins: Vec::new(),
            snapshot: SnapshotMode::Auto,
            concurrent_exports: 2,
            drain: Duration::from_secs(30),
        }
    }
}

/// A database and the name that clients know it by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedDatabase {
    /// The name.
    pub name: String,
    /// The database file.
    pub path: PathBuf,
}

impl NamedDatabase {
    /// A database that is called like its file, without the extension.
    pub fn from_path(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        Self { name, path }
    }
}

/// Exports to a store: [`StoreConfig::new`], changed where its defaults don't fit.
#[derive(Debug, Clone)]
pub struct StoreConfig {
    /// The store. Access to it comes from the environment.
    pub address: StoreAddress,
    /// The folder that jobs are saved in. Unfinished jobs in it resume, whoever started them.
    pub state: PathBuf,
    /// The size of every part but the last, in bytes, within the store's limits. None: 5 MiB, more for databases
    /// beyond 9 GiB.
    pub part_size: Option<u64>,
    /// How the work of an export is divided into slices, and how often a failed one is tried again.
    pub pace: Pace,
    /// How many unfinished exports there may be, with those that wait; further ones are refused with status 429.
    /// Default: 100.
    pub max_unfinished: u64,
    /// How many objects are downloaded at a time; further downloads are refused with status 429. Default: 16.
    pub concurrent_downloads: u32,
    /// When `GET /export/dump` responds with the dump itself.
    pub inline: InlineConfig,
    /// Where callbacks may go, and what they are signed with.
    pub callbacks: CallbackConfig,
    /// Exports at set times.
    pub schedules: ScheduleConfig,
}

impl StoreConfig {
    /// Exports to this store, with jobs saved in the folder `state`, and defaults for the rest.
    pub fn new(address: StoreAddress, state: impl Into<PathBuf>) -> Self {
        Self {
            address,
            state: state.into(),
            part_size: None,
            pace: Pace::default(),
            max_unfinished: 100,
            concurrent_downloads: 16,
            inline: InlineConfig::default(),
            callbacks: CallbackConfig::default(),
            schedules: ScheduleConfig::default(),
        }
    }
}

/// When `GET /export/dump` responds with the dump itself, and not with where it will be (status 202).
#[derive(Debug, Clone, Copy)]
pub struct InlineConfig {
    /// How long the response waits for the export to finish. Default: 25 s.
    pub wait: Duration,
    /// The largest dump, in bytes. Default: 32 MiB.
    pub max_bytes: u64,
}

impl Default for InlineConfig {
    fn default() -> Self {
        Self { wait: Duration::from_secs(25), max_bytes: 32 * 1024 * 1024 }
    }
}

/// Where callbacks may go, and what they are signed with.
#[derive(Debug, Clone, Default)]
pub struct CallbackConfig {
    /// Networks that callbacks may go to, also by http. Others than these get them on the public internet alone, by
    /// https.
    pub allowed_networks: Vec<IpNet>,
    /// A file with the secret that callbacks are signed with: `whsec_` and Base64, or any text of at least 16 bytes.
    /// None: the file `callback-secret` in the state folder, which is created where it is missing.
    pub secret_file: Option<PathBuf>,
}

/// Exports at set times. Nothing is exported while nothing has changed.
#[derive(Debug, Clone, Default)]
pub struct ScheduleConfig {
    /// The schedules, at most one for each database, and one for all that have none of their own.
    pub schedules: Vec<DatabaseSchedule>,
    /// Exports begin up to so much later, at random. None: a tenth of the time between two, at most 5 minutes.
    pub jitter: Option<Duration>,
    /// Which objects of scheduled exports are kept. Default: all.
    pub retention: Retention,
}

/// Which objects of scheduled exports are kept: those that either limit keeps, and the last one in any case. Without
/// limits, all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Retention {
    /// So many of each database, at least 1.
    pub last: Option<u32>,
    /// Those of so many days.
    pub days: Option<u32>,
}

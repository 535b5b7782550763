//! The configuration of a service.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use axum::http::HeaderValue;
use ipnet::IpNet;
use partway_codec::Encoding;
use partway_jobs::{Pace, SnapshotMode};
use partway_store::StoreAddress;

use crate::schedules::rule::DatabaseSchedule;

/// The configuration of a service: [`Config::default`] with at least one database.
#[derive(Debug, Clone)]
pub struct Config {
    /// The databases to serve. The first is the default for requests that name none. Each name and
    /// each file may occur once.
    pub databases: Vec<NamedDatabase>,
    /// Where exports go. None: the service keeps no exports, and streams each dump in its response.
    pub store: Option<StoreConfig>,
    /// The address to listen on; port 0 takes a free port. Without tokens, it must be a loopback
    /// address. Default: 127.0.0.1:8787.
    pub listen: SocketAddr,
    /// A file of the tokens that clients need, one on each line: `read TOKEN` for GET and HEAD,
    /// `admin TOKEN` for everything; at least 16 characters each. None: requests need no token, and
    /// must address this machine as `localhost` or by an IP address. [`Reloader::reload`](crate::Reloader::reload)
    /// reads it again.
    pub token_file: Option<PathBuf>,
    /// Origins (`https://host`, with a port if it is not the default) whose pages may use the
    /// service from a browser, besides the service's own page.
    pub allowed_origins: Vec<HeaderValue>,
    /// How the state of a database is kept during an export. Default: [`SnapshotMode::Auto`].
    pub snapshot: SnapshotMode,
    /// The most bytes of a row of a WITHOUT ROWID table, which is loaded into memory whole: an export with a larger one
    /// fails. Default: none, which means 64 MiB.
    pub max_loaded_row: Option<u64>,
    /// How dumps are compressed, unless a request says otherwise, and to whom they are encrypted. Default: neither.
    pub encoding: Encoding,
    /// How many exports run at a time, and without a store, how many dumps are streamed at a time. At least 1;
    /// default: 2.
    pub concurrent_exports: u32,
    /// How long open responses and running slices may take after the service is stopped. What takes
    /// longer is cut off; an export to a store resumes at the next start. Default: 30 s.
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
            max_loaded_row: None,
            encoding: Encoding::default(),
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
    /// A database named after its file, without the extension.
    pub fn from_path(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        Self { name, path }
    }
}

/// Exports to a store: [`StoreConfig::new`], with changes if its defaults don't fit.
#[derive(Debug, Clone)]
pub struct StoreConfig {
    /// The store. Access to it comes from the environment.
    pub address: StoreAddress,
    /// The folder where jobs are saved. Unfinished jobs in it are resumed, whoever started them.
    pub state: PathBuf,
    /// The size of every part except the last, in bytes, within the store's limits. None: 5 MiB,
    /// more for databases over 9 GiB.
    pub part_size: Option<u64>,
    /// Whether a manifest is written beside each object, as `NAME.manifest.json`. Default: true.
    pub manifests: bool,
    /// How the work of an export is divided into slices, and how often a failed one is retried.
    pub pace: Pace,
    /// How many unfinished exports there may be, including waiting ones; further ones are refused
    /// with status 429. Default: 100.
    pub max_unfinished: u64,
    /// How many objects are downloaded at a time; further downloads are refused with status 429. Default: 16.
    pub concurrent_downloads: u32,
    /// When `GET /export/dump` responds with the dump itself.
    pub inline: InlineConfig,
    /// Where callbacks may go, and what they are signed with.
    pub callbacks: CallbackConfig,
    /// Scheduled exports.
    pub schedules: ScheduleConfig,
    /// How long finished exports are known: then they are forgotten, and their objects stay. Exports whose callback is
    /// still to be sent, and scheduled ones that retention needs, are known for longer. None: for ever. Default: 30 days.
    pub forget_after: Option<Duration>,
}

impl StoreConfig {
    /// Exports to this store, with jobs saved in the folder `state`, and defaults for the rest.
    pub fn new(address: StoreAddress, state: impl Into<PathBuf>) -> Self {
        Self {
            address,
            state: state.into(),
            part_size: None,
            manifests: true,
            pace: Pace::default(),
            max_unfinished: 100,
            concurrent_downloads: 16,
            inline: InlineConfig::default(),
            callbacks: CallbackConfig::default(),
            schedules: ScheduleConfig::default(),
            forget_after: Some(Duration::from_secs(30 * 24 * 60 * 60)),
        }
    }
}

/// When `GET /export/dump` responds with the dump itself, instead of with where it will be (status
/// 202).
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
    /// Networks that callbacks may be sent to, also over http. Other callbacks are sent only to the
    /// public internet, over https.
    pub allowed_networks: Vec<IpNet>,
    /// A file with the secret that callbacks are signed with: `whsec_` and Base64, or any text of at least 16 bytes.
    /// None: the file `callback-secret` in the state folder, which is created if it is missing.
    pub secret_file: Option<PathBuf>,
}

/// Scheduled exports. A database that has not changed is not exported.
#[derive(Debug, Clone, Default)]
pub struct ScheduleConfig {
    /// The schedules: for a database any number, each of which exports something else, and others for those without.
    pub schedules: Vec<DatabaseSchedule>,
    /// Exports are delayed by a random time up to this. None: a tenth of the time between two
    /// exports, at most 5 minutes.
    pub jitter: Option<Duration>,
    /// Which objects of each schedule are kept, where it does not say so itself. Default: all.
    pub retention: Retention,
}

/// Which objects of scheduled exports are kept: those that either limit keeps, and the last one in any case. Without
/// limits, all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Retention {
    /// The last so many of each schedule, at least 1.
    pub last: Option<u32>,
    /// Those of the last so many days.
    pub days: Option<u32>,
}

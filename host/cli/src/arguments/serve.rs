//! The command line of `partway serve`.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use http::HeaderValue;
use ipnet::IpNet;
use partway_jobs::Pace;
use partway_service::{
    CallbackConfig, Config, DatabaseSchedule, InlineConfig, NamedDatabase, Retention,
    ScheduleConfig, StoreConfig,
};
use partway_store::StoreAddress;
use url::Url;

use super::encoding::EncodingArguments;
use super::values::{SnapshotMode, duration, size};
use crate::failure::Failure;

#[derive(Debug, Args)]
pub struct ServeArguments {
    /// The databases to serve; each is named after its file, without the extension, and the first is the
    /// default
    #[arg(value_name = "DATABASE", required_unless_present = "named")]
    pub databases: Vec<PathBuf>,

    /// A database and the name to serve it under; may be repeated
    #[arg(long = "database", value_name = "NAME=PATH", value_parser = named_database)]
    pub named: Vec<NamedDatabase>,

    /// Where objects go: a folder, file:///folder, s3://bucket/prefix (with the AWS_* variables;
    /// AWS_ENDPOINT_URL for other servers) or r2://account/bucket/prefix [default: nowhere; each dump is
    /// streamed in its response]
    #[arg(long, value_name = "STORE")]
    pub store: Option<StoreAddress>,

    /// The folder where jobs are kept; the service also resumes jobs that other commands left there
    /// [default: the platform's folder for application state]
    #[arg(long, value_name = "DIR", requires = "store")]
    pub state: Option<PathBuf>,

    /// The address to listen on; port 0 takes any free port
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8787")]
    pub listen: SocketAddr,

    /// A file of the tokens that clients need, one on each line: `read TOKEN` allows reading only, `admin
    /// TOKEN` allows everything. SIGHUP makes the service read it again
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,

    /// An origin whose pages may use the service from a browser, such as https://admin.example.com; may be
    /// repeated
    #[arg(long, value_name = "ORIGIN", value_parser = origin)]
    pub cors: Vec<HeaderValue>,

    /// How long GET /export/dump waits for the dump to be done, to respond with the dump itself
    #[arg(long, value_name = "DURATION", requires = "store", default_value = "25s", value_parser = duration)]
    pub inline_within: Duration,

    #[command(flatten)]
    pub encoding: EncodingArguments,

    /// Write no manifest beside each object, which lists its tables and parts with their hashes, as NAME.manifest.json
    #[arg(long, requires = "store")]
    pub no_manifest: bool,

    /// The largest dump that GET /export/dump responds with
    #[arg(long, value_name = "SIZE", requires = "store", default_value = "32MiB", value_parser = size)]
    pub inline_size: u64,

    /// A network that callbacks may be sent to, also over http, such as 10.1.0.0/16 or 127.0.0.1;
    /// may be repeated. Other callbacks are sent only to the public internet, over https
    #[arg(long, value_name = "NETWORK", requires = "store", value_parser = network)]
    pub callback_allow: Vec<IpNet>,

    /// A file with the secret that signs callbacks: whsec_ and Base64, or any text [default: callback-secret
    /// in the state folder, which is created]. SIGHUP makes the service read the given file again
    #[arg(long, value_name = "FILE", requires = "store")]
    pub callback_secret_file: Option<PathBuf>,

    /// Export by schedule: at this interval, such as 24h, or by a cron expression in UTC, such as "30 3 * * *". NAME=
    /// limits it to one database. Options of partway export follow behind semicolons, without their dashes, and keep=N,
    /// keep-days=D and name=WORD, which names begin with: "shop=24h; format=parquet; table=orders; name=orders; keep=7". May be
    /// repeated. A database that has not changed is
    /// not exported
    #[arg(long, value_name = "[NAME=]WHEN[; OPTION=VALUE]…", requires = "store")]
    pub every: Vec<DatabaseSchedule>,

    /// Delay each scheduled export by a random time, up to this long [default: a tenth of its interval, at
    /// most 5m]
    #[arg(long, value_name = "DURATION", requires = "every", value_parser = duration)]
    pub jitter: Option<Duration>,

    /// Keep the objects of the last N exports of each schedule, and delete older ones; with --keep-days, an object is kept
    /// if either option keeps it
    #[arg(long, value_name = "N", requires = "every", value_parser = clap::value_parser!(u32).range(1..))]
    pub keep: Option<u32>,

    /// Keep the objects of scheduled exports of the last D days, and the last one of each schedule in any case; delete
    /// older ones
    #[arg(long, value_name = "D", requires = "every", value_parser = clap::value_parser!(u32).range(1..))]
    pub keep_days: Option<u32>,

    /// How many exports run at the same time
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=32))]
    pub exports: u32,

    /// How many unfinished exports there may be, waiting ones included; more are refused
    #[arg(long, value_name = "N", requires = "store", default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..))]
    pub unfinished: u64,

    /// How many objects may be downloaded at the same time; further clients are told to try again
    /// later
    #[arg(long, value_name = "N", requires = "store", default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub downloads: u32,

    /// Forget finished exports after this time, such as 30d or 12h, or never; their objects stay
    #[arg(long, value_name = "AGE", requires = "store", default_value = "30d", value_parser = age)]
    pub forget_after: Age,

    /// How long open responses may take after SIGTERM
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = duration)]
    pub drain: Duration,

    /// The size of every part except the last, such as 8MiB: at least 4KiB for a folder, 5MiB for
    /// S3 and R2 [default: 5MiB, more for databases over 9 GiB]
    #[arg(long, value_name = "SIZE", requires = "store", value_parser = size)]
    pub part_size: Option<u64>,

    /// End a slice after this many parts [default: after --slice-time only]
    #[arg(long, value_name = "N", requires = "store", value_parser = clap::value_parser!(u32).range(1..))]
    pub slice_parts: Option<u32>,

    /// End a slice after this time, such as 500ms or 2m
    #[arg(long, value_name = "DURATION", requires = "store", default_value = "25s", value_parser = duration)]
    pub slice_time: Duration,

    /// Wait this long between slices
    #[arg(long, value_name = "DURATION", requires = "store", default_value = "0s", value_parser = duration)]
    pub pause: Duration,

    /// How many times in a row a failed slice is retried: after 2 s, 4 s and so on
    #[arg(long, value_name = "N", requires = "store", default_value_t = 6)]
    pub retries: u32,

    /// The format of the log on standard error; the variable PARTWAY_LOG sets its level, such as warn
    #[arg(long, value_enum, value_name = "FORMAT", default_value = "text")]
    pub log_format: LogFormat,

    /// How a database's state is kept during an export
    #[arg(long, value_enum, value_name = "MODE", default_value = "auto")]
    pub snapshot: SnapshotMode,

    /// The largest row of a WITHOUT ROWID table, which can't be read in pieces: it takes three times as much memory
    /// [default: 64MiB]
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub max_loaded_row: Option<u64>,
}

/// The format of the log.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// Lines of text
    #[default]
    Text,
    /// One JSON object per line
    Json,
}

/// An origin, as browsers write it.
fn origin(text: &str) -> Result<HeaderValue, String> {
    let is_origin = Url::parse(text).is_ok_and(|url| {
        matches!(url.scheme(), "http" | "https") && url.origin().ascii_serialization() == text
    });
    match HeaderValue::from_str(text) {
        Ok(origin) if is_origin => Ok(origin),
        _ => {
            Err("not an origin: write https://host or https://host:port, without a path".to_owned())
        }
    }
}

/// A network, or a single address.
fn network(text: &str) -> Result<IpNet, String> {
    text.parse::<IpNet>()
        .or_else(|_| text.parse::<IpAddr>().map(IpNet::from))
        .map_err(|_| "not a network: write an address, or a network like 10.1.0.0/16".to_owned())
}

/// Clients have to have the time to ask for what has become of their exports.
const MIN_AGE: Duration = Duration::from_secs(1);

/// How old exports may become; none: any age.
#[derive(Debug, Clone, Copy)]
pub struct Age(Option<Duration>);

/// An age in days, or of less; or `never`.
fn age(text: &str) -> Result<Age, String> {
    if text == "never" {
        return Ok(Age(None));
    }
    let days = text.strip_suffix('d').and_then(|days| days.trim().parse::<u32>().ok());
    let age = match days {
        Some(days) => Duration::from_secs(u64::from(days) * 24 * 60 * 60),
        None => duration(text)
            .map_err(|_| "not an age: write it like 30d or 12h, or never".to_owned())?,
    };
    if age < MIN_AGE {
        return Err(format!("too short: the shortest age is {} s", MIN_AGE.as_secs()));
    }
    Ok(Age(Some(age)))
}

fn named_database(text: &str) -> Result<NamedDatabase, String> {
    match text.split_once('=') {
        Some((name, path)) if !name.is_empty() && !path.is_empty() => {
            Ok(NamedDatabase { name: name.to_owned(), path: path.into() })
        }
        _ => Err("not a name and a path: write NAME=PATH".to_owned()),
    }
}

impl ServeArguments {
    /// The service's configuration.
    pub fn config(self, state: PathBuf) -> Result<Config, Failure> {
        let unnamed = self.databases.iter().map(NamedDatabase::from_path);
        let store = self.store.as_ref().map(|store| self.store_config(store, state));
        Ok(Config {
            databases: unnamed.chain(self.named.iter().cloned()).collect(),
            store,
            listen: self.listen,
            token_file: self.token_file,
            allowed_origins: self.cors,
            snapshot: self.snapshot.into(),
            max_loaded_row: self.max_loaded_row,
            encoding: self.encoding.encoding()?,
            concurrent_exports: self.exports,
            drain: self.drain,
        })
    }

    fn store_config(&self, store: &StoreAddress, state: PathBuf) -> StoreConfig {
        StoreConfig {
            part_size: self.part_size,
            manifests: !self.no_manifest,
            pace: Pace {
                slice_parts: self.slice_parts,
                slice_time: self.slice_time,
                pause: self.pause,
                retries: self.retries,
            },
            max_unfinished: self.unfinished,
            concurrent_downloads: self.downloads,
            inline: InlineConfig { wait: self.inline_within, max_bytes: self.inline_size },
            callbacks: CallbackConfig {
                allowed_networks: self.callback_allow.clone(),
                secret_file: self.callback_secret_file.clone(),
            },
            schedules: ScheduleConfig {
                schedules: self.every.clone(),
                jitter: self.jitter,
                retention: Retention { last: self.keep, days: self.keep_days },
            },
            forget_after: self.forget_after.0,
            ..StoreConfig::new(store.absolute(), state)
        }
    }
}

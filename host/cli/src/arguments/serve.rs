//! The command line of `partway serve`.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use axum::http::HeaderValue;
use clap::Args;
use ipnet::IpNet;
use partway_jobs::Pace;
use partway_service::{
    CallbackConfig, Config, DatabaseSchedule, InlineConfig, NamedDatabase, Retention,
    ScheduleConfig, StoreConfig,
};
use partway_store::StoreAddress;
use url::Url;

use super::{SnapshotMode, duration, size};
use crate::log::LogFormat;

#[derive(Debug, Args)]
pub struct ServeArguments {
    /// The databases; each goes by its file's name without the ending, and the first is the default
    #[arg(value_name = "DATABASE", required_unless_present = "named")]
    pub databases: Vec<PathBuf>,

    /// A database under a name of its own; may be repeated
    #[arg(long = "database", value_name = "NAME=PATH", value_parser = named_database)]
    pub named: Vec<NamedDatabase>,

    /// Where the objects go: a folder, file:///folder, s3://bucket/prefix (by the AWS_* variables, AWS_ENDPOINT_URL
    /// for other servers) or r2://account/bucket/prefix [default: nowhere, each dump is streamed in its answer]
    #[arg(long, value_name = "STORE")]
    pub store: Option<StoreAddress>,

    /// The folder that jobs are kept in; those of other commands in it are gone on with, too [default: the
    /// platform's folder for state]
    #[arg(long, value_name = "DIR", requires = "store")]
    pub state: Option<PathBuf>,

    /// The address to listen on; port 0 takes one that is free
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8787")]
    pub listen: SocketAddr,

    /// A file of tokens that clients have to give, one a line: `read TOKEN` for those that may only read, `admin
    /// TOKEN` for those that may do all
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,

    /// An origin whose pages may use the service from a browser, such as https://admin.example.com; may be repeated
    #[arg(long, value_name = "ORIGIN", value_parser = origin)]
    pub cors: Vec<HeaderValue>,

    /// How long GET /export/dump waits for the dump, to answer with the file itself
    #[arg(long, value_name = "DURATION", requires = "store", default_value = "25s", value_parser = duration)]
    pub inline_within: Duration,

    /// The largest dump that GET /export/dump answers with
    #[arg(long, value_name = "SIZE", requires = "store", default_value = "32MiB", value_parser = size)]
    pub inline_size: u64,

    /// A network that callbacks may go to, also by http, such as 10.1.0.0/16 or 127.0.0.1; may be repeated. Else they go to
    /// the public internet alone, by https
    #[arg(long, value_name = "NETWORK", requires = "store", value_parser = network)]
    pub callback_allow: Vec<IpNet>,

    /// The file of the secret that callbacks are signed with: whsec_ and Base64, or any text [default: callback-secret in
    /// the folder for state, which is made]
    #[arg(long, value_name = "FILE", requires = "store")]
    pub callback_secret_file: Option<PathBuf>,

    /// Export unasked: after this time, such as 24h, or when a cron expression says so (in UTC), such as "30 3 * * *". With
    /// NAME= for one database; may be repeated. Nothing is exported while nothing has changed
    #[arg(long, value_name = "[NAME=]WHEN", requires = "store")]
    pub every: Vec<DatabaseSchedule>,

    /// Exports that are made unasked begin up to so much later, at random [default: a tenth of the time between two, 5m
    /// at most]
    #[arg(long, value_name = "DURATION", requires = "every", value_parser = duration)]
    pub jitter: Option<Duration>,

    /// Of the exports that were made unasked, keep the objects of the last N of each database and delete others; with
    /// --keep-days, what either wants kept is
    #[arg(long, value_name = "N", requires = "every", value_parser = clap::value_parser!(u32).range(1..))]
    pub keep: Option<u32>,

    /// Of the exports that were made unasked, keep the objects of the last D days, and the last one in any case
    #[arg(long, value_name = "D", requires = "every", value_parser = clap::value_parser!(u32).range(1..))]
    pub keep_days: Option<u32>,

    /// How many exports run at a time
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=32))]
    pub exports: u32,

    /// How many unfinished exports there may be, with those that wait; further ones are refused
    #[arg(long, value_name = "N", requires = "store", default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..))]
    pub unfinished: u64,

    /// How many objects are downloaded at a time; further downloads are put off
    #[arg(long, value_name = "N", requires = "store", default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub downloads: u32,

    /// How long open answers may take after SIGTERM
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = duration)]
    pub drain: Duration,

    /// The size of every part but the last, such as 8MiB: from 4KiB for a folder, from 5MiB for S3 and
    /// R2 [default: 5MiB, more for databases beyond 9 GiB]
    #[arg(long, value_name = "SIZE", requires = "store", value_parser = size)]
    pub part_size: Option<u64>,

    /// End a slice after this many parts [default: by time alone]
    #[arg(long, value_name = "N", requires = "store", value_parser = clap::value_parser!(u32).range(1..))]
    pub slice_parts: Option<u32>,

    /// End a slice after this time, such as 500ms or 2m
    #[arg(long, value_name = "DURATION", requires = "store", default_value = "25s", value_parser = duration)]
    pub slice_time: Duration,

    /// Rest for this time between slices
    #[arg(long, value_name = "DURATION", requires = "store", default_value = "0s", value_parser = duration)]
    pub pause: Duration,

    /// How often a slice that failed is tried again, from 2 s on doubling
    #[arg(long, value_name = "N", requires = "store", default_value_t = 6)]
    pub retries: u32,

    /// How lines of the log are written, which goes to standard error; PARTWAY_LOG says what is in it, such as warn
    #[arg(long, value_enum, value_name = "FORMAT", default_value = "text")]
    pub log_format: LogFormat,

    /// How the state of a database is kept for the length of an export
    #[arg(long, value_enum, value_name = "MODE", default_value = "auto")]
    pub snapshot: SnapshotMode,
}

/// An origin as browsers write it.
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
    text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from)).map_err(|_| {
        "not a network: write an address, or one with a length as 10.1.0.0/16".to_owned()
    })
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
    /// What the service is started with.
    pub fn config(self, state: PathBuf) -> Config {
        let unnamed = self.databases.iter().map(NamedDatabase::from_path);
        Config {
            databases: unnamed.chain(self.named.iter().cloned()).collect(),
            store: self.store.as_ref().map(|store| self.store_config(store, state)),
            listen: self.listen,
            token_file: self.token_file,
            allowed_origins: self.cors,
            snapshot: self.snapshot.into(),
            concurrent_exports: self.exports,
            drain: self.drain,
        }
    }

    fn store_config(&self, store: &StoreAddress, state: PathBuf) -> StoreConfig {
        StoreConfig {
            part_size: self.part_size,
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
            ..StoreConfig::new(store.absolute(), state)
        }
    }
}

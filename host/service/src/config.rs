//! What a service is started with.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use axum::http::HeaderValue;
use ipnet::IpNet;
use partway_jobs::SnapshotMode;
use partway_store::StoreAddress;

use crate::rule::DatabaseRule;

/// A database under a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedDatabase {
    pub name: String,
    pub path: PathBuf,
}

/// What a service is started with.
#[derive(Debug)]
pub struct Config {
    /// The databases; each goes by its file's name without the ending, and the first is the default
    pub databases: Vec<PathBuf>,

    /// A database under a name of its own; may be repeated
    pub named: Vec<NamedDatabase>,

    /// Where the objects go: a folder, file:///folder, s3://bucket/prefix (by the AWS_* variables, AWS_ENDPOINT_URL
    /// for other servers) or r2://account/bucket/prefix [default: nowhere, each dump is streamed in its answer]
    pub store: Option<StoreAddress>,

    /// The folder that jobs are kept in; those of other commands in it are gone on with, too [default: the
    /// platform's folder for state]
    pub state: PathBuf,

    /// The address to listen on; port 0 takes one that is free
    pub listen: SocketAddr,

    /// A file of tokens that clients have to give, one a line: `read TOKEN` for those that may only read, `admin
    /// TOKEN` for those that may do all
    pub token_file: Option<PathBuf>,

    /// An origin whose pages may use the service from a browser, such as https://admin.example.com; may be repeated
    pub cors: Vec<HeaderValue>,

    /// How long GET /export/dump waits for the dump, to answer with the file itself
    pub inline_within: Duration,

    /// The largest dump that GET /export/dump answers with
    pub inline_size: u64,

    /// A network that callbacks may go to, also by http, such as 10.1.0.0/16 or 127.0.0.1; may be repeated. Else they go to
    /// the public internet alone, by https
    pub callback_allow: Vec<IpNet>,

    /// The file of the secret that callbacks are signed with: whsec_ and Base64, or any text [default: callback-secret in
    /// the folder for state, which is made]
    pub callback_secret_file: Option<PathBuf>,

    /// Export unasked: after this time, such as 24h, or when a cron expression says so (in UTC), such as "30 3 * * *". With
    /// NAME= for one database; may be repeated. Nothing is exported while nothing has changed
    pub every: Vec<DatabaseRule>,

    /// Exports that are made unasked begin up to so much later, at random [default: a tenth of the time between two, 5m
    /// at most]
    pub jitter: Option<Duration>,

    /// Of the exports that were made unasked, keep the objects of the last N of each database and delete others; with
    /// --keep-days, what either wants kept is
    pub keep: Option<u32>,

    /// Of the exports that were made unasked, keep the objects of the last D days, and the last one in any case
    pub keep_days: Option<u32>,

    /// How many exports run at a time
    pub exports: u32,

    /// How many unfinished exports there may be, with those that wait; further ones are refused
    pub unfinished: u64,

    /// How many objects are downloaded at a time; further downloads are put off
    pub downloads: u32,

    /// How long open answers may take after SIGTERM
    pub drain: Duration,

    /// The size of every part but the last, such as 8MiB: from 4KiB for a folder, from 5MiB for S3 and
    /// R2 [default: 5MiB, more for databases beyond 9 GiB]
    pub part_size: Option<u64>,

    /// End a slice after this many parts [default: by time alone]
    pub slice_parts: Option<u32>,

    /// End a slice after this time, such as 500ms or 2m
    pub slice_time: Duration,

    /// Rest for this time between slices
    pub pause: Duration,

    /// How often a slice that failed is tried again, from 2 s on doubling
    pub retries: u32,

    /// How the state of a database is kept for the length of an export
    pub snapshot: SnapshotMode,
}

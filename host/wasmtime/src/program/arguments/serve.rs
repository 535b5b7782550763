//! The command line of `partway serve`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use partway::{SnapshotMode, StoreAddress};

use super::{duration, size};
use crate::log::LogFormat;

/// A database under a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedDatabase {
    pub name: String,
    pub path: PathBuf,
}

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

    /// How long GET /export/dump waits for the dump, to answer with the file itself
    #[arg(long, value_name = "DURATION", requires = "store", default_value = "25s", value_parser = duration)]
    pub inline_within: Duration,

    /// The largest dump that GET /export/dump answers with
    #[arg(long, value_name = "SIZE", requires = "store", default_value = "32MiB", value_parser = size)]
    pub inline_size: u64,

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

fn named_database(text: &str) -> Result<NamedDatabase, String> {
    match text.split_once('=') {
        Some((name, path)) if !name.is_empty() && !path.is_empty() => {
            Ok(NamedDatabase { name: name.to_owned(), path: path.into() })
        }
        _ => Err("not a name and a path: write NAME=PATH".to_owned()),
    }
}

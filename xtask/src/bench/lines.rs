//! Exports to an S3 server behind a slow line, compared with a copy that is compressed and uploaded.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::Result;
use partway_testbed::Shape;

use super::bound::Bound::{self, AtLeast};
use super::databases::{PART_SIZE, megabytes, shaped};
use super::measured::{Run, in_turn, measure};
use super::peers::{Programs, export_to};
use super::report::Table;
use super::s3::{ON_THEIR_WAY, Tools, served};
use super::slow_line::SlowLine;
use crate::codecs;
use crate::demo::ignore_missing;
use crate::garage::{BUCKET, Garage};

const LINES: [(&str, f64); 2] = [("1 Gbit/s", 1e9), ("100 Mbit/s", 100e6)];

/// Of the pipeline's time to Partway's.
const AHEAD: Bound = AtLeast(1.0);

pub fn lines(
    programs: &Programs,
    tools: &Tools,
    folder: &Path,
    size: u64,
    rounds: u32,
) -> Result<Vec<Table>> {
    let mut table = Table::new(
        "To S3 behind a slow line",
        &format!(
            "Medians, in seconds, for the realistic shape: `sqlite3 FILE \".backup copy\"`, `zstd -3` of the copy, and its \
             upload by boto3 ({ON_THEIR_WAY} parts at a time), all of it; and `partway export --compress zstd`. The server is Garage on \
             this machine, a new one for each run, behind a relay that lets so much through each way."
        ),
        &["line", "`.backup`, `zstd -3`, boto3", "partway", "ratio"],
    );
    let (Some(python), true) = (&tools.python, codecs::for_tests()?) else {
        table.note("Skipped: Python with boto3, or zstd, was not available.");
        return Ok(vec![table]);
    };
    let database = shaped(folder, Shape::Real, size)?;
    for (name, bits_per_second) in LINES {
        println!("\n-- {name}, {} ({:.0} MB)", Shape::Real.description(), megabytes(&database)?);
        let behind = |run: &dyn Fn(&Garage, &SlowLine) -> Result<Run>| {
            served(folder, |server| {
                let line = SlowLine::to(server.address(), bits_per_second)?;
                run(server, &line)
            })
        };
        let [theirs, ours] = in_turn(rounds, ["by hand", "partway"], |which| match which {
            0 => {
                let copy = folder.join("copy.db");
                let run = behind(&|server, line| {
                    let mut shell = Command::new("sh");
                    shell.args(["-c", BY_HAND, "sh"]).arg(&database).arg(&copy).arg(python);
                    shell.args([include_str!("upload.py"), BUCKET, &PART_SIZE.to_string()]);
                    shell.arg(ON_THEIR_WAY.to_string()).envs(server.for_programs());
                    measure(shell.env("AWS_ENDPOINT_URL", line.url()).stdin(Stdio::null()))
                });
                for file in [&copy, &copy.with_extension("db.zst")] {
                    fs::remove_file(file).or_else(ignore_missing)?;
                }
                run
            }
            _ => behind(&|server, line| {
                let bucket = format!("s3://{BUCKET}/bench");
                let mut export = export_to(&programs.partway, &database, bucket, folder);
                export.args(["--compress", "zstd", "--part-size", &PART_SIZE.to_string()]);
                export.envs(server.for_programs());
                measure(export.env("AWS_ENDPOINT_URL", line.url()))
            }),
        })?;
        table.row(vec![
            name.to_owned(),
            format!("{:.3}", theirs.seconds()),
            format!("{:.3}", ours.seconds()),
            AHEAD.judged(theirs.seconds() / ours.seconds()),
        ]);
    }
    Ok(vec![table])
}

/// DATABASE COPY PYTHON SCRIPT BUCKET PART_SIZE CONCURRENCY.
const BY_HAND: &str = "sqlite3 \"$1\" \".backup '$2'\" && zstd -3 -q \"$2\" && \
                       \"$3\" -c \"$4\" \"$2.zst\" \"$5\" bench/copy.db.zst \"$6\" \"$7\" > /dev/null";

//! How long it takes to start: whole exports of tiny databases, and the first byte of large ones.

use std::fs;
use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use partway_testbed::Shape;
use rusqlite::Connection;

use super::bound::Bound::{self, AtMost};
use super::databases::shaped;
use super::measured::median;
use super::peers::{Peer, Programs};
use super::report::Table;
use crate::demo::ignore_missing;
use crate::run::shown;

const RUNS: usize = 40;

/// Of Partway's milliseconds beyond those of `.dump`.
const SOON: Bound = AtMost(12.0);

pub fn start(programs: &Programs, folder: &Path, size: u64) -> Result<Vec<Table>> {
    let tiny = folder.join("tiny.db");
    fs::remove_file(&tiny).or_else(ignore_missing)?;
    Connection::open(&tiny)?.execute_batch(
        "CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT); INSERT INTO t VALUES (1, 'one');",
    )?;
    let large = shaped(folder, Shape::Real, size)?;

    let mut table = Table::new(
        "Time to start",
        &format!(
            "Medians of {RUNS} runs each, in milliseconds: the whole run for a database of one row, and the \
             time from the program's start to its first byte for the realistic shape, read from a pipe."
        ),
        &["what", "`.dump`", "partway", "difference"],
    );
    let (theirs, ours) = in_turn(|peer| whole(&mut peer.command(programs, &tiny)))?;
    let mut row = |what: &str, theirs: f64, ours: f64, difference: String| {
        table.row(vec![what.to_owned(), format!("{theirs:.2}"), format!("{ours:.2}"), difference]);
    };
    row("one row, whole run", theirs, ours, SOON.judged(ours - theirs));
    let (theirs, ours) = in_turn(|peer| first_byte(&mut peer.command(programs, &large)))?;
    row("realistic, first byte", theirs, ours, format!("{:.2}", ours - theirs));
    Ok(vec![table])
}

/// The medians of both, in milliseconds; a first round does not count.
fn in_turn(mut one: impl FnMut(Peer) -> Result<f64>) -> Result<(f64, f64)> {
    let mut times = [Vec::new(), Vec::new()];
    for round in 0..=RUNS {
        for (peer, times) in [Peer::Dump, Peer::Partway].into_iter().zip(&mut times) {
            let seconds = one(peer)?;
            if round > 0 {
                times.push(seconds * 1e3);
            }
        }
    }
    let [theirs, ours] = times.map(median);
    Ok((theirs, ours))
}

fn whole(command: &mut Command) -> Result<f64> {
    let began = Instant::now();
    let status = command.status().with_context(|| format!("starting {}", shown(command)))?;
    let seconds = began.elapsed().as_secs_f64();
    if !status.success() {
        bail!("{} failed ({status})", shown(command));
    }
    Ok(seconds)
}

fn first_byte(command: &mut Command) -> Result<f64> {
    command.stdout(Stdio::piped());
    let began = Instant::now();
    let mut child = command.spawn().with_context(|| format!("starting {}", shown(command)))?;
    let mut text = child.stdout.take().context("no pipe")?;
    let read = text.read(&mut [0; 4096]);
    let seconds = began.elapsed().as_secs_f64();
    // The rest is not needed. It may have ended by itself.
    child.kill().ok();
    child.wait()?;
    if read? == 0 {
        bail!("{} printed nothing", shown(command));
    }
    Ok(seconds)
}

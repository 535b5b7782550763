//! `cargo xtask bench --check`: whether speed was lost, in a minute, on untuned machines.
//!
//! The bounds are far below what is measured, so that a busy machine does not fail a good change.

use std::process::Command;

use anyhow::{Result, bail};
use partway_testbed::Shape;

use super::bound::Bound;
use super::databases::{folder, shaped};
use super::measured::{in_turn, measure};
use super::peers::{Peer, Programs};
use crate::run::output;

/// The least ratio of `.dump`'s time to Partway's: half of what is measured on two idle cores (3.7
/// and 3.2). These still hold if one core is taken by something else.
const LEAST: [(Shape, Bound); 2] =
    [(Shape::Real, Bound::AtLeast(1.8)), (Shape::Integers, Bound::AtLeast(1.5))];

const MEGABYTES: u64 = 40;
const ROUNDS: u32 = 5;

/// Fails if Partway is not enough faster than `sqlite3 .dump`.
pub fn check() -> Result<()> {
    if output(Command::new("sqlite3").arg("--version")).is_err() {
        eprintln!("bench: the program sqlite3 is not available; speed is not checked");
        return Ok(());
    }
    let programs = Programs::build_for_tests()?;
    let folder = folder()?;
    let mut lost = Vec::new();
    for (shape, least) in LEAST {
        let database = shaped(&folder, shape, MEGABYTES)?;
        println!("\n-- speed: {}", shape.description());
        let peers = [Peer::Dump, Peer::Partway];
        let [dump, ours] = in_turn(ROUNDS, [".dump", "partway"], |which| {
            measure(&mut peers[which].command(&programs, &database))
        })?;
        let ratio = dump.ratio_by_neighbours(&ours);
        println!(".dump / partway {}", least.judged(ratio));
        if !least.holds(ratio) {
            lost.push(format!("{}: {}", shape.description(), least.beside(ratio)));
        }
    }
    if !lost.is_empty() {
        bail!(
            "speed was lost. Time of `sqlite3 FILE .dump` divided by that of `partway export FILE`: {}. Run \
             `cargo xtask bench` to see what has become slower; if the machine was busy, run \
             `cargo xtask bench --check` again",
            lost.join("; ")
        );
    }
    Ok(())
}

//! It returns what nobody can keep, or what does something where it is shown.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;

use crate::exports::partway::pipe::exporter::{Error, Outcome, Summary};
use crate::parts::write;
use crate::{Way, done, more};

/// Clears a terminal, sets its title, and breaks a line of a log.
const ESCAPES: &str = "\u{1b}[2J\u{1b}]0;title\u{7}\u{9b}2J\u{202e}\r\nforged line";

/// No JSON, and with what texts are often cut at.
pub const ODD_CHECKPOINT: &str = "{\"a\":\u{0}'\u{1b}\n";

/// What it goes on from for ever.
pub const ENDLESS: &str = "endless: ";

pub const WAYS: &[(&str, Way)] = &[
    ("no-progress", || Ok(more("no-progress".to_string()))),
    // A checkpoint that differs each time, and no part ever.
    ("endless-progress", || Ok(more(ENDLESS.to_string()))),
    ("huge-checkpoint", || {
        write(1, 4096)?;
        Ok(more("x".repeat(20 << 20)))
    }),
    ("odd-checkpoint", || {
        write(1, 4096)?;
        Ok(more(ODD_CHECKPOINT.to_string()))
    }),
    ("many-warnings", || {
        write(1, 100)?;
        with_warnings(vec![String::new(); 1_000_000])
    }),
    ("huge-warning", || {
        write(1, 100)?;
        with_warnings(vec!["x".repeat(20 << 20)])
    }),
    ("many-damaged", || {
        write(1, 100)?;
        Ok(Outcome::Done(Summary { damaged: vec!["t".to_string(); 500_000], ..done(100, 1) }))
    }),
    ("escapes-in-warning", || {
        write(1, 100)?;
        with_warnings(vec![ESCAPES.to_string()])
    }),
    ("escapes-in-error", || Err(Error::ReadFailed(ESCAPES.to_string()))),
    ("huge-error", || Err(Error::Corrupt(ESCAPES.repeat(400_000)))),
];

/// Every later slice of `endless-progress`.
pub fn further(from: &str) -> Result<Outcome, Error> {
    let count: u64 = from.strip_prefix(ENDLESS).and_then(|count| count.parse().ok()).unwrap_or(0);
    Ok(more(format!("{ENDLESS}{}", count + 1)))
}

/// The second slice of `odd-checkpoint`.
pub fn after_odd_checkpoint() -> Result<Outcome, Error> {
    write(2, 100)?;
    Ok(Outcome::Done(done(4196, 2)))
}

fn with_warnings(warnings: Vec<String>) -> Result<Outcome, Error> {
    Ok(Outcome::Done(Summary { warnings, ..done(100, 1) }))
}

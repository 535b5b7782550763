//! A component of the world `export-component` that misbehaves in whatever way its format names.
//!
//! Every way is in [`WAYS`], and a test of the host fails if one is in no test.
#![no_std]

extern crate alloc;

mod answers;
mod loops;
mod parts;
mod rows;

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use exports::partway::pipe::exporter::{
    Budget, Error, Guest, More, Options, Outcome, Progress, Summary,
};

wit_bindgen::generate!({
    path: "../../../wit",
    world: "export-component",
});

#[global_allocator]
static ALLOCATOR: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    core::arch::wasm32::unreachable()
}

type Way = fn() -> Result<Outcome, Error>;

/// The ways, each a slice.
const WAYS: [&[(&str, Way)]; 4] = [loops::WAYS, rows::WAYS, parts::WAYS, answers::WAYS];

/// What begins so misbehaves when the export starts.
const AT_START: &str = "start-";

struct Hostile;

impl Guest for Hostile {
    fn start(options: Options) -> Result<String, Error> {
        let format = options.format;
        if format == "ways" {
            let names: Vec<&str> = ways().map(|(name, _)| *name).collect();
            return Err(Error::InvalidOptions(names.join(" ")));
        }
        if let Some(way) = format.strip_prefix(AT_START) {
            return misbehave(way).map(|outcome| match outcome {
                Outcome::More(more) => more.checkpoint,
                Outcome::Done(_) => String::new(),
            });
        }
        Ok(format)
    }

    fn resume(from: String, _: Budget) -> Result<Outcome, Error> {
        if from == answers::ODD_CHECKPOINT {
            return answers::after_odd_checkpoint();
        }
        if from.starts_with(answers::ENDLESS) {
            return answers::further(&from);
        }
        misbehave(&from)
    }
}

fn ways() -> impl Iterator<Item = &'static (&'static str, Way)> {
    WAYS.iter().copied().flatten()
}

fn misbehave(way: &str) -> Result<Outcome, Error> {
    let found = ways().find(|(name, _)| *name == way);
    let (_, way) = found.ok_or_else(|| Error::InvalidOptions(way.to_string()))?;
    way()
}

fn more(checkpoint: String) -> Outcome {
    Outcome::More(More {
        checkpoint,
        progress: Progress { table: None, tables: 0, rows: 0, bytes: 0, parts: 0 },
    })
}

fn done(bytes: u64, parts: u32) -> Summary {
    let (warnings, damaged) = (Vec::new(), Vec::new());
    Summary { tables: 0, rows: 0, bytes, parts, warnings, damaged }
}

export!(Hostile);

//! The program: exports a SQLite database by Partway's component, a slice at a time.
//!
//! ```text
//! all-wasi.wasm DATABASE OUTPUT [SLICES]
//! ```
//!
//! With SLICES, it stops after so many. The same command goes on where it stopped, and where it was killed.

use std::io::Write;

use bindings::partway::pipe::exporter::{self, Budget, Options, Outcome};
use bindings::partway_example::all_wasi::object::Found;
use bindings::partway_example::all_wasi::{database, object};

mod bindings {
    wit_bindgen::generate!({
        path: ["../../../wit", "../wit"],
        world: "partway-example:all-wasi/command",
        generate_all,
    });
}

const PART_SIZE: u32 = 1024 * 1024;

/// Ends a slice after so many parts.
const BUDGET: Budget = Budget { parts: 2 };

struct Command;

wasip2::cli::command::export!(Command);

impl wasip2::exports::cli::run::Guest for Command {
    fn run() -> Result<(), ()> {
        run(&wasip2::cli::environment::get_arguments()).map_err(|error| {
            // Nobody is left to be told if this fails.
            let _ = writeln!(wasip2::cli::stderr::get_stderr(), "all-wasi: {error}");
        })
    }
}

/// Prints a line.
fn say(line: &str) -> Result<(), String> {
    let mut to = wasip2::cli::stdout::get_stdout();
    writeln!(to, "{line}").and_then(|()| Write::flush(&mut to)).map_err(|error| error.to_string())
}

fn run(arguments: &[String]) -> Result<(), String> {
    let [_, path, output, slices @ ..] = arguments else {
        return Err("usage: all-wasi.wasm DATABASE OUTPUT [SLICES]".into());
    };
    let slices = match slices.first() {
        None => u32::MAX,
        Some(text) => text.parse().map_err(|_| format!("{text} is no number of slices"))?,
    };
    database::open(path)?;
    let state = database::state()?;
    let found = object::open(output, PART_SIZE)?;
    if let Found::Finished = found {
        return say(&format!("{output} is complete"));
    }
    let mut checkpoint = match found {
        Found::Unfinished(note) => resumed(&note, &state, output)?,
        Found::Nothing | Found::Finished => {
            let first = exporter::start(&options()).map_err(explained)?;
            object::save(&format!("{state}\n{first}"))?;
            first
        }
    };
    for slice in 1..=slices {
        let outcome = exporter::resume(&checkpoint, BUDGET).map_err(explained);
        // WASI has no locks. Nothing is kept of a slice during which the database was written to.
        if database::state()? != state {
            return Err(changed(output));
        }
        match outcome? {
            Outcome::More(more) => {
                checkpoint = more.checkpoint;
                object::save(&format!("{state}\n{checkpoint}"))?;
                say(&format!("slice {slice}: {} bytes so far", more.progress.bytes))?;
            }
            Outcome::Done(summary) => {
                for warning in summary.warnings {
                    say(&format!("warning: {warning}"))?;
                }
                if !summary.damaged.is_empty() {
                    return Err(format!("rows are missing: {}", summary.damaged.join(", ")));
                }
                object::finish()?;
                let (rows, bytes, parts) = (summary.rows, summary.bytes, summary.parts);
                return say(&format!("{output}: {rows} rows, {bytes} bytes in {parts} parts"));
            }
        }
    }
    say("stopped: the same command goes on from here")
}

fn options() -> Options {
    let (tables, settings) = (Vec::new(), Vec::new());
    Options { format: "sql".into(), tables, part_size: PART_SIZE, settings }
}

/// The checkpoint in a note, if the database is as it was then.
fn resumed(note: &str, state: &str, output: &str) -> Result<String, String> {
    match note.split_once('\n') {
        Some((then, checkpoint)) if then == state => Ok(checkpoint.to_owned()),
        _ => Err(changed(output)),
    }
}

fn changed(output: &str) -> String {
    format!(
        "the database was changed since the export began: delete {output}.partial to start over"
    )
}

fn explained(error: exporter::Error) -> String {
    use exporter::Error::{
        Corrupt, Interrupted, InvalidCheckpoint, InvalidOptions, ReadFailed, TooLarge, WriteFailed,
    };
    match error {
        InvalidOptions(text)
        | InvalidCheckpoint(text)
        | ReadFailed(text)
        | Corrupt(text)
        | WriteFailed(text)
        | TooLarge(text) => text,
        Interrupted => "interrupted".into(),
    }
}

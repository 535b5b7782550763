//! `cargo xtask record`: an export that is killed and resumed, as an animation for the README.

mod svg;

use std::fs;
use std::io::{BufRead, BufReader, Read, pipe};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use partway_testbed::write_sample;
use serde_json::Value;

use crate::run::{build_program, root, shown};
use crate::setup::setup;
use svg::{Line, draw};

/// The database's size.
const MEGABYTES: u64 = 100;

/// Small parts and short slices, so that there is something to resume after a second.
const EXPORT: &[&str] = &[
    "export",
    "app.db",
    "--to",
    "backups",
    "--name",
    "app.sql",
    "--part-size",
    "1MiB",
    "--slice-parts",
    "4",
];

/// What the picture shows in place of the folder in which it was made.
const SHOWN_FOLDER: &str = "/srv";

/// Writes `docs/resume.svg`. Without a program, one is built.
pub fn record(program: Option<PathBuf>) -> Result<()> {
    let program = match program {
        Some(file) => file.canonicalize().with_context(|| file.display().to_string())?,
        None => {
            setup()?;
            build_program()?
        }
    };
    let temporary = tempfile::tempdir()?;
    let folder = temporary.path().canonicalize()?;
    fs::create_dir(folder.join("backups"))?;
    write_sample(&folder.join("app.db"), MEGABYTES)?;

    let mut session = Session { program, folder, lines: Vec::new() };
    session.killed(EXPORT)?;
    session.run(&["jobs", "list"])?;
    session.run(EXPORT)?;
    session.run(&["verify", "backups/app.sql", "--against", "app.db"])?;

    let file = root().join("docs/resume.svg");
    let picture = draw(&session.lines);
    fs::write(&file, &picture).with_context(|| format!("writing {}", file.display()))?;
    println!("{} ({} bytes)", file.display(), picture.len());
    Ok(())
}

/// What was typed and printed so far, in a folder with the database and a state folder of its own.
struct Session {
    program: PathBuf,
    folder: PathBuf,
    lines: Vec<Line>,
}

impl Session {
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command
            .args(arguments)
            .current_dir(&self.folder)
            .env("XDG_STATE_HOME", self.folder.join("state"))
            .env_remove("PARTWAY_LOG");
        command
    }

    /// Runs a command to its end and records its lines, each with the time since the one before.
    fn run(&mut self, arguments: &[&str]) -> Result<()> {
        let (mut child, printed) = self.start(arguments)?;
        let mut last = Instant::now();
        for line in BufReader::new(printed).lines() {
            let line = self.neutral(&line?);
            println!("{line}");
            self.lines.push(Line::Printed(line, last.elapsed()));
            last = Instant::now();
        }
        let status = child.wait()?;
        if !status.success() {
            bail!("{} failed ({status})", shown(&self.command(arguments)));
        }
        Ok(())
    }

    /// Starts an export and kills it when some of it is saved.
    fn killed(&mut self, arguments: &[&str]) -> Result<()> {
        let (mut child, _printed) = self.start(arguments)?;
        let started = Instant::now();
        loop {
            if let Some(status) = child.try_wait()? {
                bail!("the export ended ({status}) before it could be killed");
            }
            if self.saved()? > 0.2 {
                break;
            }
            sleep(Duration::from_millis(5));
        }
        child.kill()?;
        child.wait()?;
        self.lines.push(Line::Killed(started.elapsed()));
        println!("killed");
        Ok(())
    }

    /// How much of the export is saved, from 0 to 1.
    fn saved(&self) -> Result<f64> {
        // Before its first slice the export may hold the state file, or there is none.
        let output = self.command(&["jobs", "list", "--json"]).output()?;
        let Ok(job) = serde_json::from_slice::<Value>(&output.stdout) else { return Ok(0.0) };
        let number = |field: &str| job[field].as_f64().unwrap_or_default();
        Ok(number("rows") / number("rows_expected").max(1.0))
    }

    /// Starts a command as if it had been typed. What it prints comes in order: both streams are one pipe.
    fn start(&mut self, arguments: &[&str]) -> Result<(Child, impl Read + use<>)> {
        let typed = format!("partway {}", arguments.join(" "));
        println!("$ {typed}");
        self.lines.push(Line::Typed(typed));
        let (reader, writer) = pipe()?;
        let mut command = self.command(arguments);
        command.stdout(writer.try_clone()?).stderr(writer);
        let child = command.spawn().with_context(|| format!("starting {}", shown(&command)))?;
        Ok((child, reader))
    }

    /// A line without the name of the folder in which it was printed.
    fn neutral(&self, line: &str) -> String {
        let folder = |path: &Path| path.display().to_string();
        line.replace(&folder(&self.folder), SHOWN_FOLDER)
    }
}

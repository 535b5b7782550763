//! Exports a SQLite database by Partway's component, a slice at a time, each in a fresh instance.
//!
//! ```text
//! partway-example-host DATABASE COMPONENT OUTPUT [SLICES]
//! ```
//!
//! With SLICES, it stops after so many. The same command goes on where it stopped, and where it was killed.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::backup::Backup;
use rusqlite::{Connection, OpenFlags};
use wasmtime::component::{Component, HasSelf, Linker};
use wasmtime::error::Context;
use wasmtime::{Engine, Result, Store, bail, ensure};

use partway_example_host::exporter::{Budget, Options, Outcome};
use partway_example_host::{ExportComponent, Host, PART_SIZE, Tables, pacing, parts, rows};

/// Ends a slice after so many parts.
const BUDGET: Budget = Budget { parts: 2 };

/// Copies a database page by page: what others write meanwhile, and from now on, does not matter.
fn copy(database: &Path, to: &Path) -> Result<()> {
    let source = Connection::open_with_flags(database, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let mut target = Connection::open(to)?;
    Backup::new(&source, &mut target)?.run_to_completion(1024, Duration::from_millis(10), None)?;
    Ok(())
}

/// Replaces a file, whole or not at all.
fn save(file: &Path, text: &str) -> Result<()> {
    let new = file.with_extension("new");
    fs::write(&new, text)?;
    File::open(&new)?.sync_all()?;
    Ok(fs::rename(new, file)?)
}

fn main() -> Result<()> {
    let arguments: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let [database, component, output, slices @ ..] = &arguments[..] else {
        bail!("usage: partway-example-host DATABASE COMPONENT OUTPUT [SLICES]");
    };
    let slices = slices.first().map_or(Ok(u32::MAX), |text| text.to_string_lossy().parse())?;
    let folder = output.with_added_extension("partial");
    let [snapshot, checkpoint, parts] =
        ["snapshot.db", "checkpoint", "parts"].map(|name| folder.join(name));

    let engine = Engine::default();
    let component = Component::from_file(&engine, component)?;
    let mut linker = Linker::new(&engine);
    rows::add_to_linker::<_, HasSelf<Tables>>(&mut linker, |host: &mut Host| &mut host.tables)?;
    parts::add_to_linker::<_, HasSelf<Host>>(&mut linker, |host| host)?;
    pacing::add_to_linker::<_, HasSelf<Host>>(&mut linker, |host| host)?;
    let instance = || -> Result<(Store<Host>, ExportComponent)> {
        let database = Connection::open_with_flags(&snapshot, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        let parts = File::options().write(true).open(&parts)?;
        let mut store = Store::new(&engine, Host { tables: Tables::new(database), parts });
        let exporter = ExportComponent::instantiate(&mut store, &component, &linker)?;
        Ok((store, exporter))
    };

    if !checkpoint.exists() {
        fs::create_dir_all(&folder)?;
        copy(database, &snapshot).with_context(|| format!("copying {}", database.display()))?;
        File::create(&parts)?;
        let (mut store, exporter) = instance()?;
        let (tables, settings) = (Vec::new(), Vec::new());
        let options = Options { format: "sql".into(), tables, part_size: PART_SIZE, settings };
        let first = exporter.partway_pipe_exporter().call_start(&mut store, &options)??;
        save(&checkpoint, &first)?;
    }
    for slice in 1..=slices {
        let (mut store, exporter) = instance()?;
        let saved = fs::read_to_string(&checkpoint)?;
        let outcome =
            exporter.partway_pipe_exporter().call_resume(&mut store, &saved, BUDGET)??;
        // All parts of a slice must be safe before its checkpoint is saved.
        store.data().parts.sync_all()?;
        match outcome {
            Outcome::More(more) => {
                save(&checkpoint, &more.checkpoint)?;
                println!("slice {slice}: {} bytes so far", more.progress.bytes);
            }
            Outcome::Done(summary) => {
                summary.warnings.iter().for_each(|warning| eprintln!("warning: {warning}"));
                ensure!(summary.damaged.is_empty(), "incomplete: {:?}", summary.damaged);
                fs::rename(parts, output)?;
                fs::remove_dir_all(folder)?;
                let (rows, bytes) = (summary.rows, summary.bytes);
                println!(
                    "{}: {rows} rows, {bytes} bytes in {} parts",
                    output.display(),
                    summary.parts
                );
                return Ok(());
            }
        }
    }
    println!("stopped: the same command goes on from here");
    Ok(())
}

//! Runs component/rows-check over the rows of a database that nobody changes meanwhile.
//!
//! ```text
//! check_rows DATABASE ROWS-CHECK [--sample]
//! ```
//!
//! With --sample, the database is the one that sample.sql makes.

use std::process::ExitCode;

use partway_example_host::{Tables, rows};
use rusqlite::{Connection, OpenFlags};
use wasmtime::component::{Component, ComponentType, HasSelf, Lift, Linker};
use wasmtime::error::Context;
use wasmtime::{Engine, Result, Store, bail};

#[derive(ComponentType, Lift)]
#[component(record)]
struct Failure {
    rule: String,
    text: String,
}

#[derive(ComponentType, Lift)]
#[component(record)]
struct Report {
    failures: Vec<Failure>,
    tables: u32,
    rows: u64,
}

fn main() -> Result<ExitCode> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (database, component, check) = match &arguments[..] {
        [database, component] => (database, component, "check-any"),
        [database, component, sample] if sample == "--sample" => {
            (database, component, "check-sample")
        }
        _ => bail!("usage: check_rows DATABASE ROWS-CHECK [--sample]"),
    };
    let engine = Engine::default();
    let component = Component::from_file(&engine, component)?;
    let mut linker = Linker::new(&engine);
    rows::add_to_linker::<_, HasSelf<Tables>>(&mut linker, |tables| tables)?;
    let database = Connection::open_with_flags(database, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let mut store = Store::new(&engine, Tables::new(database));
    let instance = linker.instantiate(&mut store, &component)?;
    let interface = "partway:rows-check/checks@0.1.0";
    let interface = instance.get_export_index(&mut store, None, interface);
    let interface = interface.context("that is not component/rows-check")?;
    let check = instance.get_export_index(&mut store, Some(&interface), check);
    let check = check.context("it has no such check")?;
    let check = instance.get_typed_func::<(), (Report,)>(&mut store, &check)?;
    let (report,) = check.call(&mut store, ())?;
    for failure in &report.failures {
        println!("{}: {}", failure.rule, failure.text);
    }
    let Report { failures, tables, rows } = report;
    println!("{} failures in {rows} rows of {tables} tables", failures.len());
    Ok(if failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

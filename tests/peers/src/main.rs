//! `partway-peers floor | native DATABASE`: what Partway's speed is held against, one thread each.
//!
//! Both read with the same build of SQLite as Partway does.

mod floor;
mod native;
mod statement;

use std::env;
use std::io::{self, Write};
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use rusqlite::{Connection, OpenFlags};

fn main() -> Result<()> {
    let mut arguments = env::args_os().skip(1);
    let task = arguments.next().context("one of: floor, native")?;
    let path = PathBuf::from(arguments.next().context("the path of a database")?);
    let connection = Connection::open_with_flags(
        &path,
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    match task.to_str() {
        Some("floor") => {
            let read = floor::read(&connection)?;
            eprintln!("{} rows, {} cells, {} bytes", read.rows, read.cells, read.bytes);
        }
        Some("native") => native::export(&connection, io::stdout().lock())?,
        _ => bail!("no such task: floor or native"),
    }
    io::stdout().flush()?;
    Ok(())
}

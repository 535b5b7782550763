//! Reads tables row by row, from where the last slice ended.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;

use crate::checkpoint::{Checkpoint, Point};
use crate::csv::{self, Cells};
use crate::exports::partway::pipe::exporter::{
    Budget, Error, More, Options, Outcome, Progress, Summary,
};
use crate::output::{Flow, Output};
use crate::partway::pipe::rows::{self, ObjectKind, TableFlags};

/// Text and blobs in one batch. The same for the whole export: by it a row is told to have a long value.
const BATCH_BYTES: u32 = 256 * 1024;

/// A table of the export.
struct Table {
    name: Vec<u8>,
    columns: Vec<Vec<u8>>,
}

/// Checks the options. The first checkpoint is before everything.
pub fn start(options: Options) -> Result<String, Error> {
    if options.format != csv::NAME {
        let message = format!(
            "this component writes {:?}, not {:?}",
            csv::NAME,
            options.format
        );
        return Err(Error::InvalidOptions(message));
    }
    if let Some((name, _)) = options.settings.first() {
        return Err(Error::InvalidOptions(format!(
            "the format has no setting {name:?}"
        )));
    }
    tables(&options.tables)?;
    Ok(Checkpoint::first(options).encode())
}

/// Runs one slice.
pub fn resume(from: &str, budget: Budget) -> Result<Outcome, Error> {
    let checkpoint = Checkpoint::decode(from)?;
    let tables = tables(&checkpoint.tables)?;
    let mut point = checkpoint.point.clone();
    let mut output = Output::new(checkpoint, budget.parts);
    if run(&tables, &mut point, &mut output)? == Flow::Stop {
        return Ok(more(&tables, output.last));
    }
    let bytes = output.finish()?;
    Ok(Outcome::Done(Summary {
        tables: tables.len() as u32,
        rows: point.rows,
        bytes,
        parts: output.last.parts,
        warnings: vec!["Only rows are exported, and what the columns are called.".to_string()],
        damaged: Vec::new(),
    }))
}

fn run(tables: &[Table], point: &mut Point, output: &mut Output) -> Result<Flow, Error> {
    // A row longer than a part leaves whole parts behind.
    if output.cut(point)? == Flow::Stop {
        return Ok(Flow::Stop);
    }
    while let Some(table) = tables.get(point.table) {
        if read(table, point, output)? == Flow::Stop {
            return Ok(Flow::Stop);
        }
        *point = Point {
            table: point.table + 1,
            after: None,
            rows: point.rows,
        };
    }
    Ok(Flow::Continue)
}

/// The rows of one table behind the point.
fn read(table: &Table, point: &mut Point, output: &mut Output) -> Result<Flow, Error> {
    let cursor = rows::scan(&table.name, &table.columns, point.after.as_deref())?;
    if point.after.is_none() {
        csv::heading(&mut output.text, &table.name, &table.columns);
        // Where the scan began: before the first row.
        point.after = Some(cursor.position(0)?);
        if output.cut(point)? == Flow::Stop {
            return Ok(Flow::Stop);
        }
    }
    loop {
        let batch = cursor.next(BATCH_BYTES)?;
        if batch.rows == 0 {
            return Ok(Flow::Continue);
        }
        let mut cells = Cells::new(&batch);
        for (number, kinds) in (1..).zip(batch.kinds.chunks_exact(table.columns.len())) {
            // A value that does not fit into a batch is read by `cursor.read`, in pieces. This format does not.
            if kinds.iter().any(|kind| *kind > 5) {
                let name = String::from_utf8_lossy(&table.name);
                return Err(Error::ReadFailed(format!(
                    "a row of table {name:?} is longer than {BATCH_BYTES} bytes, which this format can't write"
                )));
            }
            csv::row(&mut output.text, &table.name, kinds, &mut cells);
            point.rows += 1;
            if output.is_full() {
                point.after = Some(cursor.position(number)?);
                if output.cut(point)? == Flow::Stop {
                    return Ok(Flow::Stop);
                }
            }
        }
        if output.pause() == Flow::Stop {
            return Ok(Flow::Stop);
        }
    }
}

/// The slice ends at the end of its last part. What came after it is thrown away, and the next slice makes it again.
fn more(tables: &[Table], last: Checkpoint) -> Outcome {
    let table = tables
        .get(last.point.table)
        .map(|table| String::from_utf8_lossy(&table.name).into_owned());
    let progress = Progress {
        table,
        tables: last.point.table as u32,
        rows: last.point.rows,
        bytes: u64::from(last.parts) * last.part_size as u64,
        parts: last.parts,
    };
    Outcome::More(More {
        checkpoint: last.encode(),
        progress,
    })
}

/// The tables with these names, or all, in the order of the schema.
fn tables(names: &[String]) -> Result<Vec<Table>, Error> {
    let mut tables = Vec::new();
    for object in rows::describe()?.objects {
        let Some(table) = object.table.filter(|_| object.kind == ObjectKind::Table) else {
            continue;
        };
        let is_named = names.iter().any(|name| name.as_bytes() == object.name);
        let is_wanted = if names.is_empty() {
            !object.name.starts_with(b"sqlite_")
        } else {
            is_named
        };
        // The data of a virtual table is in tables beside it.
        if is_wanted && !table.flags.contains(TableFlags::VIRTUAL) {
            let columns = table
                .columns
                .into_iter()
                .map(|column| column.name)
                .collect();
            tables.push(Table {
                name: object.name,
                columns,
            });
        }
    }
    let is_there = |name: &&String| tables.iter().any(|table| table.name == name.as_bytes());
    match names.iter().find(|name| !is_there(name)) {
        Some(name) => Err(Error::InvalidOptions(format!("there is no table {name:?}"))),
        None => Ok(tables),
    }
}

impl From<rows::Error> for Error {
    fn from(error: rows::Error) -> Self {
        use rows::Error::*;
        match error {
            UnknownTable(text) | UnknownColumn(text) | InvalidPosition(text) => {
                Self::InvalidCheckpoint(text)
            }
            InvalidCell(text) | Unavailable(text) | Failed(text) => Self::ReadFailed(text),
            Corrupt(text) => Self::Corrupt(text),
            Interrupted => Self::Interrupted,
        }
    }
}

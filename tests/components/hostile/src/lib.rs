//! A component of the world `export-component` that misbehaves in whatever way its format names.
#![no_std]

extern crate alloc;

use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;

use exports::partway::pipe::exporter::{
    Budget, Error, Guest, More, Options, Outcome, Progress, Summary,
};
use partway::pipe::{pacing, parts, rows};

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

struct Hostile;

impl Guest for Hostile {
    fn start(options: Options) -> Result<String, Error> {
        Ok(options.format)
    }

    fn resume(from: String, _: Budget) -> Result<Outcome, Error> {
        match from.as_str() {
            "spin" => loop {
                core::hint::black_box(0);
            },
            "ignore-yield" => loop {
                core::hint::black_box(pacing::should_yield());
            },
            "grow" => {
                let mut hoard: Vec<Vec<u8>> = Vec::new();
                loop {
                    hoard.push(core::hint::black_box(vec![1; 1024 * 1024]));
                }
            }
            "panic" => panic!("on purpose"),
            "no-progress" => Ok(more(from)),
            "short-part" => {
                write(1, 100)?;
                Ok(more(from))
            }
            "wrong-number" => {
                write(7, 4096)?;
                Ok(done())
            }
            "part-too-large" => {
                write(1, 4097)?;
                Ok(done())
            }
            "empty-part" => {
                write(1, 0)?;
                Ok(done())
            }
            "part-after-the-last" => {
                write(1, 100)?;
                write(2, 100)?;
                Ok(done())
            }
            "cursors" => {
                let mut cursors = Vec::new();
                loop {
                    let columns = [b"a".to_vec()];
                    cursors.push(rows::scan(b"t", &columns, None).map_err(unreadable)?);
                }
            }
            "unknown-table" => read(b"nothing", b"a", None),
            "schema-table" => read(b"sqlite_master", b"sql", None),
            "unknown-column" => read(b"t", b"a\" FROM secrets --", None),
            "invalid-position" => read(b"t", b"a", Some(b"nonsense")),
            "invalid-cell" => {
                let cursor = rows::scan(b"t", &[b"a".to_vec()], None).map_err(unreadable)?;
                cursor.next(1000).map_err(unreadable)?;
                cursor.read(99, 99, u32::MAX, u32::MAX).map_err(unreadable)?;
                Ok(done())
            }
            other => Err(Error::InvalidOptions(other.to_string())),
        }
    }
}

fn read(table: &[u8], column: &[u8], after: Option<&[u8]>) -> Result<Outcome, Error> {
    rows::scan(table, &[column.to_vec()], after).map_err(unreadable)?;
    Ok(done())
}

fn write(number: u32, length: usize) -> Result<(), Error> {
    parts::write(number, &vec![b'x'; length]).map_err(|error| {
        Error::WriteFailed(match error {
            parts::Error::Refused(text) | parts::Error::Full(text) | parts::Error::Failed(text) => {
                text
            }
        })
    })
}

fn unreadable(error: rows::Error) -> Error {
    Error::ReadFailed(match error {
        rows::Error::UnknownTable(text) => "unknown-table: ".to_string() + &text,
        rows::Error::UnknownColumn(text) => "unknown-column: ".to_string() + &text,
        rows::Error::InvalidPosition(text) => "invalid-position: ".to_string() + &text,
        rows::Error::InvalidCell(text) => "invalid-cell: ".to_string() + &text,
        rows::Error::Unavailable(text) | rows::Error::Corrupt(text) | rows::Error::Failed(text) => {
            text
        }
        rows::Error::Interrupted => "interrupted".to_string(),
    })
}

fn more(checkpoint: String) -> Outcome {
    Outcome::More(More {
        checkpoint,
        progress: Progress { table: None, tables: 0, rows: 0, bytes: 0, parts: 0 },
    })
}

fn done() -> Outcome {
    let (warnings, damaged) = (Vec::new(), Vec::new());
    Outcome::Done(Summary { tables: 0, rows: 0, bytes: 0, parts: 0, warnings, damaged })
}

export!(Hostile);

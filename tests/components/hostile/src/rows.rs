//! It reads what it may not, or more than it may.

use alloc::string::ToString;
use alloc::vec;
use alloc::vec::Vec;

use crate::exports::partway::pipe::exporter::{Error, Outcome};
use crate::partway::pipe::rows::{self, Cursor};
use crate::{Way, done};

pub const WAYS: &[(&str, Way)] = &[
    ("unknown-table", || read(b"nothing", &[b"a".to_vec()], None)),
    ("schema-table", || read(b"sqlite_master", &[b"sql".to_vec()], None)),
    ("unknown-column", || read(b"t", &[b"a\" FROM secrets --".to_vec()], None)),
    ("many-columns", || read(b"t", &vec![b"a".to_vec(); 1_000_000], None)),
    ("no-columns", || read(b"t", &[], None)),
    ("invalid-position", || read(b"t", &[b"a".to_vec()], Some(b"nonsense"))),
    ("huge-position", || read(b"t", &[b"a".to_vec()], Some(&vec![0; 20 << 20]))),
    ("foreign-position", foreign_position),
    ("invalid-cell", || {
        let cursor = scan()?;
        cursor.next(1000).map_err(unreadable)?;
        cursor.read(99, 99, 10, 10).map_err(unreadable)?;
        ended()
    }),
    ("position-beyond", || {
        let cursor = scan()?;
        cursor.next(1000).map_err(unreadable)?;
        cursor.position(u32::MAX).map_err(unreadable)?;
        ended()
    }),
    ("cursors", || {
        let mut cursors = Vec::new();
        loop {
            cursors.push(scan()?);
        }
    }),
    ("greedy-cursors", greedy_cursors),
    ("huge-batch", || {
        scan()?.next(u32::MAX).map_err(unreadable)?;
        ended()
    }),
    ("huge-read", || {
        let cursor = scan()?;
        cursor.next(1).map_err(unreadable)?;
        cursor.read(0, 0, 0, u32::MAX).map_err(unreadable)?;
        ended()
    }),
    ("describe-flood", || loop {
        rows::describe().map_err(unreadable)?;
    }),
    ("tiny-batches", || loop {
        let cursor = scan()?;
        while cursor.next(1).map_err(unreadable)?.rows > 0 {}
    }),
];

fn ended() -> Result<Outcome, Error> {
    Ok(Outcome::Done(done(0, 0)))
}

fn scan() -> Result<Cursor, Error> {
    rows::scan(b"t", &[b"a".to_vec()], None).map_err(unreadable)
}

fn read(table: &[u8], columns: &[Vec<u8>], after: Option<&[u8]>) -> Result<Outcome, Error> {
    rows::scan(table, columns, after).map_err(unreadable)?.next(1000).map_err(unreadable)?;
    ended()
}

/// A position of the table `t` in one that is WITHOUT ROWID.
fn foreign_position() -> Result<Outcome, Error> {
    let cursor = scan()?;
    cursor.next(1000).map_err(unreadable)?;
    let position = cursor.position(1).map_err(unreadable)?;
    read(b"keyed", &[b"k".to_vec()], Some(&position))
}

/// As many cursors as it may have, each with the largest batches.
fn greedy_cursors() -> Result<Outcome, Error> {
    let mut cursors = Vec::new();
    for _ in 0..64 {
        let cursor = rows::scan(b"large", &[b"a".to_vec()], None).map_err(unreadable)?;
        cursor.next(1 << 20).map_err(unreadable)?;
        cursors.push(cursor);
    }
    for cursor in &cursors {
        cursor.next(1 << 20).map_err(unreadable)?;
    }
    Err(Error::ReadFailed("it got all of it".to_string()))
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

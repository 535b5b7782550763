//! It writes what is no object.

use alloc::string::ToString;
use alloc::vec;

use crate::exports::partway::pipe::exporter::{Error, Outcome};
use crate::partway::pipe::parts;
use crate::{Way, done, more};

pub const WAYS: &[(&str, Way)] = &[
    ("short-part", || {
        write(1, 100)?;
        Ok(more("short-part".to_string()))
    }),
    ("wrong-number", || one(7, 4096)),
    ("part-too-large", || one(1, 4097)),
    ("enormous-part", || one(1, 30 << 20)),
    ("empty-part", || one(1, 0)),
    ("part-after-the-last", || {
        write(1, 100)?;
        one(2, 100)
    }),
    ("too-many-parts", || {
        for number in 1.. {
            write(number, 4096)?;
        }
        Ok(Outcome::Done(done(0, 0)))
    }),
    ("refused-flood", || loop {
        // It does not care.
        parts::write(7, b"x").ok();
    }),
    ("false-done", || {
        write(1, 100)?;
        Ok(Outcome::Done(done(100_000, 25)))
    }),
    ("nothing", || Ok(Outcome::Done(done(0, 0)))),
];

fn one(number: u32, length: usize) -> Result<Outcome, Error> {
    write(number, length)?;
    Ok(Outcome::Done(done(length as u64, 1)))
}

pub fn write(number: u32, length: usize) -> Result<(), Error> {
    parts::write(number, &vec![b'x'; length]).map_err(|error| {
        Error::WriteFailed(match error {
            parts::Error::Refused(text) | parts::Error::Full(text) | parts::Error::Failed(text) => {
                text
            }
        })
    })
}

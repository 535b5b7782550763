//! The format `sqlite`: the database file itself, page by page.
//!
//! A host that offers the pages gives them as the rows of a table that `describe` does not list: `sqlite_dbpage`, SQLite's own
//! name for it, with one column, `data`. The pages come in their order, and the object is all of them.

use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use crate::cells::{Cell, Cells};
use crate::checkpoint::Counts;
use crate::format::{Format, Step, TableRows};
use crate::output::{Flow, Output};
use crate::part_buffer::PartBuffer;
use crate::pipe::{Cursor, Error, Options, Rows, RowsError, Schema};
use crate::slice;

const TABLE: &[u8] = b"sqlite_dbpage";
const DATA: &[u8] = b"data";

/// A batch holds several pages: the largest has 64 KiB.
const BATCH_BYTES: u32 = 512 * 1024;

/// A database's image.
pub(crate) struct Image {
    page_size: u32,
    steps: [Step<()>; 2],
}

/// Checks the options, and that the host offers the pages, and gives the first checkpoint.
pub(crate) fn start(rows: &impl Rows, options: &Options) -> Result<String, Error> {
    // It may be opened elsewhere and never read.
    match rows.scan(TABLE, &[DATA.to_vec()], None) {
        Ok(_) => slice::start::<Image>(rows, options),
        Err(RowsError::UnknownTable(_) | RowsError::UnknownColumn(_)) => {
            Err(Error::InvalidOptions(String::from(
                "the format \"sqlite\" is a copy of the database's pages, and they are not offered here: a host must \
                 offer them, and no component between it and this one may change what is read",
            )))
        }
        Err(error) => Err(error.into()),
    }
}

impl Format for Image {
    const LISTS_TABLES: bool = false;
    type Table = ();
    type State = ();

    fn new(schema: &Schema, options: &Options) -> Result<Self, Error> {
        if !options.tables.is_empty() {
            return Err(Error::InvalidOptions(String::from(
                "the format \"sqlite\" is the whole database: tables can't be chosen",
            )));
        }
        // Damage is copied as it is, so both values of this one come to the same.
        let unknown = options.settings.iter().find(|(name, _)| name != "damaged");
        if let Some((name, value)) = unknown {
            return Err(Error::InvalidOptions(format!(
                "the format \"sqlite\" is the database as it is: it has no setting {name}={value}"
            )));
        }
        let pages = TableRows {
            table: TABLE.to_vec(),
            columns: vec![DATA.to_vec()],
            counted: true,
            only: None,
            format: (),
        };
        Ok(Self { page_size: schema.page_size, steps: [Step::Rows(pages), Step::End] })
    }

    fn digest(&self) -> u64 {
        u64::from_be_bytes(*b"image\0\0\0") | u64::from(self.page_size)
    }

    fn steps(&self) -> &[Step<()>] {
        &self.steps
    }

    fn warnings(&self) -> &[String] {
        &[]
    }

    fn batch_bytes(&self) -> u32 {
        BATCH_BYTES
    }

    fn skips_damaged(&self) -> bool {
        false
    }

    fn is_inside_row((): &()) -> bool {
        false
    }

    #[inline]
    fn write_row(
        &self,
        _: &TableRows<()>,
        cells: &mut Cells<'_>,
        text: &mut PartBuffer,
        (): &mut (),
    ) -> Result<(), Error> {
        match cells.next()? {
            Cell::Blob(page) if page.len() == self.page_size as usize => {
                text.text().extend_from_slice(page);
                Ok(())
            }
            _ => Err(no_page()),
        }
    }

    fn write_long_row<C: Cursor>(
        &self,
        _: &TableRows<()>,
        _: &mut C,
        _: u32,
        _: &mut Cells<'_>,
        _: &mut Output<'_, ()>,
    ) -> Result<Flow, Error> {
        Err(no_page())
    }

    fn write_gap(&self, _: &mut PartBuffer, (): &mut ()) {}

    fn end_table(&self, _: &TableRows<()>, _: &mut PartBuffer, (): &mut ()) -> Vec<String> {
        Vec::new()
    }

    /// Nothing, unless there is no page: a database that nothing was ever written to is an empty file, and an object has at
    /// least one byte. It is the page that SQLite itself would begin with.
    fn end(&self, Counts { rows, .. }: Counts, _: usize) -> Vec<u8> {
        if rows > 0 { Vec::new() } else { first_page(self.page_size) }
    }
}

fn no_page() -> Error {
    Error::ReadFailed(String::from("the host gave something else for a page of the database"))
}

/// The only page of a database without tables (SQLite's file format, sections 1.3 and 1.6).
fn first_page(size: u32) -> Vec<u8> {
    let size = size.clamp(512, 65_536);
    // 65,536 is written as 1 in the header, and as 0 in the page.
    let in_header = u16::try_from(size).unwrap_or(1).to_be_bytes();
    let in_page = u16::try_from(size).unwrap_or(0).to_be_bytes();
    let mut page = b"SQLite format 3\0".to_vec();
    page.extend_from_slice(&in_header);
    // No log, no reserved bytes, and the fractions that are always the same.
    page.extend_from_slice(&[1, 1, 0, 64, 32, 32]);
    page.resize(31, 0);
    // One page.
    page.push(1);
    page.resize(100, 0);
    // A leaf without cells.
    page.extend_from_slice(&[0x0d, 0, 0, 0, 0]);
    page.extend_from_slice(&in_page);
    page.resize(size as usize, 0);
    page
}

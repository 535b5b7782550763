//! Rows with values too long for a batch. Up to some size they are read into memory; larger ones become a row group each,
//! through which their values pass piece by piece.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use partway_format::cells::Cell;
use partway_format::pipe::{Cursor, Encoding, Error, RowsError};
use partway_format::values::decode;

use crate::column_chunk::{ChunkMetadata, ColumnChunk};
use crate::output::{Flow, Output};
use crate::page::{PLAIN, Pages, data_header};
use crate::plan::{BATCH_BYTES, Plan};
use crate::row_group::push;
use crate::settings::Compression;
use crate::snappy;
use crate::types::ColumnType;

/// Rows of more bytes than these are not read into memory.
pub(crate) const LARGE: u64 = 4 * 1024 * 1024;

/// That the one value of a page is not NULL: the length of the levels, and a run of one.
const PRESENT: [u8; 6] = [2, 0, 0, 0, 2, 1];

/// The bytes of a row's text and blobs.
pub(crate) fn bytes(cells: &[Cell<'_>]) -> u64 {
    let length = |cell: &Cell<'_>| match cell {
        Cell::Text(bytes) | Cell::Utf8(bytes) | Cell::Blob(bytes) => bytes.len() as u64,
        Cell::Long { length, .. } => u64::from(*length),
        _ => 0,
    };
    cells.iter().map(length).sum()
}

/// A long value, whole. None: the database is damaged there, and that is to be skipped.
pub(crate) fn read_whole(
    cursor: &mut impl Cursor,
    (row, column): (u32, u32),
    length: u32,
    skips_damaged: bool,
) -> Result<Option<Vec<u8>>, Error> {
    let mut value = Vec::with_capacity(length as usize);
    while value.len() < length as usize {
        let offset = value.len() as u32;
        match read(cursor, (row, column), offset, length) {
            Err(Error::Corrupt(_)) if skips_damaged => return Ok(None),
            piece => value.extend_from_slice(&piece?),
        }
    }
    Ok(Some(value))
}

/// A piece of a long value.
fn read(
    cursor: &mut impl Cursor,
    (row, column): (u32, u32),
    offset: u32,
    length: u32,
) -> Result<Vec<u8>, Error> {
    let left = length - offset;
    let piece =
        cursor.read(row, column, offset, left.min(BATCH_BYTES)).map_err(|error| match error {
            RowsError::InvalidCell(text) => RowsError::Failed(text),
            error => error,
        })?;
    if piece.is_empty() || piece.len() > left as usize {
        return Err(inconsistent());
    }
    Ok(piece)
}

/// The host gives other bytes than it said.
fn inconsistent() -> Error {
    Error::ReadFailed(String::from("a long value does not have the length that its batch gave"))
}

/// Why a large row is not written.
pub(crate) enum Failure {
    /// What a column's value is instead.
    Misfit(usize, &'static str),
    Error(Error),
}

impl<E: Into<Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Error(error.into())
    }
}

/// A large row, and where it goes.
pub(crate) struct LargeRow<'r, 'o, C> {
    pub(crate) plan: &'r Plan,
    pub(crate) types: &'r [ColumnType],
    pub(crate) cursor: &'r mut C,
    /// Its number in the cursor's batch.
    pub(crate) row: u32,
    pub(crate) pages: &'r mut Pages,
    pub(crate) output: &'r mut Output<'o>,
}

/// A value that is not in its batch.
#[derive(Clone, Copy)]
struct LongValue {
    column: u32,
    is_text: bool,
    length: u32,
}

impl<C: Cursor> LargeRow<'_, '_, C> {
    /// Writes the row's column chunks. None: the slice ends.
    pub(crate) fn write(
        mut self,
        cells: &[Cell<'_>],
    ) -> Result<Option<Vec<ChunkMetadata>>, Failure> {
        let mut columns = Vec::with_capacity(cells.len());
        for ((column, cell), of) in cells.iter().enumerate().zip(self.types) {
            let written = match *cell {
                Cell::Long { text, length } => {
                    let value = LongValue { column: column as u32, is_text: text, length };
                    self.write_long(value, *of)?
                }
                cell => {
                    let mut chunk = ColumnChunk::new(of.physical(), 0);
                    push(&mut chunk, *of, self.plan.encoding, cell, self.pages)
                        .map_err(|misfit| Failure::Misfit(column, misfit))?;
                    let (pages, metadata) = chunk.finish(self.pages);
                    let mut flow = Flow::Continue;
                    for page in pages {
                        if flow == Flow::Continue {
                            flow = self.output.push(&page.bytes)?;
                        }
                    }
                    (flow == Flow::Continue).then_some(metadata)
                }
            };
            let Some(metadata) = written else { return Ok(None) };
            columns.push(metadata);
        }
        Ok(Some(columns))
    }

    /// Writes a value as a chunk of one page, which is not compressed: how long it becomes is known before it is read.
    fn write_long(
        &mut self,
        value: LongValue,
        of: ColumnType,
    ) -> Result<Option<ChunkMetadata>, Failure> {
        let misfit = |what| Err(Failure::Misfit(value.column as usize, what));
        match (value.is_text, of) {
            (true, ColumnType::Integer | ColumnType::Real) => return misfit("text"),
            (false, ColumnType::Integer | ColumnType::Real | ColumnType::Text) => {
                return misfit("a blob");
            }
            _ => {}
        }
        let is_decoded = value.is_text && of != ColumnType::Stored;
        let converts = is_decoded && self.plan.encoding != Encoding::Utf8;
        // Where the rows have been looked at, text is known to be valid.
        let is_new = is_decoded && self.plan.declared_types().is_some() && self.output.is_new();
        let length = if converts || is_new {
            match self.decoded_length(value)? {
                None => return misfit("text that is invalid in the database's encoding"),
                Some(length) if converts => length,
                Some(_) => u64::from(value.length),
            }
        } else {
            u64::from(value.length)
        };
        let body = PRESENT.len() as u64 + 4 + length;
        let fits = i32::try_from(body + 16).is_ok();
        let (Ok(length), true) = (u32::try_from(length), fits) else {
            return Err(self.too_long(value).into());
        };
        let body = body as usize;
        let prelude = match self.plan.settings.compression {
            Compression::None => Vec::new(),
            Compression::Snappy => snappy::stored(body as u32),
        };
        let header = data_header((body, prelude.len() + body), 1, PLAIN);
        let metadata = ChunkMetadata {
            uncompressed: (header.len() + body) as u64,
            compressed: (header.len() + prelude.len() + body) as u64,
            ..ChunkMetadata::default()
        };
        let start = [&header[..], &prelude, &PRESENT, &length.to_le_bytes()].concat();
        let mut flow = self.output.push(&start)?;
        if flow == Flow::Continue {
            flow = if converts { self.convert(value)? } else { self.copy(value)? };
        }
        Ok((flow == Flow::Continue).then_some(metadata))
    }

    /// Writes a value's bytes as they are. What is in parts already is not read again.
    fn copy(&mut self, value: LongValue) -> Result<Flow, Error> {
        let mut offset = self.output.skip(value.length.into()) as u32;
        while offset < value.length {
            let piece = read(self.cursor, (self.row, value.column), offset, value.length)?;
            offset += piece.len() as u32;
            if self.output.push(&piece)? == Flow::Stop || self.output.should_stop() {
                return Ok(Flow::Stop);
            }
        }
        Ok(Flow::Continue)
    }

    /// Writes a text in UTF-8.
    fn convert(&mut self, value: LongValue) -> Result<Flow, Error> {
        let mut offset = 0;
        while offset < value.length {
            let piece = read(self.cursor, (self.row, value.column), offset, value.length)?;
            let is_last = offset + piece.len() as u32 == value.length;
            let decoded = decode(&piece, self.plan.encoding, is_last);
            if decoded.bytes == 0 {
                return Err(inconsistent());
            }
            offset += decoded.bytes as u32;
            if self.output.push(decoded.text.as_bytes())? == Flow::Stop || self.output.should_stop()
            {
                return Ok(Flow::Stop);
            }
        }
        Ok(Flow::Continue)
    }

    /// The bytes that a text has in UTF-8. None: it is not valid.
    fn decoded_length(&mut self, value: LongValue) -> Result<Option<u64>, Error> {
        let (mut offset, mut length) = (0, 0);
        while offset < value.length {
            let piece = read(self.cursor, (self.row, value.column), offset, value.length)?;
            let is_last = offset + piece.len() as u32 == value.length;
            let decoded = decode(&piece, self.plan.encoding, is_last);
            if decoded.replaced > 0 || decoded.bytes == 0 {
                return Ok(None);
            }
            offset += decoded.bytes as u32;
            length += decoded.text.len() as u64;
        }
        Ok(Some(length))
    }

    fn too_long(&self, value: LongValue) -> Error {
        Error::InvalidOptions(format!(
            "column {} of table {} has a value of {} bytes: a page of a Parquet file has less than 2 GiB",
            self.plan.column_name(value.column as usize),
            self.plan.table_name(),
            value.length
        ))
    }
}

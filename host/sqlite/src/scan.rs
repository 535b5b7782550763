//! A scan on the thread that owns the connection: of a table, or of the pages.

use crate::batch_queue::BatchSender;
use crate::long_value::Piece;
use crate::page_reader::PageReader;
use crate::table_reader::TableReader;
use partway_wasmtime::rows::Error as RowsError;

/// An open scan.
pub(crate) enum Scan<'c> {
    Table(Box<TableReader<'c>>),
    Pages(PageReader<'c>),
}

impl Scan<'_> {
    /// From now on batches are wanted, of so many bytes of text and blobs.
    pub(crate) fn start(&mut self, max_bytes: u32) {
        match self {
            Self::Table(reader) => reader.start(max_bytes),
            Self::Pages(reader) => reader.start(max_bytes),
        }
    }

    /// The queue that it reads into.
    pub(crate) fn batches(&mut self) -> &mut BatchSender {
        match self {
            Self::Table(reader) => reader.batches(),
            Self::Pages(reader) => reader.batches(),
        }
    }

    /// Reads one more batch, and says whether to read on.
    pub(crate) fn read_batch(&mut self) -> bool {
        match self {
            Self::Table(reader) => reader.read_batch(),
            Self::Pages(reader) => reader.read_batch(),
        }
    }

    /// Reads bytes of a long value.
    pub(crate) fn read_piece(&mut self, piece: &Piece) -> Result<Vec<u8>, RowsError> {
        match self {
            Self::Table(reader) => reader.read_piece(piece),
            Self::Pages(reader) => reader.read_piece(piece),
        }
    }

    /// Closes the long value that was last read from, which may be held in memory.
    pub(crate) fn close_long_value(&mut self) {
        if let Self::Table(reader) = self {
            reader.close_long_value();
        }
    }
}

//! Where parts are cut: the buffer between the text and the store.

use alloc::vec::Vec;

use crate::contents::OpenTable;
use crate::pipe::{Error, Parts, TableContents};

/// Bytes beyond one part, for the row that crosses its end, so that the buffer is not reallocated.
const ROW_ROOM: usize = 1024 * 1024;

/// Collects text and hands it over in equal parts.
pub(crate) struct PartBuffer {
    bytes: Vec<u8>,
    part_size: usize,
    /// Parts handed over since the export began.
    written: u32,
    /// The table whose rows the text goes on with.
    table: Option<OpenTable>,
}

impl PartBuffer {
    /// A buffer that begins with `carry`, after `written` parts, within the rows of `table`.
    pub(crate) fn new(
        part_size: u32,
        written: u32,
        carry: &[u8],
        table: Option<OpenTable>,
    ) -> Self {
        let part_size = part_size as usize;
        let mut bytes = Vec::with_capacity(carry.len().max(part_size) + ROW_ROOM);
        bytes.extend_from_slice(carry);
        Self { bytes, part_size, written, table }
    }

    /// The text not yet handed over, to append to.
    pub(crate) fn text(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// The text after the last part's end.
    pub(crate) fn carry(&self) -> &[u8] {
        &self.bytes
    }

    /// Parts handed over since the export began.
    pub(crate) fn written(&self) -> u32 {
        self.written
    }

    /// Bytes handed over since the export began, while no shorter last part has been.
    pub(crate) fn bytes_written(&self) -> u64 {
        u64::from(self.written) * self.part_size as u64
    }

    /// Bytes of text since the export began.
    pub(crate) fn offset(&self) -> u64 {
        self.bytes_written() + self.bytes.len() as u64
    }

    /// A table's rows begin here, unless they have begun before; so many rows were exported before them.
    pub(crate) fn begin_table(&mut self, rows: u64) {
        if self.table.is_none() {
            self.table = Some(OpenTable::begin(self.offset(), rows));
        }
    }

    /// The table's rows end here, after so many rows in all; none if none have begun.
    pub(crate) fn end_table(&mut self, name: &[u8], rows: u64) -> Option<TableContents> {
        let mut table = self.table.take()?;
        table.update(self.bytes_written(), &self.bytes);
        Some(table.end(name, self.offset(), rows))
    }

    /// The table whose rows have begun and not ended.
    pub(crate) fn table(&self) -> Option<&OpenTable> {
        self.table.as_ref()
    }

    /// Whether a part can be cut.
    pub(crate) fn is_full(&self) -> bool {
        self.bytes.len() >= self.part_size
    }

    /// Hands over whole parts, at most `limit` of them, and gives their number.
    pub(crate) fn cut(&mut self, limit: u32, parts: &mut dyn Parts) -> Result<u32, Error> {
        let mut count = 0;
        let mut rest = &self.bytes[..];
        while count < limit
            && let Some((part, after)) = rest.split_at_checked(self.part_size)
        {
            parts.write(self.written + 1, part)?;
            if let Some(table) = &mut self.table {
                table.update(u64::from(self.written) * self.part_size as u64, part);
            }
            self.written += 1;
            count += 1;
            rest = after;
        }
        let start = self.bytes.len() - rest.len();
        self.bytes.drain(..start);
        Ok(count)
    }

    /// Hands over what is left as the last part, and gives the object's length.
    pub(crate) fn finish(&mut self, parts: &mut dyn Parts) -> Result<u64, Error> {
        let length = self.offset();
        if !self.bytes.is_empty() {
            parts.write(self.written + 1, &self.bytes)?;
            self.written += 1;
            self.bytes.clear();
        }
        Ok(length)
    }
}

//! What the footer says of the row groups that are written, in few bytes: checkpoints hold it.

use alloc::vec::Vec;

use partway_format::pipe::Error;
use partway_format::saved;
use serde::{Deserialize, Serialize};

use crate::column_chunk::ChunkMetadata;
use crate::thrift::{read_varint, write_varint};

/// From here on row groups have no statistics but of NULLs.
const ENOUGH: usize = 2 * 1024 * 1024;

/// Where there is no room for another: a checkpoint is in memory as text too.
const MOST: usize = 6 * 1024 * 1024;

/// The row groups that are written.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct RowGroups {
    pub(crate) count: u32,
    pub(crate) rows: u64,
    /// Where in the file the last one ends.
    pub(crate) end: u64,
    #[serde(with = "saved::bytes")]
    bytes: Vec<u8>,
}

/// How much of [`RowGroups`] there was at some time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Mark {
    count: u32,
    rows: u64,
    end: u64,
    bytes: usize,
}

/// What the footer says of a row group.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct RowGroupMetadata {
    pub(crate) rows: u64,
    pub(crate) columns: Vec<ChunkMetadata>,
}

impl RowGroups {
    /// None, in a file that begins with so many bytes of something else.
    pub(crate) fn new(start: u64) -> Self {
        Self { count: 0, rows: 0, end: start, bytes: Vec::new() }
    }

    pub(crate) fn mark(&self) -> Mark {
        let Self { count, rows, end, .. } = *self;
        Mark { count, rows, end, bytes: self.bytes.len() }
    }

    /// Forgets those that have come since.
    pub(crate) fn truncate(&mut self, to: Mark) {
        (self.count, self.rows, self.end) = (to.count, to.rows, to.end);
        self.bytes.truncate(to.bytes);
    }

    /// Adds one. False: there is no room for it.
    pub(crate) fn push(&mut self, group: RowGroupMetadata) -> bool {
        if self.bytes.len() > MOST {
            return false;
        }
        let has_ranges = self.bytes.len() < ENOUGH;
        let to = &mut self.bytes;
        self.count += 1;
        self.rows += group.rows;
        write_varint(to, group.rows);
        for chunk in group.columns {
            self.end += chunk.compressed;
            let range = chunk.range.filter(|_| has_ranges);
            for number in [chunk.compressed, chunk.dictionary, chunk.uncompressed] {
                write_varint(to, number);
            }
            write_varint(to, chunk.nulls << 1 | u64::from(range.is_some()));
            for end in range.iter().flat_map(|(least, greatest)| [least, greatest]) {
                write_varint(to, end.len() as u64);
                to.extend_from_slice(end);
            }
        }
        true
    }

    /// All of them, of so many columns.
    pub(crate) fn iter(
        &self,
        columns: usize,
    ) -> impl Iterator<Item = Result<RowGroupMetadata, Error>> {
        let mut rest = &self.bytes[..];
        (0..self.count).map(move |_| read(&mut rest, columns).ok_or_else(damaged))
    }
}

fn read(from: &mut &[u8], columns: usize) -> Option<RowGroupMetadata> {
    let rows = read_varint(from)?;
    let columns = (0..columns).map(|_| {
        let (compressed, dictionary) = (read_varint(from)?, read_varint(from)?);
        let (uncompressed, nulls) = (read_varint(from)?, read_varint(from)?);
        let range = if nulls & 1 == 1 { Some((read_end(from)?, read_end(from)?)) } else { None };
        Some(ChunkMetadata { uncompressed, compressed, dictionary, nulls: nulls >> 1, range })
    });
    Some(RowGroupMetadata { rows, columns: columns.collect::<Option<_>>()? })
}

fn read_end(from: &mut &[u8]) -> Option<Vec<u8>> {
    let length = usize::try_from(read_varint(from)?).ok()?;
    let (end, rest) = from.split_at_checked(length)?;
    *from = rest;
    Some(end.to_vec())
}

fn damaged() -> Error {
    Error::InvalidCheckpoint(
        "the checkpoint is damaged (its row groups can't be read): start the export over".into(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(rows: u64) -> RowGroupMetadata {
        let chunk = ChunkMetadata {
            uncompressed: 900,
            compressed: 400,
            dictionary: 30,
            nulls: 7,
            range: None,
        };
        let range = Some((b"a".to_vec(), b"zebra".to_vec()));
        RowGroupMetadata {
            rows,
            columns: alloc::vec![chunk.clone(), ChunkMetadata { range, ..chunk }],
        }
    }

    #[test]
    fn row_groups_are_read_as_they_were_written() {
        let mut groups = RowGroups::new(4);
        groups.push(group(5));
        let mark = groups.mark();
        let one = groups.clone();
        groups.push(group(300));
        assert_eq!((groups.count, groups.rows, groups.end), (2, 305, 1604));
        let read: Result<Vec<_>, _> = groups.iter(2).collect();
        assert_eq!(read.unwrap(), [group(5), group(300)]);
        let text = serde_json::to_string(&groups).unwrap();
        assert_eq!(serde_json::from_str::<RowGroups>(&text).unwrap(), groups);
        groups.truncate(mark);
        assert_eq!(groups, one);
        assert!(groups.iter(3).any(|group| group.is_err()));
    }

    #[test]
    fn there_is_an_end_to_them_which_ranges_do_not_bring_nearer() {
        let mut groups = RowGroups::new(4);
        while groups.push(group(1)) {}
        assert!(groups.bytes.len() <= MOST + 100);
        let ranges =
            groups.iter(2).filter(|group| group.as_ref().unwrap().columns[1].range.is_some());
        assert!((80_000..150_000).contains(&ranges.count()));
    }
}

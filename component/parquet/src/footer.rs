//! The end of a file: its schema, and where its row groups are.

use alloc::format;
use alloc::string::String;
use core::cell::Cell;

use partway_format::pipe::Error;

use crate::column_chunk::ChunkMetadata;
use crate::metadata::{RowGroupMetadata, RowGroups};
use crate::page::{PLAIN, RLE, RLE_DICTIONARY};
use crate::settings::Compression;
use crate::thrift::{Of, Thrift};
use crate::types::ColumnType;

/// A file begins with it, and ends with it.
pub(crate) const MAGIC: &[u8] = b"PAR1";

/// The name under which a file says that rows are missing.
const INCOMPLETE: &str = "partway:incomplete";

const CREATED_BY: &str = concat!("partway version ", env!("CARGO_PKG_VERSION"));

/// Parquet's numbers.
const OPTIONAL: i32 = 1;
const UTF8: i32 = 0;

/// What is said of a file.
pub(crate) struct Footer<'a> {
    /// The columns' names and types.
    pub(crate) columns: &'a [(String, ColumnType)],
    pub(crate) compression: Compression,
    pub(crate) groups: &'a RowGroups,
    /// Damaged places, and values, that are missing.
    pub(crate) damaged: usize,
}

impl Footer<'_> {
    /// Hands it over piece by piece, until `put` returns false.
    pub(crate) fn write(
        &self,
        mut put: impl FnMut(&[u8]) -> Result<bool, Error>,
    ) -> Result<bool, Error> {
        let length = Cell::new(0);
        let mut put = |bytes: &[u8]| {
            length.set(length.get() + bytes.len() as u32);
            put(bytes)
        };
        let mut thrift = Thrift::new();
        thrift.i32(1, 1);
        self.schema(&mut thrift);
        thrift.i64(3, self.groups.rows as i64);
        thrift.list(4, Of::Struct, self.groups.count as usize);
        let mut offset = MAGIC.len() as u64;
        for group in self.groups.iter(self.columns.len()) {
            offset = self.row_group(&mut thrift, &group?, offset);
            if !put(&thrift.take())? {
                return Ok(false);
            }
        }
        if self.damaged > 0 {
            let rows = self.groups.rows;
            thrift.list(5, Of::Struct, 1);
            thrift.begin_item();
            thrift.binary(1, INCOMPLETE.as_bytes());
            thrift.binary(2, format!("tables=1 rows={rows} damaged={}", self.damaged).as_bytes());
            thrift.end();
        }
        thrift.binary(6, CREATED_BY.as_bytes());
        self.orders(&mut thrift);
        if !put(&thrift.finish())? {
            return Ok(false);
        }
        let end = [&length.get().to_le_bytes(), MAGIC].concat();
        put(&end)
    }

    fn schema(&self, thrift: &mut Thrift) {
        thrift.list(2, Of::Struct, self.columns.len() + 1);
        thrift.begin_item();
        thrift.binary(4, b"schema");
        thrift.i32(5, self.columns.len() as i32);
        thrift.end();
        for (name, column_type) in self.columns {
            thrift.begin_item();
            thrift.i32(1, column_type.physical() as i32);
            thrift.i32(3, OPTIONAL);
            thrift.binary(4, name.as_bytes());
            if *column_type == ColumnType::Text {
                thrift.i32(6, UTF8);
                // The logical type, a string.
                thrift.begin(10);
                thrift.begin(1);
                thrift.end();
                thrift.end();
            }
            thrift.end();
        }
    }

    /// Writes what is said of a row group, which begins at `offset`. Where it ends.
    fn row_group(&self, thrift: &mut Thrift, group: &RowGroupMetadata, offset: u64) -> u64 {
        let sum = |of: fn(&ChunkMetadata) -> u64| group.columns.iter().map(of).sum::<u64>();
        let compressed = sum(|chunk| chunk.compressed);
        thrift.begin_item();
        thrift.list(1, Of::Struct, group.columns.len());
        let mut start = offset;
        for ((name, column_type), chunk) in self.columns.iter().zip(&group.columns) {
            thrift.begin_item();
            thrift.i64(2, 0);
            thrift.begin(3);
            self.chunk(thrift, (name, *column_type), (chunk, group.rows), start);
            thrift.end();
            thrift.end();
            start += chunk.compressed;
        }
        thrift.i64(2, sum(|chunk| chunk.uncompressed) as i64);
        thrift.i64(3, group.rows as i64);
        thrift.i64(5, offset as i64);
        thrift.i64(6, compressed as i64);
        thrift.end();
        start
    }

    fn chunk(
        &self,
        thrift: &mut Thrift,
        (name, column_type): (&str, ColumnType),
        (chunk, rows): (&ChunkMetadata, u64),
        start: u64,
    ) {
        let has_dictionary = chunk.dictionary > 0;
        thrift.i32(1, column_type.physical() as i32);
        let encodings: &[i32] =
            if has_dictionary { &[PLAIN, RLE, RLE_DICTIONARY] } else { &[PLAIN, RLE] };
        thrift.list(2, Of::I32, encodings.len());
        for encoding in encodings {
            thrift.item_i32(*encoding);
        }
        thrift.list(3, Of::Binary, 1);
        thrift.item_binary(name.as_bytes());
        thrift.i32(4, i32::from(self.compression == Compression::Snappy));
        thrift.i64(5, rows as i64);
        thrift.i64(6, chunk.uncompressed as i64);
        thrift.i64(7, chunk.compressed as i64);
        thrift.i64(9, (start + chunk.dictionary) as i64);
        if has_dictionary {
            thrift.i64(11, start as i64);
        }
        thrift.begin(12);
        thrift.i64(3, chunk.nulls as i64);
        if let Some((least, greatest)) = &chunk.range {
            thrift.binary(5, greatest);
            thrift.binary(6, least);
        }
        thrift.end();
    }

    /// That the columns' ends are by the order of their types: without it, readers ignore those of text.
    fn orders(&self, thrift: &mut Thrift) {
        thrift.list(7, Of::Struct, self.columns.len());
        for _ in self.columns {
            thrift.begin_item();
            thrift.begin(1);
            thrift.end();
            thrift.end();
        }
    }
}

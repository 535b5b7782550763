//! The look at a table's rows before its columns' types are chosen.
//!
//! It is in slices of its own: they write no part, but their checkpoint says how far it is, and what it has seen.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use partway_format::cells::{Cell, Cells};
use partway_format::pipe::{Batch, Cursor, Encoding, Error, Pacing, Position, Rows, RowsError};
use partway_format::saved;
use partway_format::values::decode;
use serde::{Deserialize, Serialize};

use crate::output::Flow;
use crate::plan::{BATCH_BYTES, Plan};
use crate::types::{ColumnType, Stored, is_exact};

/// How many columns a warning names.
const MAX_NAMED: usize = 5;

/// How far the look is, and what it has seen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Look {
    /// It goes on after this position; none: at the table's start.
    #[serde(with = "saved::optional_bytes", default, skip_serializing_if = "Option::is_none")]
    after: Option<Position>,
    /// The rows before it.
    rows: u64,
    /// What is stored in their columns.
    stored: Vec<Stored>,
}

impl Look {
    /// Nothing is seen yet.
    pub(crate) fn new(plan: &Plan) -> Self {
        Self { after: None, rows: 0, stored: alloc::vec![Stored::default(); plan.columns.len()] }
    }

    /// Whether it is one at these columns.
    pub(crate) fn fits(&self, plan: &Plan) -> bool {
        self.stored.len() == plan.columns.len()
    }

    /// Goes on, by one batch at least, until the slice should end.
    pub(crate) fn resume(
        &mut self,
        plan: &Plan,
        rows: &impl Rows,
        pacing: &impl Pacing,
    ) -> Result<Flow, Error> {
        let most = plan.max_rows.unwrap_or(u64::MAX);
        if self.rows >= most {
            return Ok(Flow::Continue);
        }
        let mut cursor = rows.scan(&plan.table, &plan.columns, self.after.as_deref())?;
        let mut is_behind_gap = false;
        loop {
            let batch = match cursor.next(BATCH_BYTES) {
                // Twice in a row: nothing behind the damage can be reached.
                Err(RowsError::Corrupt(_)) if plan.settings.skip_damaged && is_behind_gap => break,
                Err(RowsError::Corrupt(_)) if plan.settings.skip_damaged => {
                    is_behind_gap = true;
                    continue;
                }
                batch => batch?,
            };
            is_behind_gap = false;
            if batch.rows == 0 {
                break;
            }
            let rows = u64::from(batch.rows).min(most - self.rows);
            look_at(plan, &mut cursor, &batch, rows as u32, &mut self.stored)?;
            self.rows += rows;
            if self.rows == most {
                break;
            }
            if pacing.should_yield() {
                self.after = Some(cursor.position(batch.rows)?);
                return Ok(Flow::Stop);
            }
        }
        Ok(Flow::Continue)
    }

    /// The columns' types, and what of the values they do not tell, one sentence each.
    pub(crate) fn types(&self, plan: &Plan) -> (Vec<ColumnType>, Vec<String>) {
        let of_column =
            |(stored, declared): (&Stored, &Vec<u8>)| ColumnType::of_stored(*stored, declared);
        let types = self.stored.iter().zip(&plan.declared).map(of_column).collect();
        (types, warnings(plan, &self.stored))
    }
}

fn warnings(plan: &Plan, stored: &[Stored]) -> Vec<String> {
    let table = plan.table_name();
    let columns = || stored.iter().enumerate();
    let mixed: Vec<String> = columns()
        .filter_map(|(column, stored)| {
            let kinds = stored.mixed()?;
            let come = if stored.blobs || stored.is_invalid { "bytes" } else { "text" };
            Some(format!("{} ({kinds}, all as {come})", plan.column_name(column)))
        })
        .collect();
    let invalid: Vec<String> = columns()
        .filter(|(_, stored)| stored.is_invalid)
        .map(|(column, _)| plan.column_name(column))
        .collect();
    let mut warnings = Vec::new();
    if !mixed.is_empty() {
        let mixed = listed(mixed);
        warnings.push(format!("table {table} has values of several kinds in one column: {mixed}"));
    }
    if !invalid.is_empty() {
        let invalid = listed(invalid);
        warnings.push(format!(
            "table {table} has text that is invalid in the database's encoding: it is written as bytes, as stored, in \
             the columns {invalid}"
        ));
    }
    warnings
}

fn listed(mut names: Vec<String>) -> String {
    let more = names.len().saturating_sub(MAX_NAMED);
    names.truncate(MAX_NAMED);
    let listed = names.join(", ");
    if more > 0 { format!("{listed} and {more} more") } else { listed }
}

/// Takes in the first rows of a batch.
fn look_at(
    plan: &Plan,
    cursor: &mut impl Cursor,
    batch: &Batch,
    rows: u32,
    stored: &mut [Stored],
) -> Result<(), Error> {
    let mut cells = Cells::new(batch, stored.len())?;
    for row in 0..rows {
        for (column, stored) in (0..).zip(&mut *stored) {
            match cells.next()? {
                Cell::Null => {}
                Cell::Integer(value) => {
                    stored.integers = true;
                    stored.is_inexact |= !is_exact(value);
                }
                Cell::Real(value) => stored.reals |= !value.is_nan(),
                Cell::Utf8(_) if plan.encoding == Encoding::Utf8 => stored.texts = true,
                Cell::Text(text) | Cell::Utf8(text) => {
                    stored.texts = true;
                    stored.is_invalid |= !is_valid(text, plan.encoding);
                }
                Cell::Blob(_) => stored.blobs = true,
                Cell::Long { text: false, .. } => stored.blobs = true,
                Cell::Long { text: true, length } => {
                    stored.texts = true;
                    if !stored.is_invalid {
                        let at = (row, column);
                        stored.is_invalid = !is_valid_long(plan, cursor, at, length)?;
                    }
                }
            }
        }
    }
    Ok(())
}

/// Whether text is valid in its encoding.
pub(crate) fn is_valid(text: &[u8], encoding: Encoding) -> bool {
    if encoding == Encoding::Utf8 {
        return core::str::from_utf8(text).is_ok();
    }
    let (units, rest) = text.as_chunks::<2>();
    let upper = usize::from(encoding == Encoding::Utf16le);
    // Without a branch on the way. Most text has no surrogates.
    let has_surrogates = units.iter().fold(false, |any, unit| any | (unit[upper] & 0xf8 == 0xd8));
    rest.is_empty() && (!has_surrogates || decode(text, encoding, true).replaced == 0)
}

/// The same of a value that is not in the batch.
fn is_valid_long(
    plan: &Plan,
    cursor: &mut impl Cursor,
    (row, column): (u32, u32),
    length: u32,
) -> Result<bool, Error> {
    let mut offset = 0;
    while offset < length {
        let piece = match cursor.read(row, column, offset, BATCH_BYTES.min(length - offset)) {
            // It will be left out.
            Err(RowsError::Corrupt(_)) if plan.settings.skip_damaged => return Ok(true),
            piece => piece?,
        };
        let is_last = offset as usize + piece.len() >= length as usize;
        let decoded = decode(&piece, plan.encoding, is_last);
        if decoded.replaced > 0 || decoded.bytes == 0 {
            return Ok(false);
        }
        offset += decoded.bytes as u32;
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_valid_or_not() {
        assert!(is_valid("aé😀".as_bytes(), Encoding::Utf8) && !is_valid(b"\xff", Encoding::Utf8));
        let units =
            |units: &[u16]| units.iter().flat_map(|unit| unit.to_le_bytes()).collect::<Vec<_>>();
        let pair = units(&[0x61, 0xd83d, 0xde00]);
        assert!(is_valid(&pair, Encoding::Utf16le));
        assert!(
            !is_valid(&pair[..4], Encoding::Utf16le) && !is_valid(&pair[..3], Encoding::Utf16le)
        );
        let swapped: Vec<u8> = pair.chunks(2).flat_map(|unit| [unit[1], unit[0]]).collect();
        assert!(is_valid(&swapped, Encoding::Utf16be));
        assert!(!is_valid(&swapped[..4], Encoding::Utf16be));
    }
}

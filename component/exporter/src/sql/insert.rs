//! Rows as INSERT statements, many rows to a statement.

use alloc::vec::Vec;

use super::plan::{Insert, Plan};
use super::state::State;
use crate::cells::Cells;
use crate::format::TableRows;
use crate::part_buffer::PartBuffer;
use crate::pipe::Error;

/// What stands between two rows of a statement, up to the second one's first value.
const NEXT_ROW: &[u8; 3] = b",\n(";

/// What ends a statement.
pub(super) const CLOSING: &[u8] = b";\n";

/// Writes a row whose values are all in the batch.
#[inline(always)]
pub(super) fn write_row(
    plan: &Plan,
    table: &TableRows<Insert>,
    cells: &mut Cells<'_>,
    buffer: &mut PartBuffer,
    state: &mut State,
) -> Result<(), Error> {
    let start = buffer.text().len();
    let row = buffer.offset();
    let text = buffer.text();
    // Each is a copy of known length: one of unknown length is a call in WebAssembly.
    match state.statement {
        Some(_) => text.extend_from_slice(NEXT_ROW),
        None => text.push(b'('),
    }
    for _ in 0..table.columns.len() {
        plan.literals.write(text, cells.next()?);
        text.push(b',');
    }
    // Instead of the last comma.
    text.pop();
    text.push(b')');
    if plan.literals.converts() {
        state.unconverted += plan.literals.take_unconverted();
    }
    open_statement(plan, &table.format, buffer, state, start, row);
    Ok(())
}

/// Puts the row whose text begins at `start` in the buffer into a statement: the open one, or a new one where
/// that would grow too long. `row` is where in the object the row's text begins.
///
/// A statement is bounded by what it holds, never by where parts or slices end, so that the bytes do not
/// depend on them.
fn open_statement(
    plan: &Plan,
    insert: &Insert,
    buffer: &mut PartBuffer,
    state: &mut State,
    start: usize,
    row: u64,
) {
    let end = buffer.offset() + CLOSING.len() as u64;
    let (row, replaced) = match state.statement {
        None => (row, 0),
        Some(open) if insert.single_row || end - open > plan.limits.statement => {
            (row + CLOSING.len() as u64, NEXT_ROW.len())
        }
        Some(_) => return,
    };
    let mut opening = Vec::with_capacity(insert.opening.len() + 4);
    if replaced > 0 {
        opening.extend_from_slice(CLOSING);
    }
    opening.extend_from_slice(&insert.opening);
    if replaced > 0 {
        opening.push(b'(');
    }
    buffer.text().splice(start..start + replaced, opening);
    state.statement = Some(row);
}

/// Ends the open statement, if there is one.
pub(super) fn end_statement(buffer: &mut PartBuffer, state: &mut State) {
    if state.statement.take().is_some() {
        buffer.text().extend_from_slice(CLOSING);
    }
}

//! Rows whose values are all in the batch.

use alloc::vec::Vec;

use super::layout::RowText;
use super::settings::Blobs;
use super::state::{Form, Losses, State};
use super::syntax::Syntax;
use crate::cells::{Cell, Cells};
use crate::format::TableRows;
use crate::pipe::{Encoding, Error};
use crate::values::{decode, write_integer, write_shortest};

/// Writes a row.
#[inline(always)]
pub(super) fn write_row<S: Syntax>(
    syntax: &S,
    encoding: Encoding,
    table: &TableRows<RowText>,
    cells: &mut Cells<'_>,
    to: &mut Vec<u8>,
    state: &mut State,
) -> Result<(), Error> {
    begin_row(&table.format, to, state);
    let start = to.len();
    for before in &table.format.before {
        before.append_to(to);
        write_cell(syntax, encoding, to, cells.next()?, &mut state.losses);
    }
    state.losses.empty_lines += u64::from(to.len() == start);
    table.format.after.append_to(to);
    Ok(())
}

/// Writes what stands before a row.
#[inline(always)]
pub(super) fn begin_row(row: &RowText, to: &mut Vec<u8>, state: &mut State) {
    if row.is_separated {
        if state.has_rows {
            to.push(b',');
        }
        state.has_rows = true;
    }
}

/// Writes a value that is in its batch. Long cells are not, and `long_row` writes them.
#[inline(always)]
pub(super) fn write_cell<S: Syntax>(
    syntax: &S,
    encoding: Encoding,
    to: &mut Vec<u8>,
    cell: Cell<'_>,
    losses: &mut Losses,
) {
    match cell {
        Cell::Null | Cell::Long { .. } => syntax.write_null(to),
        Cell::Integer(value) => write_integer(to, value),
        Cell::Real(value) => write_real(syntax, to, value),
        Cell::Text(bytes) if encoding == Encoding::Utf8 => {
            write_utf8(syntax, to, bytes, false, losses);
        }
        Cell::Utf8(bytes) if encoding == Encoding::Utf8 => {
            write_utf8(syntax, to, bytes, true, losses);
        }
        Cell::Text(bytes) | Cell::Utf8(bytes) => write_decoded(syntax, encoding, to, bytes, losses),
        Cell::Blob(bytes) => {
            losses.blobs += u64::from(syntax.blobs() != Blobs::Tagged);
            let (opening, closing) = syntax.delimiters(Form::Blob);
            to.extend_from_slice(opening);
            syntax.write_bytes(to, bytes);
            to.extend_from_slice(closing);
        }
    }
}

/// NaN, which SQLite can't store, is NULL.
#[inline(always)]
fn write_real<S: Syntax>(syntax: &S, to: &mut Vec<u8>, value: f64) {
    if value.is_finite() {
        write_shortest(to, value);
    } else if value.is_nan() {
        syntax.write_null(to);
    } else {
        to.extend_from_slice(syntax.infinity(value.is_sign_negative()));
    }
}

/// Writes text of a database in UTF-8. It is checked where it is not known to be that.
#[inline(always)]
fn write_utf8<S: Syntax>(
    syntax: &S,
    to: &mut Vec<u8>,
    text: &[u8],
    is_utf8: bool,
    losses: &mut Losses,
) {
    let start = to.len();
    let (opening, closing) = syntax.delimiters(Form::Text);
    to.extend_from_slice(opening);
    let seen = syntax.write_escaped(to, text);
    to.extend_from_slice(closing);
    if seen.high && !is_utf8 && core::str::from_utf8(text).is_err() {
        to.truncate(start);
        return write_decoded(syntax, Encoding::Utf8, to, text, losses);
    }
    losses.count_nuls(&seen, text);
}

/// Writes text of any encoding.
#[inline(never)]
fn write_decoded<S: Syntax>(
    syntax: &S,
    encoding: Encoding,
    to: &mut Vec<u8>,
    bytes: &[u8],
    losses: &mut Losses,
) {
    let decoded = decode(bytes, encoding, true);
    if decoded.replaced > 0 {
        syntax.write_undecodable(to, bytes, &decoded, losses);
    } else {
        write_utf8(syntax, to, decoded.text.as_bytes(), true, losses);
    }
}

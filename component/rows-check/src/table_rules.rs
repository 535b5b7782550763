//! What holds for any table: its rows are the same, however they are read.

use alloc::format;
use alloc::vec::Vec;

use crate::bindings::partway::pipe::rows::Error;
use crate::cell::{Cell, difference};
use crate::reading::{Row, Scan};
use crate::report::Report;

/// In batches of this size most rows fit many times.
const LARGE: u32 = 65_536;

/// In these almost every text is long.
const SMALL: u32 = 16;

/// From how many positions a table is read on.
const MOST_POSITIONS: usize = 50;

/// A table under check.
struct Checked<'a> {
    name: &'a str,
    table: &'a Vec<u8>,
    columns: &'a [Vec<u8>],
    /// All its rows, as they were read first, and the position before them.
    rows: Vec<Row>,
    start: Vec<u8>,
}

/// Checks a table. `columns`: all that it has; `rowid`: which of them is the rowid.
pub fn check(
    report: &mut Report,
    name: &str,
    table: &Vec<u8>,
    columns: &[Vec<u8>],
    rowid: Option<usize>,
) {
    let Some(scan) = Scan::open(report, name, table, columns, None, LARGE) else { return };
    let mut scan = scan.with_positions();
    let start = match scan.position(0) {
        Ok(start) => start,
        Err(_) => return report.fail("positions", format!("{name}: none before the first batch")),
    };
    let Some(rows) = scan.read(report, None) else { return };
    let again = scan.next(report).map(|rows| rows.len());
    report.expect("end", again == Some(0), || format!("{name}: rows come after the end"));
    let beyond = scan.position(1).err();
    report.expect("errors", matches!(beyond, Some(Error::InvalidCell(_))), || {
        format!("{name}: a position after row 1 of no rows is not an `invalid-cell`")
    });
    report.rows += rows.len() as u64;
    let checked = Checked { name, table, columns, rows, start };
    if let Some(rowid) = rowid {
        checked.ascends(report, rowid);
    }
    checked.read_again(report);
    checked.columns_reversed(report);
    checked.side_by_side(report);
    checked.from_positions(report);
}

impl Checked<'_> {
    fn scan(&self, report: &mut Report, after: Option<&[u8]>, max_bytes: u32) -> Option<Scan<'_>> {
        Scan::open(report, self.name, self.table, self.columns, after, max_bytes)
    }

    /// Whether rows are those that were read first, from `from` on. `what` says how they were read.
    fn compare(
        &self,
        report: &mut Report,
        rule: &'static str,
        from: usize,
        found: &[Row],
        what: &str,
    ) {
        for (index, row) in found.iter().enumerate() {
            let number = from + index;
            let differs = match self.rows.get(number) {
                Some(expected) => difference(&expected.cells, &row.cells),
                None => Some("it was not there before".into()),
            };
            if let Some(differs) = differs {
                return report
                    .fail(rule, format!("{}, {what}: row {number}: {differs}", self.name));
            }
        }
    }

    /// All rows, and no more, from `from` on.
    fn compare_all(
        &self,
        report: &mut Report,
        rule: &'static str,
        from: usize,
        found: &[Row],
        what: &str,
    ) {
        self.compare(report, rule, from, found, what);
        let (name, expected) = (self.name, self.rows.len() - from);
        report.expect(rule, found.len() == expected, || {
            format!("{name}, {what}: {expected} rows expected, {} found", found.len())
        });
    }

    fn ascends(&self, report: &mut Report, rowid: usize) {
        let number = |row: &Row| match row.cells[rowid] {
            Cell::Integer(number) => Some(number),
            _ => None,
        };
        let numbers: Vec<_> = self.rows.iter().map(number).collect();
        let is_ordered = numbers.is_sorted_by(|one, next| one < next && one.is_some());
        report.expect("order", is_ordered, || format!("{}: its rowids do not ascend", self.name));
    }

    fn read_again(&self, report: &mut Report) {
        for (max_bytes, what) in [(LARGE, "read again"), (SMALL, "in batches of 16 bytes")] {
            let Some(mut scan) = self.scan(report, None, max_bytes) else { return };
            let Some(found) = scan.read(report, None) else { return };
            self.compare_all(report, "rows-repeat", 0, &found, what);
        }
    }

    fn columns_reversed(&self, report: &mut Report) {
        let columns: Vec<_> = self.columns.iter().rev().cloned().collect();
        let opened = Scan::open(report, self.name, self.table, &columns, None, LARGE);
        let Some(mut found) = opened.and_then(|mut scan| scan.read(report, None)) else { return };
        found.iter_mut().for_each(|row| row.cells.reverse());
        self.compare_all(report, "columns", 0, &found, "with its columns in reverse order");
    }

    /// Two cursors of one table, by turns.
    fn side_by_side(&self, report: &mut Report) {
        let Some(mut one) = self.scan(report, None, SMALL) else { return };
        let Some(mut other) = self.scan(report, None, LARGE) else { return };
        let (mut of_one, mut of_other) = (Vec::new(), Vec::new());
        for _ in 0..3 {
            of_one.extend(one.next(report).unwrap_or_default());
            of_other.extend(other.next(report).unwrap_or_default());
        }
        self.compare(report, "cursors", 0, &of_one, "with another cursor open");
        self.compare(report, "cursors", 0, &of_other, "with another cursor open");
    }

    /// From the start, from many positions in the table, and from its end.
    fn from_positions(&self, report: &mut Report) {
        let all = self.rows.len();
        let step = (all / MOST_POSITIONS).max(1);
        for after in (0..=all).step_by(step).chain((all % step != 0).then_some(all)) {
            let position = match after.checked_sub(1) {
                None => &self.start,
                Some(row) => &self.rows[row].after,
            };
            // Some to the end, and the others to what follows at once.
            let limit = (after % (7 * step) != 0 && all - after > 3).then_some(3);
            let what = format!("after the position behind {after} rows");
            let Some(mut scan) = self.scan(report, Some(position), LARGE) else { return };
            let before = scan.position(0).ok();
            let Some(found) = scan.read(report, limit) else { return };
            match limit {
                Some(_) => self.compare(report, "positions", after, &found, &what),
                None => self.compare_all(report, "positions", after, &found, &what),
            }
            // A position is one of the table, whatever columns were read when it was made.
            let columns = &self.columns[..1];
            let opened = Scan::open(report, self.name, self.table, columns, Some(position), SMALL);
            let Some(found) = opened.and_then(|mut scan| scan.read(report, Some(1))) else {
                return;
            };
            let next = self.rows.get(after).map(|row| &row.cells[..1]);
            let is_next = found.first().map(|row| &row.cells[..]) == next;
            report.expect("positions", is_next, || {
                format!("{}, {what}: with one column, another row follows", self.name)
            });
            // The start of a scan is a position too.
            let Some(before) = before else {
                return report.fail(
                    "positions",
                    format!("{}, {what}: none before the first batch", self.name),
                );
            };
            let Some(mut scan) = self.scan(report, Some(&before), LARGE) else { return };
            let Some(found) = scan.read(report, Some(1)) else { return };
            self.compare(
                report,
                "positions",
                after,
                &found,
                "after the position where a scan began",
            );
        }
    }
}

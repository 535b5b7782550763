//! How many rows a table has, and what they weigh: estimated from some paths through its b-tree, from the root down to a
//! leaf. (SQLite's file format, sections 1.6 and 2.1.)
//!
//! Each page on a path stands for as many pages as there are others at its depth: the product of the numbers of children
//! above it. That estimate is right on average whatever the tree looks like, and the paths are spread evenly. Every byte
//! may be wrong, in a damaged file: then a path leads nowhere.

use std::collections::HashMap;

use crate::pages::{Pages, number_at};
use partway_wasmtime::weight;

/// No tree of SQLite's is deeper.
const MAX_DEPTH: u32 = 20;

/// How many pages above leaves are kept.
const MAX_INNER: usize = 256;

/// Of how many rows of a page it is looked at what they are.
const MAX_ROWS_LOOKED_AT: usize = 16;

/// So many paths are taken even when it is late.
const MIN_PATHS: u32 = 8;

/// Spreads any number of points evenly: the fractional part of the golden ratio.
const GOLDEN: f64 = 0.618_033_988_749_895;

/// How many rows, and what they weigh.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Size {
    pub(crate) rows: f64,
    pub(crate) weight: f64,
}

impl Size {
    fn add(&mut self, other: Self, factor: f64) {
        self.rows += other.rows * factor;
        self.weight += other.weight * factor;
    }
}

/// A table to be sampled.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SampledTable {
    /// The page of its root.
    pub(crate) root: u32,
    /// Whether its rowid is one of its columns, an `INTEGER PRIMARY KEY`: stored as NULL there.
    pub(crate) rowid_is_column: bool,
}

/// A page of a b-tree, as far as it is looked at.
struct TreePage {
    /// The rows in it.
    own: Size,
    /// The pages below it; none below a leaf.
    children: Vec<u32>,
}

/// Estimates the size of a table by at most so many paths, or as many as there are until `is_late`: exactly, where its
/// leaves are as few. None: its root can't be read, or no path leads to a leaf.
pub(crate) fn sample(
    pages: &Pages<'_>,
    table: SampledTable,
    paths: u32,
    is_late: impl Fn() -> bool,
) -> Option<Size> {
    let mut tree = Tree { pages, table, inner: HashMap::new(), buffer: Vec::new() };
    let root = tree.read(table.root)?;
    if root.children.is_empty() {
        return Some(root.own);
    }
    let first = tree.read(*root.children.first()?)?;
    if first.children.is_empty() && root.children.len() <= paths as usize {
        let mut sum = root.own;
        for child in &root.children {
            if let Some(page) = tree.read(*child) {
                sum.add(page.own, 1.0);
            }
        }
        return Some(sum);
    }
    tree.inner.insert(table.root, root);
    let (mut sum, mut found) = (Size::default(), 0_u32);
    for path in 0..paths {
        // Fewer would be a guess.
        if path >= MIN_PATHS && is_late() {
            break;
        }
        if let Some(size) = tree.descend((0.5 + f64::from(path) * GOLDEN).fract()) {
            sum.add(size, 1.0);
            found += 1;
        }
    }
    let factor = 1.0 / f64::from(found);
    (found > 0).then_some(Size { rows: sum.rows * factor, weight: sum.weight * factor })
}

struct Tree<'a> {
    pages: &'a Pages<'a>,
    table: SampledTable,
    /// The pages above leaves that were read.
    inner: HashMap<u32, TreePage>,
    buffer: Vec<u8>,
}

impl Tree<'_> {
    /// The size of the table as one path tells it: the one that leads to this place, between 0 and 1.
    fn descend(&mut self, mut place: f64) -> Option<Size> {
        let (mut size, mut factor, mut number) = (Size::default(), 1.0, self.table.root);
        for _ in 0..MAX_DEPTH {
            if !self.inner.contains_key(&number) {
                let page = self.read(number)?;
                if page.children.is_empty() {
                    size.add(page.own, factor);
                    return Some(size);
                }
                if self.inner.len() >= MAX_INNER {
                    self.inner.clear();
                }
                self.inner.insert(number, page);
            }
            let page = self.inner.get(&number)?;
            size.add(page.own, factor);
            let children = page.children.len();
            let at = place * children as f64;
            let child = (at as usize).min(children - 1);
            place = at - child as f64;
            factor *= children as f64;
            number = *page.children.get(child)?;
        }
        None
    }

    /// Reads a page of the tree; none where it is no such page.
    fn read(&mut self, number: u32) -> Option<TreePage> {
        self.pages.read(number, &mut self.buffer)?;
        let start = if number == 1 { 100 } else { 0 };
        parse(self.buffer.get(start..)?, &self.buffer, self.table.rowid_is_column)
    }
}

/// Reads a page whose header is at the beginning of `header`, and whose cells are at offsets in `page`.
fn parse(header: &[u8], page: &[u8], rowid_is_column: bool) -> Option<TreePage> {
    // Of tables with rowids, inner and leaf; and of those without.
    let (is_inner, has_rowids) = match header.first()? {
        0x05 => (true, true),
        0x0d => (false, true),
        0x02 => (true, false),
        0x0a => (false, false),
        _ => return None,
    };
    let cells = usize::from(u16::from_be_bytes([*header.get(3)?, *header.get(4)?]));
    let offsets = header.get(if is_inner { 12 } else { 8 }..)?.get(..cells * 2)?;
    let offsets = offsets.chunks_exact(2).map(|offset| u16::from_be_bytes([offset[0], offset[1]]));
    let mut children = Vec::new();
    if is_inner {
        children = offsets
            .clone()
            .map(|offset| number_at(page, offset.into()))
            .chain([number_at(header, 8)])
            .collect::<Option<_>>()?;
    }
    let mut own = Size::default();
    if !(is_inner && has_rowids) {
        let step = cells.div_ceil(MAX_ROWS_LOOKED_AT).max(1);
        let (mut weight, mut looked_at) = (0, 0_u32);
        for offset in offsets.skip(step / 2).step_by(step) {
            let cell = page.get(usize::from(offset) + if is_inner { 4 } else { 0 }..)?;
            weight += row_weight(cell, has_rowids, rowid_is_column)?;
            looked_at += 1;
        }
        own.rows = cells as f64;
        own.weight = weight as f64 * cells as f64 / f64::from(looked_at.max(1));
    }
    Some(TreePage { own, children })
}

/// The weight of a row: its length and, in tables with rowids, its rowid, and then the record. What is beyond
/// its beginning may be on other pages.
fn row_weight(cell: &[u8], has_rowids: bool, rowid_is_column: bool) -> Option<u64> {
    let (length, mut cell) = number(cell)?;
    let mut weight = 0;
    if has_rowids {
        let (rowid, rest) = number(cell)?;
        cell = rest;
        weight = weight::integer(rowid as i64);
        if rowid_is_column {
            weight = weight.saturating_sub(weight::NULL);
        }
    }
    let record = cell.get(..(length as usize).min(cell.len()))?;
    let (header_length, mut kinds) = number(record)?;
    let header_length = usize::try_from(header_length).ok()?;
    let mut kinds_end = header_length.checked_sub(record.len() - kinds.len())?;
    let mut value = header_length;
    while kinds_end > 0 {
        // In the header of a very wide row, which goes on elsewhere.
        let Some((kind, rest)) = number(kinds) else { break };
        kinds_end = kinds_end.checked_sub(kinds.len() - rest.len())?;
        kinds = rest;
        let (bytes, of_value) = value_weight(kind, record.get(value..).unwrap_or_default());
        weight = of_value.saturating_add(weight);
        value = value.saturating_add(usize::try_from(bytes).ok()?);
    }
    Some(weight)
}

/// The length of a stored value of this type, and its weight. `bytes`: those that begin with it; fewer, where it is
/// elsewhere.
fn value_weight(kind: u64, bytes: &[u8]) -> (u64, u64) {
    let integer = |length: usize| {
        let mut value = bytes.get(..length)?.iter();
        let first = i64::from(*value.next()? as i8);
        Some(value.fold(first, |value, byte| value << 8 | i64::from(*byte)))
    };
    let integer_weight = |length: usize| {
        // Where it is not at hand, it is taken for one of its length.
        integer(length).map_or(length as u64 * 2, weight::integer)
    };
    match kind {
        0 => (0, weight::NULL),
        1..=4 => (kind, integer_weight(kind as usize)),
        5 => (6, integer_weight(6)),
        6 => (8, integer_weight(8)),
        7 => (8, integer(8).map_or(12, |bits| weight::real(f64::from_bits(bits as u64)))),
        8 | 9 => (0, weight::integer(0)),
        10 | 11 => (0, 0),
        _ if kind.is_multiple_of(2) => ((kind - 12) / 2, weight::blob((kind - 12) / 2)),
        _ => ((kind - 13) / 2, weight::text((kind - 13) / 2)),
    }
}

/// A number of one to nine bytes, and what comes after it.
fn number(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut value = 0;
    for (index, byte) in bytes.iter().enumerate().take(8) {
        value = value << 7 | u64::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            return Some((value, &bytes[index + 1..]));
        }
    }
    Some((value << 8 | u64::from(*bytes.get(8)?), &bytes[9..]))
}

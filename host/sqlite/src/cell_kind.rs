//! The contract's codes for what a cell is: SQLite's five, and two for long values.

pub(crate) const INTEGER: u8 = 1;
pub(crate) const REAL: u8 = 2;
pub(crate) const TEXT: u8 = 3;
pub(crate) const BLOB: u8 = 4;
pub(crate) const NULL: u8 = 5;
pub(crate) const LONG_TEXT: u8 = 6;
pub(crate) const LONG_BLOB: u8 = 7;

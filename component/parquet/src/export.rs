//! The format, for a component.

use alloc::string::String;
use alloc::vec::Vec;

use partway_format::Export;
use partway_format::pipe::{Budget, Error, Options, Pacing, Parts, Rows, SliceResult};

use crate::slice;

/// The format. It lists no tables: a table's rows are in many places of a Parquet file, and its footer says where.
pub struct Parquet;

impl Export for Parquet {
    fn start(rows: &impl Rows, options: &Options) -> Result<String, Error> {
        slice::start(rows, options)
    }

    fn resume(
        rows: &impl Rows,
        parts: &mut impl Parts,
        pacing: &impl Pacing,
        from: &str,
        budget: Budget,
    ) -> Result<SliceResult, Error> {
        let outcome = slice::resume(rows, parts, pacing, from, budget)?;
        Ok(SliceResult { outcome, tables: Vec::new() })
    }
}

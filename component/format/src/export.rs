//! What an export component does.

use alloc::string::String;

use crate::pipe::{Budget, Error, Options, Pacing, Parts, Rows, SliceResult};

/// The exports of a component of the world `export-component-with-contents`, over anybody's rows.
pub trait Export {
    /// Checks the options against the schema and gives the first checkpoint.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidOptions`] where the options make no sense or name what the database does not have, and the errors of
    /// reading the schema.
    fn start(rows: &impl Rows, options: &Options) -> Result<String, Error>;

    /// Does one slice from a checkpoint on. After an error the same call may be made again.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidCheckpoint`] where the checkpoint is damaged, of another version or of a database with another schema,
    /// and the errors of reading rows and writing parts.
    fn resume(
        rows: &impl Rows,
        parts: &mut impl Parts,
        pacing: &impl Pacing,
        from: &str,
        budget: Budget,
    ) -> Result<SliceResult, Error>;
}

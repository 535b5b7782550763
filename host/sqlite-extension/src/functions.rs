//! The SQL functions.

use rusqlite::functions::{Context, FunctionFlags};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, Result};

use crate::error::Error;
use crate::export::export;
use crate::lease::Lease;
use crate::options::Options;

/// Not in triggers and views, nor in anything else of a schema: whoever wrote that could send the database away.
const DIRECT: FunctionFlags = FunctionFlags::SQLITE_UTF8.union(FunctionFlags::SQLITE_DIRECTONLY);

/// Registers the functions.
pub(crate) fn register(connection: &Connection) -> Result<()> {
    for arguments in [1, 2] {
        connection.create_scalar_function("partway_export", arguments, DIRECT, |context| {
            call(context).map_err(|error| error.to_sqlite("partway_export"))
        })?;
    }
    let constant = FunctionFlags::SQLITE_UTF8
        | FunctionFlags::SQLITE_DETERMINISTIC
        | FunctionFlags::SQLITE_INNOCUOUS;
    connection
        .create_scalar_function("partway_version", 0, constant, |_| Ok(env!("CARGO_PKG_VERSION")))
}

/// `partway_export(store, options)`.
fn call(context: &Context<'_>) -> Result<String, Error> {
    let Some(store) = text(context.get_raw(0))? else {
        return Err(Error::Options(
            "no store was given: give a folder, file:///folder, s3://bucket/prefix or r2://account/bucket/prefix"
                .to_owned(),
        ));
    };
    let options = if context.len() > 1 { text(context.get_raw(1))? } else { None };
    let options = Options::of_export(options)?;
    // SAFETY: SQLite keeps the connection open while it calls a function, and calls it on the thread that uses the
    // connection.
    let lease = unsafe {
        let connection = context.get_connection()?;
        Lease::new(connection.handle(), &options)?
    };
    export(&lease, store, &options)
}

/// The text of an argument; none if it is NULL.
pub(crate) fn text(value: ValueRef<'_>) -> Result<Option<&str>, Error> {
    match value {
        ValueRef::Null => Ok(None),
        ValueRef::Text(text) => std::str::from_utf8(text)
            .map(Some)
            .map_err(|_| Error::Options("an argument is not valid UTF-8".to_owned())),
        _ => Err(Error::Options("an argument is neither text nor NULL".to_owned())),
    }
}

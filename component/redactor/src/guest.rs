//! The policy, which is an import, and the host's rows under it. Built for wasm only.

use alloc::boxed::Box;
use alloc::format;

use once_cell::race::OnceBox;
use partway_rows::HostRows;

use crate::cursor::RedactedCursor;
use crate::policy::Policy;
use crate::redaction::Redaction;
use bindings::partway::redactor::policy;
use partway_rows::{Rows, RowsError, Schema, Text};

mod bindings {
    #![allow(missing_docs, reason = "generated")]
    #![allow(clippy::allow_attributes_without_reason, reason = "generated")]
    wit_bindgen::generate!({
        inline: "
            package partway:redactor@0.1.0;

            interface policy {
                get: func() -> string;
            }

            world redactor {
                import policy;
            }
        ",
    });
}

/// The policy, applied when something is first asked for. As long as the snapshot exists, its schema is the same.
static REDACTION: OnceBox<Redaction> = OnceBox::new();

fn redaction() -> Result<&'static Redaction, RowsError> {
    REDACTION.get_or_try_init(|| {
        let policy = Policy::from_json(&policy::get())
            .map_err(|error| RowsError::Unavailable(format!("{error}")))?;
        Ok(Box::new(Redaction::new(HostRows.describe()?, &policy)?))
    })
}

/// The host's rows, without what the component's import `partway:redactor/policy` keeps back.
#[derive(Debug, Clone, Copy, Default)]
pub struct RedactedRows;

impl Rows for RedactedRows {
    type Cursor = RedactedCursor<<HostRows as Rows>::Cursor>;

    fn describe(&self) -> Result<Schema, RowsError> {
        Ok(redaction()?.schema().clone())
    }

    fn scan(
        &self,
        table: &[u8],
        columns: &[Text],
        after: Option<&[u8]>,
    ) -> Result<Self::Cursor, RowsError> {
        redaction()?.scan(&HostRows, table, columns, after)
    }
}

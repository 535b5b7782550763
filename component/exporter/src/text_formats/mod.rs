//! The formats `csv`, `ndjson` and `json`: rows as text that other programs read.
//!
//! | module | what lives there |
//! |---|---|
//! | `format` | the formats as a slice drives them |
//! | `settings` | what is asked for |
//! | `plan`, `layout` | the steps of an export, and the text around and between rows |
//! | `row`, `long_row` | rows, and rows with values too long for a batch |
//! | `syntax`, `csv`, `json` | how each kind of value is written |
//! | `state` | what a checkpoint remembers of a table, and what warnings say |
//! | `short_text` | text that stands in every row |

mod csv;
mod format;
mod json;
mod layout;
mod long_row;
mod plan;
mod row;
mod settings;
mod short_text;
mod state;
mod syntax;

pub(crate) use plan::Plan;

//! The format `sql`. All that knows SQL is in this folder.
//!
//! | module | what lives there |
//! |---|---|
//! | `format` | the format as a slice drives it |
//! | `settings`, `target`, `selection` | what is asked for: settings, bounds, tables |
//! | `plan`, `plan_builder` | the steps of a dump |
//! | `sqlite`, `d1` | which steps in which order, for each target |
//! | `insert` | rows as INSERT statements |
//! | `long_values`, `scratch_table` | values too long for a batch, or for a statement |
//! | `state` | what a checkpoint remembers of an open statement |
//! | `literal`, `text`, `real` | values as SQL literals |
//! | `name`, `schema_text` | names and definitions |

mod d1;
mod format;
mod insert;
mod literal;
mod long_values;
mod name;
mod plan;
mod plan_builder;
mod real;
mod schema_text;
mod scratch_table;
mod selection;
mod settings;
mod sqlite;
mod state;
mod target;
mod text;

pub(crate) use plan::Plan;

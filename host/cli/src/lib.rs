//! Everything of Partway in one place, for those who want all of it.

pub use partway_jobs::*;
pub use partway_sqlite::*;
pub use partway_store::*;
pub use partway_wasmtime::exporter::Exporter;
pub use partway_wasmtime::pacing::Pacing;
pub use partway_wasmtime::parts::Parts;
pub use partway_wasmtime::rows::{Cursor, Rows};
pub use partway_wasmtime::{
    CallError, Counters, Limits, LoadError, PipeCtx, PipeCtxBuilder, PipeCtxView, PipeView,
    add_to_linker_sync, async_trait, exporter, parts, rows,
};

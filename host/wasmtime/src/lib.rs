//! Runs Partway's export components in wasmtime.
//!
//! An export component turns one database into one object, a bounded *slice* of work per call. It
//! imports the interfaces `rows`, `parts` and `pacing` of the WIT package `partway:pipe`; this
//! crate supplies them from the traits [`Rows`](rows::Rows), [`Parts`](parts::Parts) and
//! [`Pacing`](pacing::Pacing). It depends on no database and no store: `partway-sqlite` implements
//! `Rows` for SQLite, and `partway-store` implements `Parts` for folders, S3 and R2.
//!
//! A whole export, slice by slice, of the program's own rows:
//!
//! ```
//! use std::sync::{Arc, Mutex};
//!
//! use partway_wasmtime::exporter::{Budget, Exporter, Options, Outcome};
//! use partway_wasmtime::parts::{self, Parts};
//! use partway_wasmtime::rows::{self, Cursor, Rows, Schema};
//! use partway_wasmtime::{PipeCtx, async_trait};
//! #
//! # #[derive(Clone)]
//! # struct Memory;
//! #
//! # #[async_trait]
//! # impl Rows for Memory {
//! #     async fn describe(&mut self) -> Result<Schema, rows::Error> {
//! #         Ok(Schema { user_version: 7, ..Schema::new(vec![]) })
//! #     }
//! #     async fn scan(
//! #         &mut self, table: &[u8], _: &[Vec<u8>], _: Option<&[u8]>,
//! #     ) -> Result<Box<dyn Cursor>, rows::Error> {
//! #         Err(rows::Error::UnknownTable(String::from_utf8_lossy(table).into_owned()))
//! #     }
//! # }
//!
//! /// Keeps parts in memory; yours would send them somewhere.
//! #[derive(Clone, Default)]
//! struct Kept(Arc<Mutex<Vec<u8>>>);
//!
//! #[async_trait]
//! impl Parts for Kept {
//!     async fn write(&mut self, _number: u32, bytes: &[u8]) -> Result<(), parts::Error> {
//!         let mut kept = self.0.lock().map_err(|_| parts::Error::Failed("poisoned".into()))?;
//!         kept.extend(bytes);
//!         Ok(())
//!     }
//! }
//!
//! # #[cfg(feature = "prebuilt")]
//! fn dump(rows: impl Rows + Clone + 'static) -> Result<Vec<u8>, Box<dyn std::error::Error>> {
//!     let exporter = Exporter::prebuilt()?; // or Exporter::from_file(Path::new("other.wasm"))
//!     let options = Options::new("sql", 64 * 1024);
//!     let kept = Kept::default();
//!     let mut checkpoint = exporter.start(rows.clone(), &options)?;
//!     // Each slice runs in a new instance. Between slices, the checkpoint is all you need to keep.
//!     loop {
//!         let ctx = PipeCtx::builder().build(rows.clone(), kept.clone());
//!         match exporter.resume(ctx, &checkpoint, Budget { parts: 8 })? {
//!             Outcome::More(more) => checkpoint = more.checkpoint,
//!             Outcome::Done(_) => break,
//!         }
//!     }
//!     let dump = kept.0.lock().map_err(|_| "poisoned")?.clone();
//!     Ok(dump)
//! }
//! # #[cfg(feature = "prebuilt")]
//! # assert!(String::from_utf8(dump(Memory)?)?.contains("PRAGMA user_version=7;"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # An engine, a linker and a store of your own
//!
//! [`add_to_linker_sync`] adds the three interfaces to a linker for stores whose data implements
//! [`PipeView`], and
#![cfg_attr(feature = "async", doc = "[`add_to_linker_async`] does for asynchronous calls;")]
#![cfg_attr(
    not(feature = "async"),
    doc = "`add_to_linker_async` (feature `async`) does for asynchronous calls;"
)]
//! [`bindings::ExportComponent`] calls the component. [`limit`] applies the [`Limits`] of its
//! context to such a store; for this, the engine needs a [`Ticker`].
//! [`Exporter::with_engine`](exporter::Exporter::with_engine) does all of this in your own engine.
//!
//! # The way back
//!
//! [`importer::Importer`] runs the import component, which splits a dump into statements.
//!
//! # Encoding objects
//!
//! [`codec::Codec`] runs codec components, which compress objects block by block, for example.
//!
//! # Features
//!
//! - `async` (default): asynchronous hosts.
//! - `prebuilt` (default): the export component that writes SQL dumps, and the import component, from
//!   `partway-prebuilt`.
//! - `precompiled`: that component as machine code, so that starting takes a few ms instead of 150.
//!   If the crate was built for another kind of machine, or runs on an x86-64 processor without
//!   AVX2, the component is compiled at startup.
//! - `cache`: components compiled at startup are kept in the user's cache folder (wasmtime's own
//!   cache), and the next start takes 4 ms instead of 150.

mod answer;
pub mod bindings;
mod clock;
pub mod codec;
mod contents;
mod context;
mod counters;
mod cursor_resource;
mod engine;
mod error;
pub mod exporter;
pub mod importer;
mod instance;
mod limited_store;
mod limits;
mod linker;
mod long_read;
pub mod pacing;
pub mod parts;
#[cfg(feature = "prebuilt")]
mod prebuilt;
pub mod rows;
pub mod weight;

/// For implementing [`Rows`](rows::Rows), [`Cursor`](rows::Cursor) and [`Parts`](parts::Parts).
pub use async_trait::async_trait;
pub use context::{PipeCtx, PipeCtxBuilder, PipeCtxView, PipeView};
pub use counters::{Counters, WorkDone};
pub use engine::{Ticker, config};
pub use error::{CallError, LoadError};
pub use limited_store::limit;
#[cfg(feature = "async")]
pub use limited_store::limit_async;
pub use limits::{Exceeded, Limiter, Limits};
#[cfg(feature = "async")]
pub use linker::add_to_linker_async;
pub use linker::add_to_linker_sync;

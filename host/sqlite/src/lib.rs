//! Rows of a SQLite database for Partway's export components.
//!
//! A [`Snapshot`] holds one state of a database file and implements [`Rows`](partway_wasmtime::rows::Rows):
//! give it to a [`PipeCtx`](partway_wasmtime::PipeCtx), or read from it yourself.
//!
//! ```
//! use partway_sqlite::Snapshot;
//! use partway_wasmtime::rows::{Cursor, Rows};
//!
//! # async fn read() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("shop.db");
//! # let made = "CREATE TABLE product (name TEXT); INSERT INTO product VALUES ('pen'), ('ink')";
//! # rusqlite::Connection::open(&path)?.execute_batch(made)?;
//! let mut snapshot = Snapshot::hold(&path)?;
//! let schema = snapshot.describe().await?;
//! assert_eq!(schema.objects[0].name, b"product");
//!
//! let columns = [b"rowid".to_vec(), b"name".to_vec()];
//! let mut cursor = snapshot.scan(b"product", &columns, None).await?;
//! let batch = cursor.next(256 * 1024).await?;
//! assert_eq!((batch.rows, &batch.integers[..], &batch.bytes[..]), (2, &[1, 2][..], &b"penink"[..]));
//!
//! // A position is valid as long as the state of the database. This one is after the first row.
//! let position = cursor.position(1).await?;
//! let mut rest = snapshot.scan(b"product", &columns, Some(&position)).await?;
//! assert_eq!(rest.next(256 * 1024).await?.bytes, b"ink");
//! # Ok(())
//! # }
//! # pollster::block_on(read())?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The snapshot has its own thread, which reads ahead. Any executor can await it, and no runtime is
//! needed; in synchronous code, use `pollster::block_on`.
//!
//! A [`LentDatabase`] is a database of a connection that is open already, and used by somebody else: in memory, temporary
//! or attached. It is read on the thread that the connection is used from.
//!
//! # Features
//!
//! - `loadable_extension`: the SQLite that has loaded the extension that this crate is part of, 3.40 or newer, in place of
//!   the one that rusqlite brings along. It is so for everything in the same build.

// The walk of a row, from the caller down to SQLite:
//
// 1. `cursor`: the caller's cursor sends a `request`, and takes batches from its end of a queue.
// 2. `batch_queue`: the queue of one scan; a batch carries the keys of its rows (`keyed_batch`, `row_keys`).
// 3. `reader_thread`: owns the connection, serves requests and, between them, fills the queues.
// 4. `table_reader`: one scan on that thread, filling batches (`batch_builder`) with rows (`query_rows`).
//    Where a page is damaged, `damage` finds out where the table can be read again.
//    Where the pages themselves are wanted, `page_reader` takes its place (`scan`), over a `page_source`.
// 5. `table_query`: the SQL of a scan, in `key_order`, from a `position` on; `statement` runs it in SQLite, on a
//    `database`.
//
// Rows that do not meet a `filter` are left out by the SQL of step 5.
//
// `shared_state` is what a snapshot and its cursors have in common; `paused_scan` keeps what a slice has read
// ahead for the next; `lent` makes the thread that calls it the one that reads, for a connection that is somebody else's; `catalog` and `schema` know the tables; `estimate` takes a sample of their `pages` (`table_sample`).

mod authorizer;
mod batch_builder;
mod batch_queue;
mod byte_order_mark;
mod catalog;
mod cell_kind;
mod connection;
mod copy;
mod cursor;
mod damage;
mod database;
mod database_file;
mod error;
mod estimate;
mod filter;
mod fingerprint;
mod identifier;
mod imposter;
mod key_order;
mod keyed_batch;
mod lent;
mod long_value;
mod page_reader;
mod page_source;
mod pages;
mod paused_scan;
mod position;
mod query_rows;
mod reader_thread;
mod request;
mod row_keys;
mod row_limit;
mod scan;
mod schema;
mod shared_state;
mod snapshot;
mod statement;
mod table_query;
mod table_reader;
mod table_sample;

pub use error::{LendError, OpenError};
pub use estimate::{Expected, is_table_like};
pub use filter::FilterError;
pub use fingerprint::Fingerprint;
pub use lent::{LentDatabase, Uncommitted};
pub use snapshot::Snapshot;

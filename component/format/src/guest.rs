//! The bindings: the WIT package's imports as [`Parts`](pipe::Parts) and [`Pacing`](pipe::Pacing), and its exports as calls of
//! an [`Export`]. Built for wasm only.

use alloc::string::String;
use alloc::vec::Vec;
use core::marker::PhantomData;

use crate::export::Export;
use crate::pipe;
use crate::pipe::{
    Budget, Error, Options, Outcome, PartsError, Progress, Rows, SliceResult, TableContents,
};
use bindings::exports::partway::pipe::{contents, exporter};
use bindings::partway::pipe::{pacing, parts};
use spin::Mutex;

pub mod bindings {
    #![allow(missing_docs, reason = "generated; the WIT package documents each item")]
    #![allow(clippy::allow_attributes_without_reason, reason = "generated")]
    wit_bindgen::generate!({
        path: "wit",
        world: "export-component-with-contents",
        with: { "partway:pipe/rows@0.1.0": partway_rows::bindings::partway::pipe::rows },
        pub_export_macro: true,
        export_macro_name: "export_exporter",
        default_bindings_module: "partway_format::bindings",
    });
}

/// The component's exports `exporter` and `contents`, by [`export_exporter!`](crate::export_exporter): it reads `R`, which
/// may be the host's rows, or those with something in between.
pub struct Exporter<E, R>(PhantomData<(E, R)>);

impl<E: Export, R: Rows + Default> exporter::Guest for Exporter<E, R> {
    fn start(options: exporter::Options) -> Result<String, exporter::Error> {
        let options = Options {
            format: options.format,
            tables: options.tables,
            part_size: options.part_size,
            settings: options.settings,
        };
        Ok(E::start(&R::default(), &options)?)
    }

    fn resume(
        from: String,
        budget: exporter::Budget,
    ) -> Result<exporter::Outcome, exporter::Error> {
        let budget = Budget { parts: budget.parts };
        let SliceResult { outcome, tables } =
            E::resume(&R::default(), &mut HostParts, &HostPacing, &from, budget)?;
        *ENDED_TABLES.lock() = tables;
        Ok(outcome.into())
    }
}

/// The tables whose rows ended in the last slice.
static ENDED_TABLES: Mutex<Vec<TableContents>> = Mutex::new(Vec::new());

impl<E: Export, R: Rows + Default> contents::Guest for Exporter<E, R> {
    fn tables() -> Vec<contents::Table> {
        let table = |TableContents { name, rows, start, end, xxh64 }| contents::Table {
            name,
            rows,
            start,
            end,
            xxh64,
        };
        ENDED_TABLES.lock().iter().cloned().map(table).collect()
    }
}

struct HostParts;

impl pipe::Parts for HostParts {
    fn write(&mut self, number: u32, bytes: &[u8]) -> Result<(), PartsError> {
        Ok(parts::write(number, bytes)?)
    }
}

struct HostPacing;

impl pipe::Pacing for HostPacing {
    fn should_yield(&self) -> bool {
        pacing::should_yield()
    }
}

impl From<parts::Error> for PartsError {
    fn from(error: parts::Error) -> Self {
        match error {
            parts::Error::Refused(text) => Self::Refused(text),
            parts::Error::Full(text) => Self::Full(text),
            parts::Error::Failed(text) => Self::Failed(text),
        }
    }
}

impl From<Error> for exporter::Error {
    fn from(error: Error) -> Self {
        match error {
            Error::InvalidOptions(text) => Self::InvalidOptions(text),
            Error::InvalidCheckpoint(text) => Self::InvalidCheckpoint(text),
            Error::ReadFailed(text) => Self::ReadFailed(text),
            Error::Corrupt(text) => Self::Corrupt(text),
            Error::WriteFailed(text) => Self::WriteFailed(text),
            Error::TooLarge(text) => Self::TooLarge(text),
            Error::Interrupted => Self::Interrupted,
        }
    }
}

impl From<Outcome> for exporter::Outcome {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::More(more) => {
                let Progress { table, tables, rows, bytes, parts } = more.progress;
                Self::More(exporter::More {
                    checkpoint: more.checkpoint,
                    progress: exporter::Progress { table, tables, rows, bytes, parts },
                })
            }
            Outcome::Done(summary) => Self::Done(exporter::Summary {
                tables: summary.tables,
                rows: summary.rows,
                bytes: summary.bytes,
                parts: summary.parts,
                warnings: summary.warnings,
                damaged: summary.damaged,
            }),
        }
    }
}

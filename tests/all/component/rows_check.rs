//! The component that checks implementations of `rows` finds nothing wrong with ours, and finds what is planted.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use partway_sqlite::Snapshot;
use partway_testbed::{TextEncoding, hard_cases, write_hard_cases};
use partway_wasmtime::parts::{self, Parts};
use partway_wasmtime::rows::{Batch, Cursor, Error, Rows, Schema};
use partway_wasmtime::{PipeCtx, PipeCtxView, PipeView, add_to_linker_sync, async_trait};
use tempfile::TempDir;
use wasmtime::component::{Component, ComponentType, Lift, Linker, ResourceTable};
use wasmtime::{Engine, Store};

use crate::support::{database, rows_check};

/// What makes the sample.
const SAMPLE: &str = include_str!("../../../component/rows-check/sample.sql");

#[derive(Debug, ComponentType, Lift)]
#[component(record)]
struct Failure {
    rule: String,
    text: String,
}

#[derive(Debug, ComponentType, Lift)]
#[component(record)]
struct Report {
    failures: Vec<Failure>,
    tables: u32,
    rows: u64,
}

impl Report {
    /// A line for each failure.
    fn printed(&self) -> String {
        self.failures.iter().map(|Failure { rule, text }| format!("{rule}: {text}\n")).collect()
    }
}

struct State {
    pipe: PipeCtx,
    table: ResourceTable,
}

impl PipeView for State {
    fn pipe(&mut self) -> PipeCtxView<'_> {
        PipeCtxView { ctx: &mut self.pipe, table: &mut self.table }
    }
}

/// The check writes none.
struct NoParts;

#[async_trait]
impl Parts for NoParts {
    async fn write(&mut self, _: u32, _: &[u8]) -> Result<(), parts::Error> {
        Err(parts::Error::Failed("a check writes nothing".to_owned()))
    }
}

/// Runs `check-any` or `check-sample`.
fn check(name: &str, rows: impl Rows + 'static) -> Report {
    let engine = Engine::default();
    let component = Component::new(&engine, rows_check()).unwrap();
    let mut linker = Linker::new(&engine);
    add_to_linker_sync(&mut linker).unwrap();
    let pipe = PipeCtx::builder().build(rows, NoParts);
    let mut store = Store::new(&engine, State { pipe, table: ResourceTable::new() });
    let instance = linker.instantiate(&mut store, &component).unwrap();
    let interface = "partway:rows-check/checks@0.1.0";
    let interface = instance.get_export_index(&mut store, None, interface).unwrap();
    let function = instance.get_export_index(&mut store, Some(&interface), name).unwrap();
    let function = instance.get_typed_func::<(), (Report,)>(&mut store, &function).unwrap();
    function.call(&mut store, ()).unwrap().0
}

fn sample() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sample.db");
    drop(database(&path, SAMPLE));
    (folder, path)
}

fn hold(path: &Path) -> Snapshot {
    Snapshot::hold(path).unwrap()
}

#[test]
fn nothing_is_wrong_with_our_own_rows() {
    let (folder, path) = sample();
    let report = check("check-sample", hold(&path));
    assert_eq!(report.printed(), "");
    assert_eq!(report.tables, 14);
    assert!(report.rows > 1500);
    // The check reads each table dozens of times: one case of long values is enough.
    let cases = hard_cases();
    let long: Vec<_> =
        cases.iter().map(|case| case.name).filter(|name| name.starts_with("long ")).collect();
    for encoding in TextEncoding::ALL {
        let path = folder.path().join(format!("{encoding}.db"));
        write_hard_cases(&path, encoding, &long).unwrap();
        let report = check("check-any", hold(&path));
        assert_eq!(report.printed(), "", "{encoding}");
    }
}

/// What is wrong with rows that are otherwise ours.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Fault {
    /// Each position is that of the row before.
    PositionIsOneOff,
    /// A scan after a position leaves out its first row.
    ResumedScanLosesRow,
    /// Each batch but the first lacks its last row.
    BatchLosesRow,
    /// No piece of a long value has more than 5,000 bytes.
    LongValueIsCut,
    /// Text comes as blobs.
    TextIsBlob,
    /// Integers pass through floats.
    IntegersAreRounded,
    /// What is missing is called a failure.
    ErrorsHaveNoName,
}

struct FaultyRows(Snapshot, Fault);

struct FaultyCursor {
    cursor: Box<dyn Cursor>,
    fault: Fault,
    columns: usize,
    batches: u32,
}

#[async_trait]
impl Rows for FaultyRows {
    async fn describe(&mut self) -> Result<Schema, Error> {
        self.0.describe().await
    }

    async fn scan(
        &mut self,
        table: &[u8],
        columns: &[Vec<u8>],
        after: Option<&[u8]>,
    ) -> Result<Box<dyn Cursor>, Error> {
        let fault = self.1;
        let opened = self.0.scan(table, columns, after).await;
        let mut cursor = match opened {
            Err(Error::UnknownTable(text)) if fault == Fault::ErrorsHaveNoName => {
                return Err(Error::Failed(text));
            }
            opened => opened?,
        };
        let is_resumed = after.is_some_and(|position| !position.is_empty());
        if fault == Fault::ResumedScanLosesRow && is_resumed && cursor.next(65_536).await?.rows > 0
        {
            let second = cursor.position(1).await?;
            cursor = self.0.scan(table, columns, Some(&second)).await?;
        }
        let columns = columns.len();
        Ok(Box::new(FaultyCursor { cursor, fault, columns, batches: 0 }))
    }
}

#[async_trait]
impl Cursor for FaultyCursor {
    async fn next(&mut self, max_bytes: u32) -> Result<Arc<Batch>, Error> {
        let mut batch = Arc::unwrap_or_clone(self.cursor.next(max_bytes).await?);
        self.batches += 1;
        match self.fault {
            Fault::BatchLosesRow if self.batches > 1 && batch.rows > 1 => {
                drop_last_row(&mut batch, self.columns);
            }
            Fault::TextIsBlob => {
                batch.kinds.iter_mut().filter(|kind| **kind == 3).for_each(|kind| *kind = 4);
            }
            Fault::IntegersAreRounded => {
                batch.integers.iter_mut().for_each(|integer| *integer = *integer as f64 as i64);
            }
            _ => {}
        }
        Ok(Arc::new(batch))
    }

    async fn position(&mut self, rows: u32) -> Result<Vec<u8>, Error> {
        let is_one_off = self.fault == Fault::PositionIsOneOff;
        self.cursor.position(if is_one_off { rows.saturating_sub(1) } else { rows }).await
    }

    async fn read(
        &mut self,
        row: u32,
        column: u32,
        offset: u32,
        max_bytes: u32,
    ) -> Result<Vec<u8>, Error> {
        let most = if self.fault == Fault::LongValueIsCut { 5_000 } else { u32::MAX };
        self.cursor.read(row, column, offset, max_bytes.min(most)).await
    }
}

fn drop_last_row(batch: &mut Batch, columns: usize) {
    batch.rows -= 1;
    for kind in batch.kinds.split_off(batch.kinds.len() - columns).into_iter().rev() {
        match kind {
            1 => {
                batch.integers.pop();
            }
            2 => {
                batch.reals.pop();
            }
            3 | 4 => {
                let length = batch.lengths.pop().unwrap() as usize;
                batch.bytes.truncate(batch.bytes.len() - length);
            }
            6 | 7 => {
                batch.lengths.pop();
            }
            _ => {}
        }
    }
}

#[test]
fn planted_faults_are_found_and_named() {
    let (_folder, path) = sample();
    for (fault, rule) in [
        (Fault::PositionIsOneOff, "positions"),
        (Fault::ResumedScanLosesRow, "positions"),
        (Fault::BatchLosesRow, "rows-repeat"),
        (Fault::LongValueIsCut, "long-pieces"),
        (Fault::TextIsBlob, "sample-values"),
        (Fault::IntegersAreRounded, "sample-values"),
        (Fault::ErrorsHaveNoName, "errors"),
    ] {
        let report = check("check-sample", FaultyRows(hold(&path), fault));
        let is_named = report.failures.iter().any(|failure| failure.rule == rule);
        assert!(is_named, "{fault:?} is not found by {rule}:\n{}", report.printed());
    }
}

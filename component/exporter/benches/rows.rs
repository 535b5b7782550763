//! How fast rows become text, by the kinds of their cells: the component's own code, natively, with batches
//! that are made beforehand.
//!
//! Throughput is in bytes of SQL. What holds here holds inside of WebAssembly by and large only: `cargo xtask
//! bench` measures that.

#![expect(clippy::expect_used, clippy::panic, reason = "a benchmark fails by panicking")]

use std::hint::black_box;
use std::rc::Rc;

#[path = "../tests/one_table/mod.rs"]
mod one_table;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use one_table::one_table;
use partway_exporter::{
    Batch, Budget, Cursor, Options, Outcome, Pacing, Parts, PartsError, Position, Rows, RowsError,
    Schema, Text, resume, start,
};
use partway_testbed::Random;

/// How often a batch is handed out: enough that the beginning of a slice does not count.
const BATCHES: u32 = 16;

/// The bounds of a batch, as Partway's host has them.
const MOST_CELLS: usize = 32_768;
const MOST_BYTES: usize = 256 * 1024;

/// A batch of eight columns whose cells are of these kinds in turn.
fn batch(mut cell: impl FnMut(&mut Batch, &mut Random)) -> Batch {
    let mut batch = Batch::default();
    let mut numbers = Random::new(2027);
    while batch.kinds.len() + COLUMNS <= MOST_CELLS && batch.bytes.len() < MOST_BYTES {
        for _ in 0..COLUMNS {
            cell(&mut batch, &mut numbers);
        }
        batch.rows += 1;
    }
    batch
}

const COLUMNS: usize = 8;

fn kinds() -> Vec<(&'static str, Batch)> {
    vec![
        ("integers", batch(integer)),
        ("short text", batch(short_text)),
        ("long text", batch(long_text)),
        ("text with quotes", batch(quotes)),
        ("prices", batch(price)),
        ("floats", batch(float)),
        ("blobs", batch(blob)),
        ("nulls", batch(null)),
        ("mixed", {
            let all = [integer, short_text, price, quotes, null, float, integer, blob];
            let mut next = all.iter().cycle();
            batch(move |batch, numbers| {
                if let Some(cell) = next.next() {
                    cell(batch, numbers);
                }
            })
        }),
    ]
}

fn integer(batch: &mut Batch, numbers: &mut Random) {
    batch.kinds.push(1);
    // Of all lengths.
    let digits = numbers.below(10) as u32;
    batch.integers.push(numbers.below(10_u64.pow(digits)) as i64 - 50);
}

/// Hundredths.
fn price(batch: &mut Batch, numbers: &mut Random) {
    batch.kinds.push(2);
    batch.reals.push(numbers.below(1_000_000) as f64 / 100.0);
}

/// Floats that need all of their digits.
fn float(batch: &mut Batch, numbers: &mut Random) {
    batch.kinds.push(2);
    batch.reals.push(numbers.below(1 << 40) as f64 / 7.0e6);
}

fn short_text(batch: &mut Batch, numbers: &mut Random) {
    let words = 1 + numbers.below(4);
    bytes(batch, 3, &text(numbers, words, &["parcel", "late", "grüße", "on", "Monday"]));
}

fn long_text(batch: &mut Batch, numbers: &mut Random) {
    bytes(batch, 3, &text(numbers, 600, &["parcel", "late", "grüße", "on", "Monday"]));
}

fn quotes(batch: &mut Batch, numbers: &mut Random) {
    let words = 4 + numbers.below(12);
    bytes(batch, 3, &text(numbers, words, &["it's", "late", "customer's", "'on'", "Monday"]));
}

fn blob(batch: &mut Batch, numbers: &mut Random) {
    let length = numbers.below(400) as usize;
    bytes(batch, 4, &numbers.bytes(length));
}

fn null(batch: &mut Batch, _: &mut Random) {
    batch.kinds.push(5);
}

fn bytes(batch: &mut Batch, kind: u8, content: &[u8]) {
    batch.kinds.push(kind);
    batch.lengths.push(content.len() as u32);
    batch.bytes.extend_from_slice(content);
}

fn text(numbers: &mut Random, words: u64, of: &[&str]) -> Vec<u8> {
    let words = (0..words).map(|_| numbers.pick(of));
    words.collect::<Vec<_>>().join(" ").into_bytes()
}

/// A database of one table, whose rows are a batch over and over.
struct Repeated(Rc<Batch>);

struct Scan {
    batch: Rc<Batch>,
    left: u32,
}

impl Rows for Repeated {
    type Cursor = Scan;

    fn describe(&self) -> Result<Schema, RowsError> {
        let columns: Vec<String> = (0..COLUMNS).map(|number| format!("c{number}")).collect();
        let sql =
            format!("CREATE TABLE t ({}, PRIMARY KEY (c0)) WITHOUT ROWID", columns.join(", "));
        Ok(one_table(columns, &sql))
    }

    fn scan(&self, _: &[u8], _: &[Text], _: Option<&[u8]>) -> Result<Scan, RowsError> {
        Ok(Scan { batch: Rc::clone(&self.0), left: BATCHES })
    }
}

impl Cursor for Scan {
    fn next(&mut self, _: u32) -> Result<Batch, RowsError> {
        let Some(left) = self.left.checked_sub(1) else { return Ok(Batch::default()) };
        self.left = left;
        // A copy of arrays: little beside the text that is made of them, and a host has to make them as well.
        Ok((*self.batch).clone())
    }

    fn position(&self, _: u32) -> Result<Position, RowsError> {
        Ok(Position::new())
    }

    fn read(&mut self, _: u32, _: u32, _: u32, _: u32) -> Result<Vec<u8>, RowsError> {
        Err(RowsError::Failed("no value is that long here".to_owned()))
    }
}

/// Parts go nowhere.
struct Nowhere;

impl Parts for Nowhere {
    fn write(&mut self, _: u32, bytes: &[u8]) -> Result<(), PartsError> {
        black_box(bytes);
        Ok(())
    }
}

struct Unpaced;

impl Pacing for Unpaced {
    fn should_yield(&self) -> bool {
        false
    }
}

/// One slice that is the whole export; gives its bytes.
fn export(rows: &Repeated, checkpoint: &str) -> u64 {
    let budget = Budget { parts: u32::MAX };
    match resume(rows, &mut Nowhere, &Unpaced, checkpoint, budget).map(|slice| slice.outcome) {
        Ok(Outcome::Done(summary)) => summary.bytes,
        other => panic!("the export did not end: {other:?}"),
    }
}

fn rows(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("rows");
    for (name, batch) in kinds() {
        let rows = Repeated(Rc::new(batch));
        let options =
            Options { format: "sql".to_owned(), part_size: 256 * 1024, ..Options::default() };
        let checkpoint = start(&rows, &options).expect("the first checkpoint");
        group.throughput(Throughput::Bytes(export(&rows, &checkpoint)));
        group.bench_function(name, |bencher| bencher.iter(|| export(&rows, &checkpoint)));
    }
    group.finish();
}

criterion_group!(benches, rows);
criterion_main!(benches);

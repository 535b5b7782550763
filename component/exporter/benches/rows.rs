//! How fast rows become text, by the kinds of their cells: the component's own code, natively, with batches that are
//! made beforehand.
//!
//! Throughput is in bytes of SQL. What holds here holds inside of WebAssembly by and large only: `cargo xtask bench`
//! measures that.

use std::fmt::Write as _;
use std::hint::black_box;
use std::rc::Rc;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use partway_exporter::{
    AutoVacuum, Batch, Budget, Column, ColumnKind, Cursor, Encoding, Kind, Object, Options,
    Outcome, Pacing, Parts, PartsError, Position, Rows, RowsError, Schema, Table, TableFlags, Text,
    resume, start,
};

/// How often a batch is handed out: enough that the beginning of a slice does not count.
const BATCHES: u32 = 16;

/// The bounds of a batch, as Partway's host has them.
const MOST_CELLS: usize = 32_768;
const MOST_BYTES: usize = 256 * 1024;

/// A batch of eight columns whose cells are of these kinds in turn.
fn batch(mut cell: impl FnMut(&mut Batch, &mut Numbers)) -> Batch {
    let mut batch = Batch::default();
    let mut numbers = Numbers(2027);
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

fn integer(batch: &mut Batch, numbers: &mut Numbers) {
    batch.kinds.push(1);
    // Of all lengths.
    let digits = numbers.below(10) as u32;
    batch.integers.push(numbers.below(10_u64.pow(digits)) as i64 - 50);
}

/// Hundredths.
fn price(batch: &mut Batch, numbers: &mut Numbers) {
    batch.kinds.push(2);
    batch.reals.push(numbers.below(1_000_000) as f64 / 100.0);
}

/// Floats that need all of their digits.
fn float(batch: &mut Batch, numbers: &mut Numbers) {
    batch.kinds.push(2);
    batch.reals.push(numbers.below(1 << 40) as f64 / 7.0e6);
}

fn short_text(batch: &mut Batch, numbers: &mut Numbers) {
    let words = 1 + numbers.below(4);
    bytes(batch, 3, &text(numbers, words, &["parcel", "late", "grüße", "on", "Monday"]));
}

fn long_text(batch: &mut Batch, numbers: &mut Numbers) {
    bytes(batch, 3, &text(numbers, 600, &["parcel", "late", "grüße", "on", "Monday"]));
}

fn quotes(batch: &mut Batch, numbers: &mut Numbers) {
    let words = 4 + numbers.below(12);
    bytes(batch, 3, &text(numbers, words, &["it's", "late", "customer's", "'on'", "Monday"]));
}

fn blob(batch: &mut Batch, numbers: &mut Numbers) {
    let length = numbers.below(400);
    let content: Vec<u8> = (0..length).map(|_| numbers.below(256) as u8).collect();
    bytes(batch, 4, &content);
}

fn null(batch: &mut Batch, _: &mut Numbers) {
    batch.kinds.push(5);
}

fn bytes(batch: &mut Batch, kind: u8, content: &[u8]) {
    batch.kinds.push(kind);
    batch.lengths.push(content.len() as u32);
    batch.bytes.extend_from_slice(content);
}

fn text(numbers: &mut Numbers, words: u64, of: &[&str]) -> Vec<u8> {
    let words = (0..words).map(|_| of[numbers.below(of.len() as u64) as usize]);
    words.collect::<Vec<_>>().join(" ").into_bytes()
}

/// Numbers without order, the same every time (SplitMix64).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }
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
        let column = |number: usize| Column {
            name: format!("c{number}").into(),
            declared_type: Vec::new(),
            kind: ColumnKind::Ordinary,
            primary_key: 0,
        };
        let mut sql = String::from("CREATE TABLE t (");
        for number in 0..COLUMNS {
            write!(sql, "c{number}, ").map_err(|error| RowsError::Failed(error.to_string()))?;
        }
        sql.push_str("PRIMARY KEY (c0)) WITHOUT ROWID");
        let table = Table {
            columns: (0..COLUMNS).map(column).collect(),
            rowid: None,
            references: Vec::new(),
            flags: TableFlags { without_rowid: true, ..TableFlags::default() },
            estimated_rows: None,
        };
        Ok(Schema {
            encoding: Encoding::Utf8,
            user_version: 0,
            application_id: 0,
            page_size: 4096,
            auto_vacuum: AutoVacuum::None,
            objects: vec![Object {
                kind: Kind::Table,
                name: b"t".to_vec(),
                on: b"t".to_vec(),
                sql: Some(sql.into()),
                table: Some(table),
            }],
        })
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
    match resume(rows, &mut Nowhere, &Unpaced, checkpoint, budget) {
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

//! Scans of small tables are open before their turn, some at a time; those of large ones are not.

#![expect(clippy::panic, reason = "a test fails by panicking")]

mod one_table;

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;

use one_table::one_table;
use partway_exporter::{
    Batch, Budget, Cursor, Error, Object, Options, Outcome, Pacing, Parts, PartsError, Position,
    Rows, RowsError, Schema, Text, resume, start,
};

/// What a host was asked, in order.
#[derive(Debug, Default)]
struct Asked {
    scanned: Vec<String>,
    /// The tables of the cursors that are there.
    open: BTreeSet<String>,
    most_open: usize,
    /// The tables whose rows were asked for.
    read: Vec<String>,
}

/// Some tables, each of so many batches of one row. The scan of `broken` fails.
struct Tables {
    batches: Vec<usize>,
    broken: Option<usize>,
    asked: Rc<RefCell<Asked>>,
}

impl Tables {
    fn new(batches: impl IntoIterator<Item = usize>) -> Self {
        Self { batches: batches.into_iter().collect(), broken: None, asked: Rc::default() }
    }

    fn export(&self) -> Result<Outcome, Error> {
        let options = Options {
            format: "sql".into(),
            tables: Vec::new(),
            part_size: 4096,
            settings: Vec::new(),
        };
        let checkpoint = start(self, &options)?;
        resume(self, &mut Nowhere, &Unpaced, &checkpoint, Budget { parts: u32::MAX })
            .map(|slice| slice.outcome)
    }
}

struct Scan {
    table: String,
    batches: usize,
    asked: Rc<RefCell<Asked>>,
}

impl Rows for Tables {
    type Cursor = Scan;

    fn describe(&self) -> Result<Schema, RowsError> {
        let columns = ["a".to_owned()];
        let mut schema = one_table(columns, "CREATE TABLE t (a PRIMARY KEY) WITHOUT ROWID");
        let named = |number: usize| {
            let name: Text = format!("t{number}").into();
            Object { name: name.clone(), on: name, ..schema.objects[0].clone() }
        };
        schema.objects = (0..self.batches.len()).map(named).collect();
        Ok(schema)
    }

    fn scan(&self, table: &[u8], _: &[Text], _: Option<&[u8]>) -> Result<Scan, RowsError> {
        let table = String::from_utf8_lossy(table).into_owned();
        let Ok(number) = table[1..].parse::<usize>() else { panic!("{table}") };
        let mut asked = self.asked.borrow_mut();
        asked.scanned.push(table.clone());
        if self.broken == Some(number) {
            return Err(RowsError::Failed("broken".into()));
        }
        assert!(asked.open.insert(table.clone()), "{table} is open already");
        asked.most_open = asked.most_open.max(asked.open.len());
        Ok(Scan { table, batches: self.batches[number], asked: self.asked.clone() })
    }
}

impl Cursor for Scan {
    fn next(&mut self, _: u32) -> Result<Batch, RowsError> {
        let mut asked = self.asked.borrow_mut();
        if asked.read.last() != Some(&self.table) {
            asked.read.push(self.table.clone());
        }
        if self.batches == 0 {
            return Ok(Batch::default());
        }
        self.batches -= 1;
        Ok(Batch { rows: 1, kinds: vec![1], integers: vec![7], ..Batch::default() })
    }

    fn position(&self, rows: u32) -> Result<Position, RowsError> {
        Ok(rows.to_be_bytes().to_vec())
    }

    fn read(&mut self, _: u32, _: u32, _: u32, _: u32) -> Result<Vec<u8>, RowsError> {
        Err(RowsError::Failed("no value is long".into()))
    }
}

impl Drop for Scan {
    fn drop(&mut self) {
        self.asked.borrow_mut().open.remove(&self.table);
    }
}

struct Nowhere;

impl Parts for Nowhere {
    fn write(&mut self, _: u32, _: &[u8]) -> Result<(), PartsError> {
        Ok(())
    }
}

struct Unpaced;

impl Pacing for Unpaced {
    fn should_yield(&self) -> bool {
        false
    }
}

fn names(numbers: std::ops::Range<usize>) -> Vec<String> {
    numbers.map(|number| format!("t{number}")).collect()
}

#[test]
fn small_tables_are_opened_some_at_a_time_and_read_in_order() {
    let tables = Tables::new((0..200).map(|number| number % 2));
    let Outcome::Done(summary) = tables.export().unwrap() else { panic!("it is not done") };
    assert_eq!((summary.tables, summary.rows), (200, 100));
    let asked = tables.asked.borrow();
    assert_eq!(asked.scanned, names(0..200));
    assert_eq!(asked.read, names(0..200));
    // The contract lets a host refuse more than 64.
    assert!((8..=40).contains(&asked.most_open), "{}", asked.most_open);
    assert!(asked.open.is_empty());
}

#[test]
fn large_tables_are_opened_in_their_turn() {
    let tables = Tables::new([2; 50]);
    assert!(matches!(tables.export().unwrap(), Outcome::Done(_)));
    assert_eq!(tables.asked.borrow().most_open, 1);
    assert_eq!(tables.asked.borrow().scanned, names(0..50));
}

#[test]
fn one_small_table_is_no_reason_to_open_many() {
    let tables = Tables::new([1, 2, 2, 2, 2, 2, 2, 2, 2, 2]);
    assert!(matches!(tables.export().unwrap(), Outcome::Done(_)));
    assert_eq!(tables.asked.borrow().most_open, 3);
    assert_eq!(tables.asked.borrow().scanned, names(0..10));
}

#[test]
fn a_scan_that_can_not_be_opened_is_an_error_in_its_turn() {
    let tables = Tables { broken: Some(7), ..Tables::new([1; 50]) };
    assert!(matches!(tables.export(), Err(Error::ReadFailed(text)) if text.contains("broken")));
    assert_eq!(tables.asked.borrow().read, names(0..7));
    assert!(tables.asked.borrow().scanned.len() > 8, "it was opened ahead");
    assert!(tables.asked.borrow().open.is_empty());
}

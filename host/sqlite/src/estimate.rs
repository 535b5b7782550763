//! How much there is to export: estimated, for progress, in some milliseconds whatever the size of the database.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use wildmatch::WildMatch;

use crate::catalog::Catalog;
use crate::database::Database;
use crate::pages::Pages;
use crate::table_sample::{SampledTable, Size, sample};
use partway_wasmtime::WorkDone;
use partway_wasmtime::rows::{Table, TableFlags};

/// No more time than this is spent, on a slow disk or with thousands of tables. Most often it takes some milliseconds.
const TIME: Duration = Duration::from_millis(200);

/// Paths through each table, at first.
const FIRST_PATHS: u32 = 8;

/// Paths through each table that counts.
const MORE_PATHS: u32 = 160;

/// A table counts where it is more than this share of the whole.
const COUNTS_FROM: f64 = 0.01;

/// A larger share than this is no longer taken as it is.
const SURE_UP_TO: f64 = 0.95;

/// How much there is to export.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Expected {
    /// Tables, without SQLite's own and virtual ones.
    pub tables: u32,
    /// Rows, estimated.
    pub rows: u64,
    /// Their [weight](partway_wasmtime::weight), estimated; 0: it is not known.
    #[serde(default)]
    pub weight: u64,
}

impl Expected {
    /// Which share of an export is done when so much of it is: from 0 to 1, and never quite 1, since it is an estimate.
    /// None where nothing is known.
    pub fn share(&self, done: WorkDone) -> Option<f64> {
        let WorkDone { rows, weight, idle_weight } = done;
        // Jobs saved by earlier versions know rows only. What is read twice is twice the work.
        let (done, expected) = if self.weight > 0 {
            (weight, self.weight.saturating_add(idle_weight))
        } else {
            (rows, self.rows)
        };
        let share = done as f64 / expected as f64;
        // An estimate that was too low must not say that all is done: towards the end it slows down.
        let rest = 1.0 - SURE_UP_TO;
        let slowed = || SURE_UP_TO + rest * (1.0 - ((SURE_UP_TO - share) / rest).exp());
        (expected > 0).then(|| if share <= SURE_UP_TO { share } else { slowed().min(0.999) })
    }
}

/// Estimates how much there is to export from these tables; none: from all. `bytes`: the size of the database. It takes a
/// sample of each table's pages. Where they can't be read, it goes by what `ANALYZE` has left, and by `bytes`.
pub(crate) fn expected(
    database: &Database,
    catalog: &Catalog,
    tables: &[String],
    is_wal: bool,
    bytes: u64,
) -> Expected {
    let deadline = Instant::now() + TIME;
    let objects = catalog.schema.objects.iter().filter_map(|object| {
        let table = object.table.as_ref()?;
        let is_wanted =
            tables.is_empty() || tables.iter().any(|name| is_table_like(&object.name, name));
        is_wanted.then_some((&object.name, table))
    });
    let objects: Vec<(&Vec<u8>, &Table)> = objects.collect();
    let is_own =
        |name: &[u8]| name.get(..7).is_some_and(|start| start.eq_ignore_ascii_case(b"sqlite_"));
    let count = objects
        .iter()
        .filter(|(name, table)| !is_own(name) && !table.flags.contains(TableFlags::VIRTUAL));
    let count = count.count() as u32;
    let found = roots(database).and_then(|roots| {
        let sampled = objects.iter().filter_map(|(name, table)| {
            let is_rowid = |name: &Vec<u8>| Some(name) == table.rowid.as_ref();
            let rowid_is_column = table.columns.iter().any(|column| is_rowid(&column.name));
            Some(SampledTable { root: *roots.get(*name)?, rowid_is_column })
        });
        let sampled: Vec<_> = sampled.collect();
        let pages = Pages::of(database, is_wal, deadline)?;
        size(&pages, &sampled, deadline)
    });
    match found {
        Some(size) => {
            Expected { tables: count, rows: size.rows as u64, weight: size.weight as u64 }
        }
        None => {
            let rows = objects.iter().filter_map(|(_, table)| table.estimated_rows);
            Expected { tables: count, rows: rows.fold(0, u64::saturating_add), weight: bytes }
        }
    }
}

/// Whether a table is one that was asked for: by its name, ASCII letters without regard to case, or by a pattern with `*`
/// and `?`.
pub fn is_table_like(table: &[u8], name: &str) -> bool {
    table.eq_ignore_ascii_case(name.as_bytes())
        || name.contains(['*', '?'])
            && WildMatch::new_case_insensitive(name).matches(&String::from_utf8_lossy(table))
}

/// The pages of all tables' roots.
fn roots(database: &Database) -> Option<HashMap<Vec<u8>, u32>> {
    let sql =
        "SELECT name, rootpage FROM schema.sqlite_master WHERE type = 'table' AND rootpage > 0";
    let mut statement = database.prepare(&database.sql(sql)).ok()?;
    let mut rows = statement.query([]).ok()?;
    let mut roots = HashMap::new();
    while let Some(row) = rows.next().ok()? {
        let name = row.get_ref(0).ok()?.as_bytes().ok()?.to_vec();
        roots.insert(name, row.get(1).ok()?);
    }
    Some(roots)
}

/// The size of these tables together. None: none could be sampled.
fn size(pages: &Pages<'_>, tables: &[SampledTable], deadline: Instant) -> Option<Size> {
    let is_late = || Instant::now() > deadline;
    let mut sizes = Vec::with_capacity(tables.len());
    for table in tables {
        if is_late() {
            break;
        }
        sizes.extend(sample(pages, *table, FIRST_PATHS, is_late).map(|size| (*table, size)));
    }
    let sum = |sizes: &[(SampledTable, Size)]| {
        let sizes = sizes.iter().map(|(_, size)| *size);
        sizes.fold(Size::default(), |sum, size| Size {
            rows: sum.rows + size.rows,
            weight: sum.weight + size.weight,
        })
    };
    let first = sum(&sizes);
    sizes.sort_by(|(_, a), (_, b)| b.weight.total_cmp(&a.weight));
    for (table, size) in &mut sizes {
        if size.weight < first.weight * COUNTS_FROM || is_late() {
            break;
        }
        *size = sample(pages, *table, MORE_PATHS, is_late).unwrap_or(*size);
    }
    if sizes.is_empty() {
        return tables.is_empty().then_some(Size::default());
    }
    // Those that there was no time for, or that can't be read, are taken for alike.
    let factor = tables.len() as f64 / sizes.len() as f64;
    let all = sum(&sizes);
    Some(Size { rows: all.rows * factor, weight: all.weight * factor })
}

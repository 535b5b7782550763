//! The SQL of a scan: which columns of which table are selected, and after which position.
//!
//! `OFFSET`, which is quadratic, is used only if no name reaches the rowid.

use std::collections::{HashMap, HashSet};
use std::ffi::CString;

use rusqlite::limits::Limit;
use rusqlite::types::ValueRef;
use rusqlite::{Error, Result, ffi};

use crate::byte_order_mark::{LostMarks, is_real};
use crate::catalog::Catalog;
use crate::database::Database;
use crate::identifier::{displayed_table, quoted};
use crate::imposter::Imposter;
use crate::key_order::{Clauses, KeyOrder};
use crate::page_source::PageAccess;
use crate::position::Position;
use crate::query_rows::{CellPlace, QueryRows};
use crate::statement::Statement;
use partway_wasmtime::rows::{Column, ColumnKind, Encoding, Error as RowsError};

/// What a scan reads: a table, its columns, and the key that orders it.
#[derive(Debug)]
pub(crate) struct TableQuery {
    /// The table's name, quoted.
    table: Vec<u8>,
    /// The table's name, for messages.
    pub(crate) displayed: String,
    /// The table's name, unquoted.
    pub(crate) name: CString,
    /// The columns that the caller wants, unquoted.
    pub(crate) columns: Vec<CString>,
    pub(crate) order: KeyOrder,
    /// The result columns, quoted and each once: the key, then those of `columns` that are not part of it.
    selected: Vec<Vec<u8>>,
    /// For each of `columns`, its index in `selected`.
    indexes: Vec<usize>,
    /// For each of `selected`, whether it has REAL affinity.
    reals: Vec<bool>,
    /// The table's columns that its rows store, unquoted, in their order.
    pub(crate) stored: Vec<Vec<u8>>,
    /// Whether values can be opened under the table's own name. Where there are generated columns, SQLite refuses that, and
    /// before 3.43 opens another column than it is asked for.
    pub(crate) opens_values: bool,
    /// Where its long values are opened if they can't be under its own name; none for a table without rowids.
    pub(crate) imposter: Option<Imposter>,
    encoding: Encoding,
    /// How the pages of the database are read; none: it is of an ordinary table.
    pub(crate) pages: Option<PageAccess>,
    /// The condition that rows have to meet, in parentheses.
    filter: Option<Vec<u8>>,
}

/// The name by which the pages of the database can be scanned, where they are offered: that of SQLite's own table of them.
pub(crate) const PAGES: &[u8] = b"sqlite_dbpage";

/// Its column: a page, as it is.
const PAGE_DATA: &[u8] = b"data";

/// How cells are selected.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Selection {
    /// As they are. Where SQLite may lose byte order marks, each cell outside the key is two results: the value, and
    /// its `octet_length`.
    Plain,
    /// One row, in which long values are not loaded. Each cell outside the key is two results: the value or,
    /// of a long one, whether it is text; and its `octet_length`.
    Guarded,
}

impl TableQuery {
    /// Resolves names against the schema.
    pub(crate) fn new(
        catalog: &Catalog,
        name: &[u8],
        columns: &[Vec<u8>],
    ) -> std::result::Result<Self, RowsError> {
        let displayed = displayed_table(name);
        let (table, order) = catalog.table(name)?;
        for column in columns {
            let known = table
                .columns
                .iter()
                .any(|known| known.name == *column && known.kind != ColumnKind::Hidden)
                || table.rowid.as_ref() == Some(column);
            if !known {
                return Err(RowsError::UnknownColumn(format!(
                    "{displayed} has no column {:?}",
                    String::from_utf8_lossy(column)
                )));
            }
        }
        let mut selected = order.names();
        let mut index_of = |column: Vec<u8>| {
            selected.iter().position(|known| *known == column).unwrap_or_else(|| {
                selected.push(column);
                selected.len() - 1
            })
        };
        let indexes = columns.iter().map(|column| index_of(quoted(column))).collect();
        let reals = have_real_affinity(&selected, &table.columns);
        // SQLite knows no name with a NUL in it.
        let unknown = |_| RowsError::UnknownTable(format!("there is no {displayed}"));
        let c_string = |name: &[u8]| CString::new(name).map_err(unknown);
        let is_stored = |column: &&Column| {
            matches!(column.kind, ColumnKind::Ordinary | ColumnKind::GeneratedStored)
        };
        let stored: Vec<Vec<u8>> =
            table.columns.iter().filter(is_stored).map(|column| column.name.clone()).collect();
        let place = |column: &Vec<u8>| stored.iter().position(|stored| stored == column);
        let is_generated = |column: &Column| {
            matches!(column.kind, ColumnKind::GeneratedStored | ColumnKind::GeneratedVirtual)
        };
        let opens_values = !table.columns.iter().any(is_generated);
        let imposter = catalog
            .unused_name(name)
            .filter(|_| !matches!(order, KeyOrder::PrimaryKey(_)))
            .map(|name| Imposter::new(name, stored.len(), columns.iter().map(place).collect()));
        Ok(Self {
            table: quoted(name),
            name: c_string(name)?,
            columns: columns
                .iter()
                .map(|column| c_string(column))
                .collect::<std::result::Result<_, _>>()?,
            order: order.clone(),
            selected,
            indexes,
            reals,
            stored,
            opens_values,
            imposter,
            encoding: catalog.schema.encoding,
            displayed,
            pages: None,
            filter: None,
        })
    }

    /// Of those rows alone that meet a condition.
    pub(crate) fn filtered(self, filter: Option<&[u8]>) -> Self {
        Self { filter: filter.map(<[u8]>::to_vec), ..self }
    }

    /// A scan of the pages, each a row of one column.
    pub(crate) fn of_pages(
        access: PageAccess,
        columns: &[Vec<u8>],
    ) -> std::result::Result<Self, RowsError> {
        let displayed = displayed_table(PAGES);
        if columns != [PAGE_DATA.to_vec()] {
            return Err(RowsError::UnknownColumn(format!(
                "{displayed} has one column, data, to be asked for once"
            )));
        }
        Ok(Self {
            table: quoted(PAGES),
            displayed,
            name: c"sqlite_dbpage".to_owned(),
            columns: vec![c"data".to_owned()],
            order: KeyOrder::Rowid(quoted(b"pgno")),
            selected: Vec::new(),
            indexes: Vec::new(),
            reals: Vec::new(),
            stored: Vec::new(),
            opens_values: false,
            imposter: None,
            encoding: Encoding::Utf8,
            pages: Some(access),
            filter: None,
        })
    }

    /// Whether it reads the same columns of the same table as another.
    pub(crate) fn reads_same(&self, other: &Self) -> bool {
        self.name == other.name
            && self.columns == other.columns
            && self.pages == other.pages
            && self.filter == other.filter
    }

    /// Decodes a position in this table.
    pub(crate) fn position(&self, encoded: &[u8]) -> std::result::Result<Position, RowsError> {
        let position = Position::decode(encoded).filter(|position| self.order.admits(position));
        position.ok_or_else(|| {
            RowsError::InvalidPosition(format!("invalid position in {}", self.displayed))
        })
    }

    /// Starts to read one of the [`ranges`](crate::key_order::ranges) after a position. `max_bytes`: longer
    /// values are long in a guarded selection.
    pub(crate) fn rows<'c>(
        &self,
        database: &'c Database,
        after: &Position,
        range: usize,
        selection: Selection,
        max_bytes: u32,
    ) -> Result<QueryRows<'c>> {
        let limit = (selection == Selection::Guarded).then_some(1);
        let filter = self.filter.as_deref();
        let clauses = self.order.after(after, range, limit, self.is_utf8(), filter);
        let results = self.results(database, selection, max_bytes);
        let width = usize::try_from(database.limit(Limit::SQLITE_LIMIT_COLUMN)?).unwrap_or(1);
        let width = width.max(1);
        let mut statements =
            results.chunks(width).map(|results| self.select(database, results, &clauses));
        let first = match statements.next() {
            Some(first) => first?,
            None => Statement::prepare(database, b"SELECT 0 WHERE 0", &[])?,
        };
        let more: Vec<_> = statements.collect::<Result<_>>()?;
        let is_plain = !self.is_paired(selection) && more.is_empty();
        let plain = is_plain.then(|| self.indexes.clone());
        Ok(QueryRows::new(first, more, width, self.places(selection), plain, self.marks(database)))
    }

    /// Selects how many bytes each stored column has, of all rows in the order of the table.
    pub(crate) fn lengths<'c>(&self, database: &'c Database) -> Result<Statement<'c>> {
        let length = |name: &Vec<u8>| database.octet_length(&quoted(name));
        let lengths: Vec<_> = self.stored.iter().map(length).collect();
        let mut sql = b"NOT INDEXED".to_vec();
        if let Some(filter) = &self.filter {
            sql.extend_from_slice(b" WHERE ");
            sql.extend_from_slice(filter);
        }
        let clauses = Clauses { sql, parameters: Vec::new() };
        self.select(database, &lengths, &clauses)
    }

    /// The number of the page that the table begins with.
    pub(crate) fn root_page(&self, database: &Database) -> Result<i32> {
        let sql = "SELECT rootpage FROM schema.sqlite_master WHERE type = 'table' AND name = CAST(?1 AS TEXT)";
        let name = ValueRef::Text(self.name.as_bytes());
        let mut statement = Statement::prepare(database, database.sql(sql).as_bytes(), &[name])?;
        match (statement.step()?, statement.cell(0)) {
            (true, ValueRef::Integer(page)) => {
                i32::try_from(page).map_err(|_| Error::QueryReturnedNoRows)
            }
            _ => Err(Error::QueryReturnedNoRows),
        }
    }

    /// Selects the key of the first row after a position, and no more of it.
    pub(crate) fn first_key<'c>(
        &self,
        database: &'c Database,
        after: &Position,
    ) -> Result<Statement<'c>> {
        self.select(
            database,
            &self.order.names(),
            &self.order.after(after, 0, Some(1), self.is_utf8(), None),
        )
    }

    /// Reads one cell of the row right before a position, and its `octet_length`; the statement stands at that row.
    /// None: there is no such row.
    pub(crate) fn one_cell<'c>(
        &self,
        database: &'c Database,
        row: &Position,
        column: usize,
    ) -> Result<Option<Statement<'c>>> {
        let selected = measured(database, &self.selected[self.indexes[column]]);
        let clauses = self.order.row_at(row, self.is_utf8(), self.filter.as_deref());
        let mut statement = self.select(database, &selected, &clauses)?;
        Ok(statement.step()?.then_some(statement))
    }

    fn select<'c>(
        &self,
        database: &'c Database,
        results: &[Vec<u8>],
        Clauses { sql, parameters }: &Clauses<'_>,
    ) -> Result<Statement<'c>> {
        let results = results.join(&b',');
        let table = database.qualified(&self.table);
        let sql = [b"SELECT ", &results[..], b" FROM ", &table, b" ", sql].concat();
        Statement::prepare(database, &sql, parameters)
    }

    /// Where in a row of results the cells of `columns` are.
    fn places(&self, selection: Selection) -> Vec<CellPlace> {
        let key = self.order.width();
        let place = |index: &usize| match selection {
            _ if *index < key || !self.is_paired(selection) => CellPlace::Plain(*index),
            Selection::Plain => CellPlace::Measured(key + 2 * (index - key)),
            Selection::Guarded => CellPlace::Guarded(key + 2 * (index - key)),
        };
        self.indexes.iter().map(place).collect()
    }

    /// The result columns' SQL.
    fn results(&self, database: &Database, selection: Selection, max_bytes: u32) -> Vec<Vec<u8>> {
        if !self.is_paired(selection) {
            return self.selected.clone();
        }
        let (key, others) = self.selected.split_at(self.order.width());
        let pair = |name: &Vec<u8>| match selection {
            Selection::Plain => measured(database, name),
            Selection::Guarded => guarded(database, name, max_bytes),
        };
        key.iter().cloned().chain(others.iter().flat_map(pair)).collect()
    }

    /// What finds the byte order marks that cells have lost.
    fn marks<'c>(&self, database: &'c Database) -> LostMarks<'c> {
        let encoding = match self.encoding {
            Encoding::Utf8 => ffi::SQLITE_UTF8,
            Encoding::Utf16le => ffi::SQLITE_UTF16LE,
            Encoding::Utf16be => ffi::SQLITE_UTF16BE,
        };
        let mut columns = HashMap::new();
        if let (KeyOrder::Rowid(_), false, true) = (&self.order, self.is_utf8(), self.opens_values)
        {
            let key = self.order.width();
            let places = self.indexes.iter().zip(&self.columns).filter(|(index, _)| **index >= key);
            columns.extend(places.map(|(index, name)| (key + 2 * (index - key), name.clone())));
        }
        let key = self.order.width();
        let reals = self.reals.iter().enumerate().filter(|(index, is)| *index >= key && **is);
        let reals = reals.map(|(index, _)| key + 2 * (index - key)).collect();
        LostMarks { database, encoding, table: self.name.clone(), columns, reals }
    }

    fn is_utf8(&self) -> bool {
        self.encoding == Encoding::Utf8
    }

    /// Whether each cell outside the key is two results: where values may be long, and where SQLite may take byte order
    /// marks away.
    fn is_paired(&self, selection: Selection) -> bool {
        let loses_marks = !self.is_utf8() && !matches!(self.order, KeyOrder::PrimaryKey(_));
        selection == Selection::Guarded || loses_marks
    }
}

/// Whether each of some columns, quoted, has REAL affinity.
fn have_real_affinity(selected: &[Vec<u8>], columns: &[Column]) -> Vec<bool> {
    let reals = columns.iter().filter(|column| is_real(&column.declared_type));
    let reals: HashSet<_> = reals.map(|column| quoted(&column.name)).collect();
    selected.iter().map(|name| reals.contains(name)).collect()
}

/// A cell, and how many bytes of it are stored.
fn measured(database: &Database, name: &[u8]) -> [Vec<u8>; 2] {
    [name.to_vec(), database.octet_length(name)]
}

/// The two results of a cell that may be long. Neither `octet_length` nor `typeof` loads its value. Numbers have no length:
/// `octet_length` would give that of their digits.
fn guarded(database: &Database, name: &[u8], max_bytes: u32) -> [Vec<u8>; 2] {
    let octets = database.octet_length(name);
    let length = [b"CASE WHEN typeof(", name, b") IN ('text','blob') THEN ", &octets[..], b" END"];
    let length = length.concat();
    let is_long = [&length[..], format!(">{max_bytes}").as_bytes()].concat();
    let value =
        [b"CASE WHEN ", &is_long[..], b" THEN typeof(", name, b")='text' ELSE ", name, b" END"];
    [value.concat(), length]
}

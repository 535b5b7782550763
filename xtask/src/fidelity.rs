//! `cargo xtask fidelity`: a table of what a dump keeps of each hard case, compared with what
//! `sqlite3 .dump` keeps.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result};
use partway_testbed::{HardCase, TextEncoding, compare, hard_cases};
use rusqlite::types::Value;
use rusqlite::{Connection, OpenFlags};

use crate::run::{cargo, output, root, run, target};
use crate::setup::setup;

/// What differs in each of the encodings; nothing, if all is kept.
type Differences = Vec<Option<String>>;

const ENCODINGS: [TextEncoding; 2] = [TextEncoding::Utf8, TextEncoding::Utf16le];

/// Writes `docs/FIDELITY.md`.
pub fn fidelity() -> Result<()> {
    setup()?;
    run(cargo().args(["build", "--package", "partway"]))?;
    let program = target().join("debug").join(format!("partway{}", std::env::consts::EXE_SUFFIX));
    let mut rows = String::new();
    let (mut kept, mut kept_by_sqlite3, mut cases) = (0, 0, 0);
    for case in hard_cases() {
        let (ours, theirs) = both(&case, &program)?;
        cases += 1;
        kept += usize::from(ours.iter().all(Option::is_none));
        kept_by_sqlite3 += usize::from(theirs.iter().all(Option::is_none));
        println!("{}: {}", case.name, shown(&ours));
        let HardCase { name, .. } = case;
        writeln!(rows, "| {name} | {} | {} |", shown(&ours), shown(&theirs))?;
    }

    let sqlite3 = output(Command::new("sqlite3").arg("--version"))?;
    let sqlite3 = sqlite3.split(' ').next().unwrap_or_default();
    let text = format!(
        "Written by `cargo xtask fidelity`, with SQLite {} in Partway and the program `sqlite3` {sqlite3}.

# What a dump keeps

Each row is a small database of a kind that dumps tend to get wrong. It is exported twice: by `partway export FILE`
and by `sqlite3 FILE .dump`. The program `sqlite3` restores both dumps. Then schema text, rowids, header numbers and
every value are compared with the original, bit by bit.

“yes” means that nothing differs. Anything else is the first difference found. Every case is run in UTF-8 and in
UTF-16. If the results differ, both are given.

The rows leave out two things. `sqlite3 .dump` turns a UTF-16 database into a UTF-8 one; its text is compared as far as
UTF-8 can represent it. And where columns take all three names of the rowid, no SQL can read the rowids, so neither
program keeps them.

Of {cases} cases, Partway keeps {kept} and `sqlite3 .dump` keeps {kept_by_sqlite3}. The SQL of each is in
[hard_cases.rs](../tests/testbed/src/hard_cases.rs).

The case that fails has NULL in a column that an edit of the schema table made NOT NULL afterwards, which SQLite itself
reports as damage (`PRAGMA integrity_check`). No SQL can insert such a row while the column is NOT NULL, and a dump does
not know of it before it reads the row. To keep it, every table with NOT NULL would have to be created without it and
the schema table edited at the end, in every dump. A restore fails loudly: it names the column, and the rows of that
statement are missing.

| case | Partway | `sqlite3 .dump` |
|---|---|---|
{rows}",
        rusqlite::version(),
    );
    let file = root().join("docs/FIDELITY.md");
    fs::create_dir_all(root().join("docs"))?;
    fs::write(&file, text).with_context(|| format!("writing {}", file.display()))?;
    println!(
        "{}: Partway keeps {kept} of {cases}, sqlite3 .dump {kept_by_sqlite3}",
        file.display()
    );
    Ok(())
}

/// What differs after either export, in each encoding.
fn both(case: &HardCase, program: &Path) -> Result<(Differences, Differences)> {
    let mut ours = Vec::new();
    let mut theirs = Vec::new();
    for encoding in ENCODINGS {
        let work = tempfile::tempdir()?;
        let database = work.path().join("original.db");
        case.write(&database, encoding)?;
        ours.push(of_partway(program, &database, work.path())?);
        theirs.push(of_sqlite3(&database, work.path())?);
    }
    Ok((ours, theirs))
}

/// What differs after an export by Partway; nothing, if all is kept.
fn of_partway(program: &Path, database: &Path, folder: &Path) -> Result<Option<String>> {
    let mut export = Command::new(program);
    export.arg("export").arg(database);
    let Restored { copy, printed } = restored(&mut export, folder, "partway")?;
    if !printed.is_empty() {
        return Ok(Some(printed));
    }
    // The strictest comparison there is; the wording is found below.
    let same = compare(database, &copy)?.is_empty();
    match difference(database, &copy)? {
        None if !same => Ok(Some("something differs".into())),
        difference => Ok(difference),
    }
}

/// The same by `sqlite3 .dump`, without regard to the encoding.
fn of_sqlite3(database: &Path, folder: &Path) -> Result<Option<String>> {
    let mut dump = Command::new("sqlite3");
    dump.arg(database).arg(".dump");
    let Restored { copy, printed } = restored(&mut dump, folder, "sqlite3")?;
    if printed.is_empty() { difference(database, &copy) } else { Ok(Some(printed)) }
}

/// A restored copy, and what was said on the way.
struct Restored {
    copy: PathBuf,
    printed: String,
}

fn restored(export: &mut Command, folder: &Path, name: &str) -> Result<Restored> {
    let dump = folder.join(format!("{name}.sql"));
    let copy = folder.join(format!("{name}.db"));
    let exported = export.stdout(File::create(&dump)?).stderr(Stdio::piped()).output()?;
    if !exported.status.success() {
        let printed = String::from_utf8_lossy(&exported.stderr);
        return Ok(Restored {
            copy,
            printed: format!("the export fails: {}", first_line(&printed)),
        });
    }
    let restored =
        Command::new("sqlite3").arg("-batch").arg(&copy).stdin(File::open(&dump)?).output()?;
    let printed = [restored.stdout, restored.stderr].concat();
    let printed = String::from_utf8_lossy(&printed);
    let printed = match first_line(&printed) {
        "" => String::new(),
        line => {
            // The error's number follows the message.
            let message = line.split(" (").next().unwrap_or(line);
            format!("fails to restore: {}", cell(message))
        }
    };
    Ok(Restored { copy, printed })
}

fn first_line(text: &str) -> &str {
    let line = text.trim().lines().next().unwrap_or_default();
    // The line number is useless without the dump.
    line.split_once(": ")
        .filter(|(start, _)| start.contains("near line"))
        .map_or(line, |(_, rest)| rest)
}

/// The results of both encodings, in a table's cell.
fn shown(results: &[Option<String>]) -> String {
    let one = |result: &Option<String>| result.clone().unwrap_or_else(|| "yes".into());
    match results {
        [utf8, utf16] if utf8 != utf16 => {
            format!("UTF-8: {}; UTF-16: {}", one(utf8), one(utf16))
        }
        _ => one(results.first().unwrap_or(&None)),
    }
}

/// What differs first between two databases, in a few words.
fn difference(original: &Path, copy: &Path) -> Result<Option<String>> {
    let open = |path: &Path| Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY);
    let (original, copy) = (open(original)?, open(copy)?);
    for pragma in ["user_version", "application_id"] {
        let read = |connection: &Connection| {
            connection.query_row(&format!("PRAGMA {pragma}"), [], |row| row.get::<_, i64>(0))
        };
        let (before, after) = (read(&original)?, read(&copy)?);
        if before != after {
            return Ok(Some(format!("{pragma} {before} becomes {after}")));
        }
    }
    let (before, after) = (schema(&original)?, schema(&copy)?);
    for ((kind, name), sql) in &before {
        match after.get(&(kind.clone(), name.clone())) {
            None => return Ok(Some(format!("the {kind} {} is missing", code(name)))),
            Some(other) if other != sql => {
                return Ok(Some(format!("the text of the {kind} {} changes", code(name))));
            }
            Some(_) => {}
        }
    }
    if let Some((kind, name)) = after.keys().find(|object| !before.contains_key(*object)) {
        return Ok(Some(format!("there is a new {kind} {}", code(name))));
    }
    for (_, name) in before.keys().filter(|(kind, _)| kind == "table") {
        if let Some(difference) = table_difference(&original, &copy, name)? {
            return Ok(Some(difference));
        }
    }
    Ok(None)
}

type Schema = BTreeMap<(String, String), Option<String>>;

fn schema(connection: &Connection) -> Result<Schema> {
    let mut statement = connection.prepare("SELECT type, name, sql FROM sqlite_master")?;
    let rows = statement.query_map([], |row| Ok(((row.get(0)?, row.get(1)?), row.get(2)?)))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Rowids and cells of one table, in its own order.
fn table_difference(
    original: &Connection,
    copy: &Connection,
    table: &str,
) -> Result<Option<String>> {
    let quoted = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
    let (kind, without_rowid): (String, bool) = original.query_row(
        "SELECT type, wr FROM pragma_table_list WHERE schema = 'main' AND name = ?1",
        [table],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    if kind == "virtual" {
        return Ok(None);
    }
    let mut statement =
        original.prepare("SELECT name FROM pragma_table_xinfo(?1) WHERE hidden <> 1")?;
    let columns: Vec<String> =
        statement.query_map([table], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    let rowid = ["rowid", "_rowid_", "oid"]
        .into_iter()
        .filter(|_| !without_rowid && !table.starts_with("sqlite_"))
        .find(|name| !columns.iter().any(|column| column.eq_ignore_ascii_case(name)));
    if let Some(rowid) = rowid {
        let rows = format!("{} ORDER BY 1", quoted(table));
        if cells(original, rowid, &rows, false)? != cells(copy, rowid, &rows, false)? {
            return Ok(Some(format!("the rowids of {} change", code(table))));
        }
    }
    let encoding = |connection: &Connection| {
        connection.query_row("PRAGMA encoding", [], |row| row.get::<_, String>(0))
    };
    // Bytes of text can be compared in one encoding only.
    let bytes = encoding(original)? == encoding(copy)?;
    let order = rowid.map_or(String::new(), |rowid| format!("ORDER BY {rowid}"));
    for column in columns {
        let (column, rows) = (quoted(&column), format!("{} {order}", quoted(table)));
        let before = cells(original, &column, &rows, bytes)?;
        let after = cells(copy, &column, &rows, bytes)?;
        if before.len() != after.len() {
            let (before, after) = (before.len(), after.len());
            return Ok(Some(format!("{before} rows of {} become {after}", code(table))));
        }
        let first = before.iter().zip(&after).find(|(before, after)| before != after);
        if let Some((before, after)) = first {
            return Ok(Some(format!("{} becomes {}", value(before), value(after))));
        }
    }
    Ok(None)
}

/// A cell that can be compared: its value, a float's bits, and the bytes of text as they are stored.
#[derive(PartialEq)]
struct Cell {
    value: Value,
    bits: u64,
    bytes: Option<Vec<u8>>,
}

fn cells(connection: &Connection, column: &str, rows: &str, bytes: bool) -> Result<Vec<Cell>> {
    let stored = if bytes { format!("CAST({column} AS BLOB)") } else { "NULL".into() };
    let sql =
        format!("SELECT {column}, CASE typeof({column}) WHEN 'text' THEN {stored} END FROM {rows}");
    let mut statement = connection.prepare(&sql)?;
    let rows = statement.query_map([], |row| {
        let value = match row.get_ref(0)? {
            rusqlite::types::ValueRef::Text(text) => {
                Value::Text(String::from_utf8_lossy(text).into_owned())
            }
            _ => row.get(0)?,
        };
        let bits = if let Value::Real(real) = value { real.to_bits() } else { 0 };
        Ok(Cell { value, bits, bytes: row.get(1)? })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// A value in a few words.
fn value(of: &Cell) -> String {
    const MAX_SHOWN_BYTES: usize = 24;
    match &of.value {
        Value::Null => "NULL".into(),
        Value::Integer(value) => format!("the integer {value}"),
        Value::Real(value) => format!("the float {value:?}"),
        Value::Text(text) if text.is_empty() => "empty text".into(),
        Value::Text(text) if text.len() <= MAX_SHOWN_BYTES => format!("the text {}", code(text)),
        Value::Text(text) => format!("a text of {} bytes", text.len()),
        Value::Blob(bytes) => format!("a blob of {} bytes", bytes.len()),
    }
}

/// Something quoted, in a table's cell.
fn code(text: &str) -> String {
    format!(
        "`{}`",
        cell(&text.escape_debug().to_string().replace("\\'", "'").replace("\\\"", "\""))
            .replace('`', "'")
    )
}

/// What may stand in a table's cell.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}

//! The import component turns a dump into statements that restore it, a range at a time, whatever interrupts the host.

use std::fs;
use std::path::Path;

use partway_prebuilt::IMPORTER;
use partway_testbed::{Random, compare, write_sample, write_uniform};
use partway_wasmtime::exporter::{Exporter, Options};
use partway_wasmtime::importer::{DumpError, Importer, StatementKind, Target};
use rusqlite::Connection;
use wit_parser::decoding::DecodedWasm;

use crate::support::{export_with, job_options, sha256};

#[test]
fn the_import_component_imports_nothing_at_all() {
    let DecodedWasm::Component(resolve, world) = wit_parser::decoding::decode(IMPORTER).unwrap()
    else {
        panic!("a package, not a component");
    };
    let world = &resolve.worlds[world];
    assert_eq!(world.imports.len(), 0);
    assert_eq!(world.exports.len(), 1);
}

/// Options of a dump whose statements may run in many transactions.
fn for_d1() -> Options {
    Options { settings: vec![("target".into(), "d1".into())], ..job_options(64 * 1024) }
}

/// Restores a dump as a host does whose process ends after every range, and sometimes in the middle of one: the place
/// that was reached is in the database, written with what the statements wrote.
fn restore_in_ranges(importer: &Importer, dump: &[u8], database: &Path, random: &mut Random) {
    let connection = Connection::open(database).unwrap();
    connection
        .execute_batch("CREATE TABLE place(at INTEGER); INSERT INTO place VALUES(0);")
        .unwrap();
    drop(connection);
    loop {
        let mut connection = Connection::open(database).unwrap();
        let at: usize = connection.query_row("SELECT at FROM place", [], |row| row.get(0)).unwrap();
        if at == dump.len() {
            return connection.execute_batch("DROP TABLE place").unwrap();
        }
        // Longer than any statement of such a dump.
        let length = 100_000 + random.below(400_000) as usize;
        let range = &dump[at..dump.len().min(at + length)];
        let found = importer.split(range, 1 + random.below(200) as u32).unwrap();
        assert!(found.used > 0, "no statement ends in {} bytes from {at} on", range.len());
        let transaction = connection.transaction().unwrap();
        for statement in &found.statements {
            let text = &range[statement.start as usize..statement.end as usize];
            if statement.kind != StatementKind::Setting {
                transaction.execute_batch(std::str::from_utf8(text).unwrap()).unwrap();
            }
        }
        // What is left behind the last statement is its line's end.
        let rest = &range[found.used as usize..];
        let end = if at + range.len() == dump.len() && rest.trim_ascii().is_empty() {
            dump.len()
        } else {
            at + found.used as usize
        };
        transaction.execute("UPDATE place SET at = ?1", [end]).unwrap();
        if random.below(4) > 0 {
            transaction.commit().unwrap();
        }
    }
}

#[test]
fn a_dump_restores_range_by_range_with_interruptions() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("original.db");
    write_uniform(&file, 4).unwrap();
    Connection::open(&file)
        .unwrap()
        .execute_batch(
            "CREATE TABLE \"a;b\"(id INTEGER PRIMARY KEY AUTOINCREMENT, x); INSERT INTO \"a;b\"(x) VALUES
               ('it''s; -- no comment'), (zeroblob(200000)), (char(13, 10)), ('\n-- partway:end tables=9 rows=9\n');
             CREATE TRIGGER t AFTER INSERT ON \"a;b\" BEGIN DELETE FROM \"a;b\" WHERE x = ';'; SELECT 1; END;
             CREATE VIEW v AS SELECT ';' AS y;",
        )
        .unwrap();
    let exporter = Exporter::prebuilt().unwrap();
    let exported = export_with(&exporter, &file, folder.path(), for_d1(), || 7).unwrap();
    let dump = fs::read(&exported.file).unwrap();
    let importer = Importer::prebuilt().unwrap();

    let few = importer.check_bytes().unwrap() as usize;
    let summary = importer.check(&dump[..few], &dump[dump.len() - few..]).unwrap().unwrap();
    assert_eq!((summary.target, summary.damaged), (Target::D1, None));
    assert_eq!(summary.rows, exported.finished.totals.rows);
    let all = importer.split(&dump, u32::MAX).unwrap().statements;
    assert_eq!(all.iter().map(|one| one.rows).sum::<u64>(), summary.rows);

    for seed in 0..3 {
        let restored = folder.path().join(format!("restored-{seed}.db"));
        restore_in_ranges(&importer, &dump, &restored, &mut Random::new(seed));
        let differences = compare(&file, &restored).unwrap();
        assert!(differences.is_empty(), "{differences:?}");
        let again = folder.path().join(format!("again-{seed}"));
        fs::create_dir(&again).unwrap();
        let again = export_with(&exporter, &restored, &again, for_d1(), || 7).unwrap();
        assert_eq!(sha256(&again.file), sha256(&exported.file));
    }
}

#[test]
fn a_dump_that_is_cut_off_is_refused_before_its_first_statement() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("original.db");
    write_sample(&file, 1).unwrap();
    let exporter = Exporter::prebuilt().unwrap();
    let importer = Importer::prebuilt().unwrap();
    for options in [for_d1(), job_options(64 * 1024)] {
        let store = tempfile::tempdir().unwrap();
        let dump = export_with(&exporter, &file, store.path(), options, || 99).unwrap().file;
        let dump = fs::read(dump).unwrap();
        let few = importer.check_bytes().unwrap() as usize;
        let check = |dump: &[u8]| {
            importer.check(&dump[..few.min(dump.len())], &dump[dump.len().saturating_sub(few)..])
        };
        assert!(check(&dump).unwrap().is_ok());
        for end in [0, 1, 30, 600, dump.len() / 2, dump.len() - 20, dump.len() - 1] {
            let error = check(&dump[..end]).unwrap().unwrap_err();
            let is_right = match error {
                DumpError::NotADump(_) => end == 0,
                DumpError::CutOff(_) => end > 0,
                DumpError::NewerFormat(_) => false,
            };
            assert!(is_right, "{end}: {error:?}");
        }
    }
}

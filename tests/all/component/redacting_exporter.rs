//! The exporter with the redactor inside, beside the two composed: what one of them began, the other may end.

use partway_redact::parse_policy;
use partway_sqlite::Snapshot;
use partway_wasmtime::exporter::{ExportError, Outcome};
use rusqlite::Connection;

use super::redactor_host::RedactorHost;

/// Rows enough for some parts, some of them with a value too long for a batch.
const ROWS: &str = "CREATE TABLE t(id INTEGER PRIMARY KEY, secret TEXT, kept TEXT);
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000)
    INSERT INTO t SELECT i, printf('secret-%0*d', iif(i % 500 = 0, 300000, 20), i),
        printf('kept-%0*d', iif(i % 700 = 0, 300000, 20), i) FROM n;";

fn policy(rule: &str) -> String {
    let text = format!(
        "unlisted = 'keep'\nkey = 'a key of enough bytes for hashes'\n[tables.t.columns]\nsecret = '{rule}'"
    );
    parse_policy(&text).unwrap().to_json().unwrap()
}

#[test]
fn the_redactor_linked_with_the_exporter_and_composed_with_it_take_turns() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("rows.db");
    Connection::open(&file).unwrap().execute_batch(ROWS).unwrap();
    let snapshot = Snapshot::hold(&file).unwrap();
    let hosts = [RedactorHost::linked(), RedactorHost::composed()];
    for rule in ["mask", "hash", "drop", "keep"] {
        let policy = policy(rule);
        let whole = hosts[0].export(&snapshot, &policy, u32::MAX).unwrap();
        let mut object = Vec::new();
        let mut saved = hosts[0].start(&snapshot, &policy).unwrap();
        for turn in 1.. {
            let (outcome, bytes) = hosts[turn % 2].slice(&snapshot, &policy, &saved, 7).unwrap();
            object.extend(bytes);
            match outcome {
                Outcome::More(more) => saved = more.checkpoint,
                Outcome::Done(_) => break,
            }
        }
        assert!(object == whole && whole.len() > 4 * 7 * 4096, "{rule}: {} bytes", object.len());
    }
    // Under another policy a checkpoint is refused, by the one as by the other.
    let (mask, hash) = (policy("mask"), policy("hash"));
    let first = hosts[0].start(&snapshot, &mask).unwrap();
    let (outcome, _) = hosts[0].slice(&snapshot, &mask, &first, 7).unwrap();
    let Outcome::More(more) = outcome else { panic!("all in one slice") };
    for host in &hosts {
        let refused = host.slice(&snapshot, &hash, &more.checkpoint, 7).unwrap_err();
        assert!(matches!(refused, ExportError::InvalidCheckpoint(_)), "{refused:?}");
    }
}

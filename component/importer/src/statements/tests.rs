//! Where statements end, over every chunk boundary.

use super::*;

/// All that is found in a text that comes in chunks of these lengths.
fn lex(text: &[u8], lengths: &[usize]) -> (Vec<(String, u64)>, Remainder) {
    let mut splitter = StatementSplitter::default();
    let mut found = Vec::new();
    let mut begin = 0;
    let ends = lengths.iter().scan(0, |end, length| {
        *end += length;
        Some(*end)
    });
    for end in ends.chain([text.len()]) {
        while begin < end {
            let (taken, event) = splitter.next(&text[begin..end]);
            begin += taken;
            let (piece, rows) = match event {
                None => continue,
                Some(Segment::Comment(piece)) => (piece, COMMENT),
                Some(Segment::Statement(piece)) => (piece.clone(), piece.rows),
            };
            let whole = &text[piece.start as usize..piece.end as usize];
            assert_eq!(piece.end as usize, begin);
            assert!(
                whole.starts_with(&piece.head) && piece.head.len() == whole.len().min(MAX_HEAD)
            );
            found.push((String::from_utf8_lossy(whole).into_owned(), rows));
        }
    }
    (found, splitter.unfinished())
}

const COMMENT: u64 = u64::MAX;

/// Each piece of a tricky text, and its rows.
const TRICKY: &[(&str, u64)] = &[
    ("-- partway:begin sql 1\n", COMMENT),
    ("PRAGMA foreign_keys=OFF;", 0),
    ("CREATE TABLE t (a DEFAULT ';', \"b;\"\"\" /* ; ' */, [c;'], `d;` -- it's; (\n);", 0),
    (
        "INSERT INTO \"t\"(\"a\",\"values (\") VALUES\n(1,'it''s; (',-2),\n(-3,'\n-- partway:end tables=0 rows=0\n',X'00'),(((4)),5/6,7-8);",
        3,
    ),
    ("INSERT INTO \"v\" VALUES(CAST((SELECT '(') AS TEXT)) , /* (,) */ (2) -- (\n;", 2),
    ("insert into \"w\" select * from (values (1), (2));", 0),
    ("INSERT INTO w(a) VALUES (1) ON CONFLICT (a) DO NOTHING;", 1),
    ("UPDATE t SET a = (1), b = (2) WHERE c IN (VALUES (1));", 0),
    (
        "CREATE TRIGGER g AFTER INSERT ON t BEGIN SELECT 'END;'; UPDATE t SET a = CASE WHEN 1 THEN 2 END; SELECT 1; /* ; */ END -- ;\n;",
        0,
    ),
    ("CREATE TEMPORARY TRIGGER \"end\" BEFORE DELETE ON t BEGIN SELECT 1; ; end;", 0),
    ("EXPLAIN CREATE TEMP TRIGGER g DELETE ON t BEGIN SELECT 1; SELECT 2; END;", 0),
    ("CREATE VIEW trigger_view AS SELECT 1;", 0),
    ("CREATE TABLE createtriggers (x);", 0),
    ("/* a\n**/ \"x\";", 0),
    ("- 1 / 2;", 0),
    ("-;", 0),
    ("/;", 0),
    ("--\n", COMMENT),
    ("COMMIT;", 0),
    ("-- partway:end tables=1 rows=2\n", COMMENT),
];

fn tricky() -> (String, Vec<(String, u64)>) {
    let text = TRICKY.iter().map(|(piece, _)| *piece).collect::<Vec<_>>().join("\n ;\r\n/*/,;*/\t");
    // A block comment between statements is space.
    let expected = TRICKY.iter().map(|(piece, rows)| {
        (piece.strip_prefix("/* a\n**/ ").unwrap_or(piece).to_string(), *rows)
    });
    (text.clone(), expected.collect())
}

#[test]
fn statements_and_comments_are_found() {
    let (text, expected) = tricky();
    assert_eq!(lex(text.as_bytes(), &[]), (expected, Remainder::Nothing));
}

#[test]
fn no_chunk_boundary_matters() {
    let (text, expected) = tricky();
    for first in 0..text.len() {
        let (found, rest) = lex(text.as_bytes(), &[first]);
        assert_eq!((&found, rest), (&expected, Remainder::Nothing), "{first}");
    }
    for length in 1..40 {
        let lengths = vec![length; text.len() / length];
        let (found, rest) = lex(text.as_bytes(), &lengths);
        assert_eq!((&found, rest), (&expected, Remainder::Nothing), "{length}");
    }
}

#[test]
fn what_is_cut_off_is_told_wherever_it_is_cut() {
    let (text, expected) = tricky();
    let mut from = 0;
    let pieces: Vec<_> = expected
        .iter()
        .map(|(piece, _)| {
            let start = from + text[from..].find(piece.as_str()).unwrap();
            from = start + piece.len();
            start..from
        })
        .collect();
    for end in 0..text.len() {
        let (found, rest) = lex(&text.as_bytes()[..end], &[]);
        let whole = pieces.iter().take_while(|piece| piece.end <= end).count();
        assert_eq!(found, expected[..whole], "{end}");
        if pieces[whole].start < end {
            assert_ne!(rest, Remainder::Nothing, "{end}");
        }
    }
    for (text, rest) in [
        ("", Remainder::Nothing),
        ("SELECT 1;\n", Remainder::Nothing),
        ("SELECT 1; SELECT '", Remainder::Statement(10)),
        ("SELECT 1; -- partway:e", Remainder::Comment(b"-- partway:e".to_vec())),
        ("SELECT 1 -- partway:e\n", Remainder::Statement(0)),
        ("CREATE TRIGGER g BEGIN SELECT 1; END", Remainder::Statement(0)),
        ("CREATE TRIGGER g BEGIN SELECT 1;", Remainder::Statement(0)),
        ("; /* ", Remainder::Comment(Vec::new())),
        ("a", Remainder::Statement(0)),
    ] {
        assert_eq!(lex(text.as_bytes(), &[]).1, rest, "{text}");
    }
}

#[test]
fn only_the_beginning_is_kept() {
    let text = format!("SELECT '{}';", "long ".repeat(1000));
    for lengths in [&[][..], &[1, 2, 3], &[MAX_HEAD - 1, 1, 1], &[4000]] {
        // What is kept is compared there.
        assert_eq!(lex(text.as_bytes(), lengths).0, [(text.clone(), 0)]);
    }
}

/// SQLite's own word on where a statement ends.
#[test]
fn sqlite_agrees_on_every_statement() {
    let connection = rusqlite::Connection::open_in_memory().unwrap();
    connection.execute_batch("CREATE TABLE t (a, b)").unwrap();
    let text = "CREATE TRIGGER g AFTER INSERT ON t BEGIN SELECT ';'; SELECT CASE 1 WHEN 1 THEN 2 END; END;
        INSERT INTO \"t\" VALUES(1,(SELECT 2)),('(',3);\nCREATE VIEW [v;] AS SELECT 1 AS \"a;\"\"b\";";
    for (statement, rows) in lex(text.as_bytes(), &[]).0 {
        let before: u64 = connection.total_changes();
        connection.execute_batch(&statement).unwrap();
        assert_eq!(connection.total_changes() - before, rows, "{statement}");
    }
    assert!(connection.prepare("SELECT \"a;\"\"b\" FROM [v;]").is_ok());
}

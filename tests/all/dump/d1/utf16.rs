//! A UTF-16 database becomes the UTF-8 that SQLite itself makes of it.

use base16ct::lower::encode_string as hex;
use rusqlite::{Connection, params};

use super::{BOTH, Case};

const ENCODINGS: [&str; 2] = ["UTF-16le", "UTF-16be"];

#[test]
fn text_in_tables_and_in_the_schema_is_converted_as_sqlite_does() {
    for encoding in ENCODINGS {
        let case = Case::of(&format!(
            "PRAGMA encoding='{encoding}';
             CREATE TABLE \"täble 世界\" (\"cölumn\" TEXT DEFAULT 'ß😀', b BLOB, n, PRIMARY KEY (\"cölumn\"));
             CREATE TABLE w (k TEXT PRIMARY KEY, v) WITHOUT ROWID; INSERT INTO w VALUES ('a', 'ä'), ('b', '世');
             INSERT INTO \"täble 世界\" (b, n) VALUES (x'00d8', 1);
             INSERT INTO \"täble 世界\" VALUES ('grüße', 'text', 2), ('😀', x'', 3), ('a' || char(0) || 'b', NULL, 4),
               (char(65534, 65535), 1.5, 5), (char(65279) || 'mark', 2, 6), ('', '', 7), ('it''s' || char(13, 10), 'é', 8);
             CREATE TABLE auto (id INTEGER PRIMARY KEY AUTOINCREMENT, a CHECK (a <> 'schön'));
             INSERT INTO auto VALUES (7, 'ä'), (9, 'gone'); DELETE FROM auto WHERE id = 9;
             CREATE TABLE g (a, b AS (upper(a) || 'ö') STORED, c AS (a || 'ü')); INSERT INTO g (a) VALUES ('x'), ('ß');
             CREATE INDEX \"ïndex\" ON auto (a) WHERE a > 'ä';
             CREATE VIEW \"vïew\" AS SELECT 'ﬀ' AS \"ﬁ\" -- ö
             ;
             CREATE TRIGGER \"trïgger\" AFTER INSERT ON auto BEGIN SELECT 'ü;'; END;
             CREATE VIRTUAL TABLE f USING fts5(a); INSERT INTO f (rowid, a) VALUES (5, 'größe 世界');"
        ));
        let (dump, warnings) = case.export_with_warnings();
        assert_eq!(warnings, [""; 0]);
        for way in BOTH {
            case.compare(&dump, way);
        }
    }
}

#[test]
fn long_text_is_converted_whatever_the_end_of_a_piece_cuts() {
    for encoding in ENCODINGS {
        let case = Case::of(&format!(
            "PRAGMA encoding='{encoding}'; CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT, b);"
        ));
        let connection = Connection::open(&case.file).unwrap();
        let mut insert = connection.prepare("INSERT INTO t (a, b) VALUES (?1, ?2)").unwrap();
        for shift in 0..4 {
            let start = "x".repeat(shift);
            let emoji = format!("{start}{}", "😀".repeat(40_000));
            // The most bytes of UTF-8 that UTF-16 can become, and the most of a literal.
            let wide = format!("{start}{}", "世".repeat(100_000));
            let quotes = format!("{start}{}", "'é''".repeat(60_000));
            let zeros = format!("{start}{}", "世\0".repeat(40_000));
            insert.execute(params![emoji, wide]).unwrap();
            insert.execute(params![quotes, zeros]).unwrap();
        }
        // About as long as a value of a row may be, and more than one of them.
        for length in [7_000, 10_900, 10_922, 10_923, 16_384, 22_500] {
            insert.execute(params!["世".repeat(length), "'".repeat(length)]).unwrap();
            insert.execute(params!["世\0".repeat(length / 2), vec![1u8; 2 * length]]).unwrap();
        }
        drop(insert);
        drop(connection);
        case.round_trip(&BOTH);
    }
}

#[test]
fn what_is_no_character_is_replaced_and_a_warning_names_the_table() {
    for (encoding, is_big) in [("UTF-16le", false), ("UTF-16be", true)] {
        let case = Case::of(&format!(
            "PRAGMA encoding='{encoding}'; CREATE TABLE \"bad text\" (id INTEGER PRIMARY KEY, a TEXT);
             CREATE TABLE good (a); INSERT INTO good VALUES ('😀');"
        ));
        let connection = Connection::open(&case.file).unwrap();
        let bytes = |units: &[u16]| -> Vec<u8> {
            let bytes = |unit: &u16| if is_big { unit.to_be_bytes() } else { unit.to_le_bytes() };
            units.iter().flat_map(bytes).collect()
        };
        let long = [[0x61, 0xd83d].repeat(20_000), [0xd83d, 0xde00].repeat(20_000)].concat();
        let texts: [(Vec<u8>, String); 4] = [
            (bytes(&[0xd83d]), "\u{fffd}".into()),
            (bytes(&[0x61, 0xde00, 0x62]), "a\u{fffd}b".into()),
            (bytes(&[0xd83d, 0x62, 0xd83d, 0xde00]), "\u{fffd}b😀".into()),
            (bytes(&long), ["a\u{fffd}".repeat(20_000), "😀".repeat(20_000)].concat()),
        ];
        for (text, _) in &texts {
            let text = hex(text);
            connection
                .execute_batch(&format!(
                    "INSERT INTO \"bad text\" (a) VALUES (CAST(x'{text}' AS TEXT))"
                ))
                .unwrap();
        }
        drop(connection);
        let (dump, warnings) = case.export_with_warnings();
        let expected = "characters of table \"bad text\" that are invalid in UTF-16 are U+FFFD in the dump: 20003 of them";
        assert_eq!(warnings, [expected]);
        for way in BOTH {
            let [_, loaded] = case.both(&dump, way);
            let rows = loaded["tables"][0]["rows"].as_array().unwrap();
            for (row, (_, text)) in rows.iter().zip(&texts) {
                assert_eq!(row[2][1].as_str().unwrap(), hex(text.as_bytes()), "{way:?}");
            }
            assert_eq!(rows.len(), texts.len());
        }
    }
}

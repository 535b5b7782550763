//! Hard cases: what databases may hold and dumps tend to lose, each under a name of its own.

use std::borrow::Cow;
use std::fmt;
use std::path::Path;

use anyhow::{Context, Result};
use rusqlite::Connection;

/// How a database keeps its text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TextEncoding {
    /// As most databases do.
    Utf8,
    /// Low byte first.
    Utf16le,
    /// High byte first.
    Utf16be,
}

impl TextEncoding {
    /// All there are.
    pub const ALL: [Self; 3] = [Self::Utf8, Self::Utf16le, Self::Utf16be];
}

impl fmt::Display for TextEncoding {
    /// As `PRAGMA encoding` calls it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Utf8 => "UTF-8",
            Self::Utf16le => "UTF-16le",
            Self::Utf16be => "UTF-16be",
        })
    }
}

/// One hard case: a database made by SQL.
#[derive(Debug, Clone)]
pub struct HardCase {
    /// What is hard about it, in a few words.
    pub name: &'static str,
    /// What makes it, in a database that is empty but for its encoding.
    pub sql: Cow<'static, str>,
    /// It is about the database as a whole, and can't share one with others.
    pub alone: bool,
}

impl HardCase {
    /// Writes it as a database of its own, to a path where there is none yet.
    ///
    /// # Errors
    ///
    /// Those of SQLite.
    pub fn write(&self, path: &Path, encoding: TextEncoding) -> Result<()> {
        let connection = create(path, encoding)?;
        self.run(&connection)
    }

    fn run(&self, connection: &Connection) -> Result<()> {
        connection.execute_batch(&self.sql).with_context(|| format!("making {:?}", self.name))
    }
}

/// Writes one database of all the cases that can share one, to a path where there is none yet.
/// Those named in `without` are left out.
///
/// # Errors
///
/// Those of SQLite.
pub fn write_hard_cases(path: &Path, encoding: TextEncoding, without: &[&str]) -> Result<()> {
    let connection = create(path, encoding)?;
    hard_cases()
        .iter()
        .filter(|case| !case.alone && !without.contains(&case.name))
        .try_for_each(|case| case.run(&connection))
}

fn create(path: &Path, encoding: TextEncoding) -> Result<Connection> {
    let connection =
        Connection::open(path).with_context(|| format!("creating {}", path.display()))?;
    // A crash would lose nothing that can't be made again.
    connection.execute_batch(&format!(
        "PRAGMA encoding='{encoding}'; PRAGMA synchronous=OFF; PRAGMA foreign_keys=OFF;"
    ))?;
    Ok(connection)
}

/// All the cases. Tables of two cases have different names.
pub fn hard_cases() -> Vec<HardCase> {
    let mut cases: Vec<HardCase> = SHARING
        .iter()
        .map(|(name, sql)| HardCase { name, sql: Cow::Borrowed(*sql), alone: false })
        .collect();
    cases.extend(long_values().into_iter().chain(wide_tables()).map(|(name, sql)| HardCase {
        name,
        sql: Cow::Owned(sql),
        alone: false,
    }));
    cases.extend(ALONE.iter().map(|(name, sql)| HardCase {
        name,
        sql: Cow::Borrowed(*sql),
        alone: true,
    }));
    cases
}

/// Cases that can share a database.
const SHARING: &[(&str, &str)] = &[
    // Values.
    (
        "NULL, empty text, empty blob",
        "CREATE TABLE empties (a, b BLOB, c TEXT, d REAL, e NUMERIC, f INTEGER);
         INSERT INTO empties VALUES (NULL, NULL, NULL, NULL, NULL, NULL), ('', '', '', '', '', ''),
           (x'', x'', x'', x'', x'', x'');",
    ),
    (
        "the ends of 64-bit integers",
        "CREATE TABLE ends (a, b INTEGER, c REAL, d TEXT);
         INSERT INTO ends VALUES
           (9223372036854775807, 9223372036854775807, 9223372036854775807, 9223372036854775807),
           (-9223372036854775808, -9223372036854775808, -9223372036854775808, -9223372036854775808),
           (4611686018427387905, 140737488355328, -140737488355329, 9007199254740993),
           (9223372036854775808, 9223372036854775808, 9223372036854775808, 9223372036854775808);",
    ),
    (
        "infinities",
        "CREATE TABLE infinities (a, b REAL, c INTEGER, d TEXT);
         INSERT INTO infinities VALUES (9e999, 9e999, 9e999, 9e999), (-9e999, -9e999, -9e999, -9e999);",
    ),
    (
        "negative zero",
        "CREATE TABLE zeros (a, b REAL, c INTEGER, d TEXT, e NUMERIC);
         INSERT INTO zeros VALUES (-0.0, -0.0, -0.0, -0.0, -0.0), (0.0, 0.0, 0.0, 0.0, 0.0), (0, 0, 0, 0, 0);",
    ),
    (
        "subnormal floats",
        "CREATE TABLE subnormals (a, b REAL);
         INSERT INTO subnormals VALUES (5e-324, -5e-324), (2.2250738585072009e-308, 1.5e-323),
           (2.2250738585072014e-308, 4.4501477170144023e-308), (1.2345678901234e-310, 9.99e-320);",
    ),
    (
        "decimals near the midpoint between two floats",
        "CREATE TABLE middles (a, b REAL);
         INSERT INTO middles VALUES (9007199254740993.0, 9007199254740992.0), (0.1, 0.3), (5e-1, 1e23),
           (8.41e21, 9.5e-6), (1.7976931348623157e308, 2.2250738585072011e-308), (1e22, 1e21 + 1.0),
           (9214843084008499.0, 0.500000000000000166533453693773481063544750213623046875),
           (3.518437208883201171875e13, 62.5364939768271845828), (8.10109172351e-10, 1.50000000000000011102230246251565),
           (0.1 + 0.2, 1.0 / 3.0), (100.0 / 7.0, 1e16 / 3.0), (3.0, 1e15), (123456789012345680.0, 1e-7);",
    ),
    (
        "text with NUL",
        "CREATE TABLE nuls (a TEXT, b);
         INSERT INTO nuls VALUES (char(0), 'a' || char(0) || 'b'), (char(0, 0), 'end' || char(0)),
           ('it''s' || char(0, 13, 10) || '''', char(0) || '.quit');",
    ),
    (
        "text that is not valid in its encoding",
        "CREATE TABLE invalid (a TEXT, b);
         INSERT INTO invalid VALUES (CAST(x'ff' AS TEXT), CAST(x'c3' AS TEXT)),
           (CAST(x'c328' AS TEXT), CAST(x'61ff62' AS TEXT)), (CAST(x'f8888080' AS TEXT), CAST(x'c080' AS TEXT)),
           (CAST(x'f4908080' AS TEXT), CAST(x'e28281e282' AS TEXT)), (CAST(x'80' AS TEXT), CAST(x'27ff27' AS TEXT)),
           (CAST(x'ff0a2e71756974' AS TEXT), CAST(x'0dff' AS TEXT));",
    ),
    (
        "unpaired surrogates",
        "CREATE TABLE surrogates (a TEXT, b);
         INSERT INTO surrogates VALUES (CAST(x'eda080' AS TEXT), CAST(x'edb080' AS TEXT)),
           (CAST(x'eda080edb080' AS TEXT), CAST(x'61eda08062' AS TEXT)),
           (CAST(x'3dd8' AS TEXT), CAST(x'd83d' AS TEXT)), (CAST(x'00de3dd8' AS TEXT), CAST(x'de00d83d' AS TEXT)),
           (CAST(x'3dd86100' AS TEXT), CAST(x'd83d0061' AS TEXT)), (CAST(x'61003dd8' AS TEXT), CAST(x'0061d83d' AS TEXT)),
           (CAST(x'3dd83dd800de' AS TEXT), CAST(x'd83dd83dde00' AS TEXT));",
    ),
    (
        "byte order marks and noncharacters",
        "CREATE TABLE marks (a TEXT, b);
         INSERT INTO marks VALUES (char(65279) || 'bom', char(65279)), (char(65534), char(65535)),
           ('a' || char(65534) || 'b', char(65535, 65535)), (char(1114111), char(1114110)),
           (CAST(x'fffe' AS TEXT), CAST(x'feff' AS TEXT)), (CAST(x'fffe6100' AS TEXT), CAST(x'feff0061' AS TEXT)),
           (CAST(x'efbbbf61' AS TEXT), CAST(x'efbfbe' AS TEXT)), (char(64976), char(131070));",
    ),
    (
        "line endings of every kind in text",
        "CREATE TABLE lines (a TEXT, b);
         INSERT INTO lines VALUES ('a' || char(13, 10) || 'b', char(13, 10)), (char(13), 'a' || char(13)),
           ('a' || char(10, 13) || 'b', char(10)), ('a' || char(8232) || 'b' || char(8233), char(133, 11, 12)),
           ('\\r' || char(13), '\\n' || char(10)), ('\\r' || char(13) || '\\r0.' || char(10), '''' || char(13) || ''''),
           (char(13, 13, 10, 10), 'line' || char(13, 10) || 'it''s a line' || char(13, 10));",
    ),
    (
        "text that looks like a shell command or an end of input",
        "CREATE TABLE commands (a TEXT, b);
         INSERT INTO commands VALUES ('.quit', 'a' || char(10) || '.quit' || char(10)),
           (';', 'a' || char(10) || ';' || char(10)), ('/', 'a' || char(10) || '/' || char(10) || 'b'),
           ('go', 'a' || char(10) || 'go' || char(10) || 'b'), ('GO', 'a' || char(10) || ' Go ' || char(10) || 'b'),
           ('--', '/*'), ('*/', ''');'), ('COMMIT;', 'a' || char(10) || '#x' || char(10)),
           (char(26), 'a' || char(4, 26) || 'b'), (char(27) || '[2J', char(7, 8, 127)),
           ('''' || char(10) || ';' || char(10) || '.quit' || char(10) || '''', char(9) || '.quit');",
    ),
    (
        "values of other storage classes than their columns",
        "CREATE TABLE affinities (i INTEGER, r REAL, n NUMERIC, t TEXT, b BLOB, v VARCHAR(3), d DATETIME, f FLOAT,
           k BOOLEAN, x \"any thing\", y);
         INSERT INTO affinities VALUES ('a', 'b', 'c', x'64', 'e', 'longer than three', 'now', 'g', 'true', 'x', 'y'),
           (1.5, 2, 3.5, 4, 5, 6, 7, 8, 9, 10, 11), (x'01', x'02', x'03', x'04', x'05', x'06', x'07', x'08', x'09', x'0a', x'0b'),
           ('1', '2', '3', '4', '5', '6', '7', '8', '9', '10', '11'),
           ('1.0', '2.0', '3.0', '4.0', '5.0', '6.0', '7.0', '8.0', '9.0', '10.0', '11.0'),
           ('1e2', ' 2 ', '3e400', '0x10', '1e', '-', '-0', '-0.0', '1_000', '00', '+1'),
           (1e15, 1e15, 1e15, 1e15, 1e15, 1e15, 1e15, 1e15, 1e15, 1e15, 1e15),
           (1e19, 1e19, 1e19, 1e19, 1e19, 1e19, 1e19, 1e19, 1e19, 1e19, 1e19),
           (9007199254740993, 9007199254740993, 9007199254740993, 1, 1, 1, 1, 9007199254740993, 1, 1, 1);",
    ),
    // Names.
    (
        "names that are keywords, quotes, brackets, comments",
        r#"CREATE TABLE "select" ("from", "a ""b""", [c d], `e`, 'f''g', "--", "1", "/*", "*/", "group", "null");
         INSERT INTO "select" VALUES (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11);
         CREATE TABLE "it's [a] `name`; --" ("x]y" INTEGER PRIMARY KEY, "`", "'", """");
         INSERT INTO "it's [a] `name`; --" VALUES (1, 2, 3, 4);
         CREATE TABLE "/*" ("?1" TEXT, ":a", "@b", "$c"); INSERT INTO "/*" VALUES (1, 2, 3, 4);
         CREATE TABLE ".leading" (".dot"); INSERT INTO ".leading" VALUES ('x');
         CREATE TABLE "values" ("values", "default", "rowid "); INSERT INTO "values" VALUES (1, 2, 3);
         CREATE INDEX "in dex" ON "select" ("a ""b""" DESC, [c d] COLLATE NOCASE);
         CREATE VIEW "v;w" AS SELECT "from" FROM "select";
         CREATE TABLE "wo--" ("k'" PRIMARY KEY, "v""") WITHOUT ROWID; INSERT INTO "wo--" VALUES ('a', 1), ('b', 2);"#,
    ),
    (
        "names with a line break, a tab, an emoji, or nothing at all",
        "CREATE TABLE \"line\nbreak\" (\"a\nb\", \"tab\there\"); INSERT INTO \"line\nbreak\" VALUES (1, 2);
         CREATE TABLE \"😀 täble\" (\"cölumn\", \"列\"); INSERT INTO \"😀 täble\" VALUES ('ß', '陳');
         CREATE TABLE \"\" (\"\", \" \"); INSERT INTO \"\" VALUES (1, 2);
         CREATE INDEX \" \" ON \"\" (\"\"); CREATE VIEW \"\t\" AS SELECT * FROM \"\";",
    ),
    (
        "names with CR LF",
        "CREATE TABLE \"cr\r\nlf\" (\"a\r\nb\", \"c\rd\"); INSERT INTO \"cr\r\nlf\" VALUES (1, 2);",
    ),
    (
        "names of different objects that differ only in case",
        "CREATE TABLE Cased (a); CREATE TRIGGER CASED AFTER INSERT ON Cased BEGIN SELECT 1; END;
         INSERT INTO cased VALUES (1); CREATE INDEX cased_A ON Cased (A);
         CREATE TRIGGER cased_a BEFORE DELETE ON cased BEGIN SELECT 2; END;",
    ),
    (
        "names that match a LIKE pattern",
        "CREATE TABLE \"tmp_%\" (a); INSERT INTO \"tmp_%\" VALUES (1); CREATE TABLE tmpX (a);
         INSERT INTO tmpX VALUES (2); CREATE TABLE sqliteX (a); INSERT INTO sqliteX VALUES (3);
         CREATE TABLE \"%\" (a); INSERT INTO \"%\" VALUES (4); CREATE TABLE _ (a); INSERT INTO _ VALUES (5);",
    ),
    // Schema text.
    (
        "schema text with comments after its last word",
        "CREATE TABLE line_comment (a) -- it's the end; or not
         ;INSERT INTO line_comment VALUES (1);
         CREATE VIEW line_comment_view AS SELECT a FROM line_comment -- the end
         ;CREATE VIEW block_comment AS SELECT a FROM line_comment /* done */;
         CREATE INDEX comment_index ON line_comment (a) /* ; */ -- ;
         ;CREATE TRIGGER comment_trigger AFTER INSERT ON line_comment BEGIN SELECT 1; /* END; */ END /* x */;",
    ),
    (
        "a table whose text ends in a line comment",
        "CREATE TABLE line_end (a) -- it's the end; or not",
    ),
    (
        "a view whose text ends in a line comment",
        "CREATE VIEW line_end_view AS SELECT '--' AS a -- \"the end",
    ),
    (
        "an index whose text ends in a line comment",
        "CREATE TABLE line_index (a); CREATE INDEX line_index_a ON line_index (a) -- the end",
    ),
    (
        "a STRICT table whose text ends in a line comment",
        "CREATE TABLE line_strict (a ANY) STRICT -- the end",
    ),
    (
        "a view whose text ends in an unclosed comment",
        "CREATE VIEW open_view AS SELECT 1 /* still open;",
    ),
    (
        "an index whose text ends in an unclosed comment",
        "CREATE TABLE open_index (a); CREATE INDEX open_index_a ON open_index (a) /* still open;",
    ),
    (
        "schema text with semicolons, comments and strings inside",
        "CREATE TABLE inner_text ( -- one; two
           a /* ; 'it''s' \" */ DEFAULT 'a;b', b DEFAULT '--', c DEFAULT \";\", [d;e] TEXT CHECK (a <> ';')
         );
         INSERT INTO inner_text DEFAULT VALUES;
         CREATE VIEW inner_view AS SELECT ';' AS \"a;\", '/*' AS b, '--' AS c, '*/' AS d;",
    ),
    (
        "schema text with tabs, blank lines and odd spacing",
        "CREATE\tTABLE\tspaced\t(\ta\t,\n\n\n\tb\t)\t;INSERT INTO spaced VALUES (1, 2);
         CREATE TABLE crowded(a,b,c,PRIMARY KEY(a,b),UNIQUE(c));INSERT INTO crowded VALUES (1,2,3);
         CREATE TABLE \u{a0}spaces\u{3000} (\u{feff}a); INSERT INTO \u{a0}spaces\u{3000} VALUES (1);
         CREATE VIEW\u{c}form_feed AS SELECT 1 AS\ta;",
    ),
    (
        "schema text with CR LF",
        "CREATE TABLE windows (\r\n  a, -- first\r\n  b DEFAULT 'x\r\ny'\r\n);\r\nINSERT INTO windows DEFAULT VALUES;
         CREATE VIEW windows_view AS\r\nSELECT 'a\r\nb' AS c; CREATE TABLE mac (\ra,\rb);
         CREATE TRIGGER windows_trigger AFTER INSERT ON windows\r\nBEGIN\r\n  SELECT 1;\r\nEND;",
    ),
    (
        "schema text with a line that is only a slash",
        "CREATE TABLE slash (a DEFAULT (6\n/\n2)); INSERT INTO slash DEFAULT VALUES;
         CREATE VIEW slash_view AS SELECT 8\n /\t\n4 AS a;",
    ),
    (
        "schema text with a line that is only go",
        "CREATE TABLE going (\ngo\n, a); INSERT INTO going VALUES (1, 2);
         CREATE VIEW going_view AS SELECT\nGo\nFROM going; CREATE VIEW go_comment AS SELECT 1 /*\ngo\n*/;",
    ),
    (
        "schema text with lines that look like shell commands",
        "CREATE TABLE dotted (a DEFAULT '\n.quit\n', b /*\n.quit\n*/); INSERT INTO dotted DEFAULT VALUES;
         CREATE VIEW dotted_view AS SELECT 1 + --\n.5 AS half -- a number at the start of a line
         ;CREATE VIEW hashed AS SELECT '\n# no comment\n' AS a;",
    ),
    (
        "CREATE TABLE AS",
        "CREATE TABLE made_by AS SELECT 1 AS \"a b\", 'x' AS y, x'00' AS [z], 1.5, NULL AS \"a b\";
         CREATE TABLE made_again AS SELECT * FROM made_by;",
    ),
    // Rowids and keys.
    (
        "rowids at both ends, negative, with gaps",
        "CREATE TABLE rowids (a); INSERT INTO rowids (rowid, a) VALUES (5, 'x'), (-3, 'y'), (0, 'zero'), (1000000, 'gap'),
           (9223372036854775807, 'last'), (-9223372036854775808, 'first');
         CREATE TABLE rowids_key (id INTEGER PRIMARY KEY, a); INSERT INTO rowids_key VALUES (7, 'x'), (-9, 'y'),
           (9223372036854775807, 'last'), (-9223372036854775808, 'first');
         CREATE TABLE rowids_deleted (a); INSERT INTO rowids_deleted VALUES (1), (2), (3), (4);
         DELETE FROM rowids_deleted WHERE a % 2;",
    ),
    (
        "keys that look like INTEGER PRIMARY KEY but are not",
        "CREATE TABLE key_desc (id INTEGER PRIMARY KEY DESC, a); INSERT INTO key_desc (rowid, id, a) VALUES (4, 1, 'x'), (3, 2, 'y');
         CREATE TABLE key_int (id INT PRIMARY KEY, a); INSERT INTO key_int (rowid, id, a) VALUES (40, 1, 'x'), (30, NULL, 'y');
         CREATE TABLE key_apart (a, id INTEGER, PRIMARY KEY (id DESC)); INSERT INTO key_apart (rowid, id, a) VALUES (40, 1, 'x');
         CREATE TABLE key_quoted (id \"INTEGER\" PRIMARY KEY, a); INSERT INTO key_quoted VALUES (40, 'x');
         CREATE TABLE key_case (a, \"Id\" integer, PRIMARY KEY (\"iD\" ASC)); INSERT INTO key_case VALUES ('x', 9);
         CREATE TABLE key_two (a INTEGER, b INTEGER, PRIMARY KEY (a, b)); INSERT INTO key_two (rowid, a, b) VALUES (7, 1, NULL);",
    ),
    (
        "AUTOINCREMENT with deleted rows, with no rows left, and with no rows ever",
        "CREATE TABLE auto (id INTEGER PRIMARY KEY AUTOINCREMENT, a); INSERT INTO auto VALUES (10, 'x'), (20, 'gone');
         DELETE FROM auto WHERE id = 20; CREATE TABLE auto_emptied (id INTEGER PRIMARY KEY AUTOINCREMENT);
         INSERT INTO auto_emptied VALUES (9223372036854775806); DELETE FROM auto_emptied;
         CREATE TABLE auto_never (id INTEGER PRIMARY KEY AUTOINCREMENT);
         CREATE TABLE auto_lowered (id INTEGER PRIMARY KEY AUTOINCREMENT); INSERT INTO auto_lowered VALUES (50);
         UPDATE sqlite_sequence SET seq = 7 WHERE name = 'auto_lowered';
         INSERT INTO sqlite_sequence VALUES ('no such table', 5), ('auto', 'not a number'), (NULL, NULL);",
    ),
    (
        "columns named rowid, _rowid_ or oid",
        "CREATE TABLE shadowed_one (rowid TEXT, a); INSERT INTO shadowed_one (_rowid_, rowid, a) VALUES (9, 'r', 1), (4, 'q', 2);
         CREATE TABLE shadowed_two (\"OID\", _rowid_); INSERT INTO shadowed_two (rowid, oid) VALUES (9, 'r'), (-4, 'q');
         CREATE TABLE shadowed_other (RowID, _ROWID_); INSERT INTO shadowed_other (oid, rowid) VALUES (9, 'r'), (-4, 'q');
         CREATE TABLE shadowed_key (rowid, oid INTEGER PRIMARY KEY, _rowid_); INSERT INTO shadowed_key VALUES (1, 9, 2), (3, 4, 5);
         CREATE TABLE shadowed_self (rowid INTEGER PRIMARY KEY, a); INSERT INTO shadowed_self VALUES (9, 1), (4, 2);
         CREATE TABLE shadowed_by_other (oid INTEGER PRIMARY KEY, rowid); INSERT INTO shadowed_by_other VALUES (9, 1), (4, 2);",
    ),
    (
        "columns named rowid, _rowid_ and oid, all three",
        "CREATE TABLE shadowed (rowid, _rowid_, oid, a);
         INSERT INTO shadowed VALUES (3, 2, 1, 'x'), (3, 1, 2, 'y'), ('a', NULL, x'00', 'z');
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500)
           INSERT INTO shadowed SELECT -i, i % 7, NULL, 'row ' || i FROM n;",
    ),
    (
        "WITHOUT ROWID with DESC and collations in the key",
        "CREATE TABLE wo_mixed (x TEXT COLLATE NOCASE, y INTEGER, z REAL, v TEXT,
           PRIMARY KEY (x DESC, y, z DESC)) WITHOUT ROWID;
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 900)
           INSERT INTO wo_mixed SELECT char(65 + i % 5) || char(97 + i % 3), i % 11, i / 7.0, 'value ' || i FROM n;
         CREATE TABLE wo_rtrim (k, v, PRIMARY KEY (k COLLATE RTRIM DESC)) WITHOUT ROWID;
         INSERT INTO wo_rtrim VALUES ('a', 1), ('b  ', 2), ('B', 3), ('', 4), (x'6120', 5), (1, 6), (1.5, 7);
         CREATE TABLE wo_nocase (k TEXT COLLATE NOCASE PRIMARY KEY, v) WITHOUT ROWID;
         INSERT INTO wo_nocase VALUES ('Ab', 1), ('aC', 2), ('É', 3), ('é', 4), ('_', 5), ('[', 6);",
    ),
    (
        "WITHOUT ROWID with the same column twice in the key",
        "CREATE TABLE wo_twice (a, b, c, PRIMARY KEY (a, b, a)) WITHOUT ROWID; INSERT INTO wo_twice VALUES (1, 2, 3), (1, 1, 4);
         CREATE TABLE wo_twice_collated (a TEXT, b, PRIMARY KEY (a COLLATE NOCASE, a COLLATE BINARY DESC)) WITHOUT ROWID;
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 400)
           INSERT INTO wo_twice_collated SELECT printf('%.*c', 30, char(65 + i % 2 * 32 + i % 20)) || i, i FROM n;
         INSERT INTO wo_twice_collated VALUES ('a', 1), ('A', 2), ('b', 3), ('B', 4);",
    ),
    (
        "WITHOUT ROWID with keys of every storage class",
        "CREATE TABLE wo_any (a, b BLOB, v, PRIMARY KEY (a, b DESC)) WITHOUT ROWID;
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 900)
           INSERT INTO wo_any SELECT CASE i % 4 WHEN 0 THEN i WHEN 1 THEN i / 3.0 WHEN 2 THEN 'k' || i
             ELSE CAST('b' || i AS BLOB) END, CASE i % 3 WHEN 0 THEN i WHEN 1 THEN 't' || i ELSE x'00' END, i FROM n;
         INSERT INTO wo_any VALUES (-0.0, 1, 1), (9e999, 1, 1), (-9e999, 1, 1), (9223372036854775807, 1, 1),
           (9223372036854774784.0, 1, 1), (char(0), 1, 1), (CAST(x'ff' AS TEXT), 1, 1), ('', '', 1), (x'', x'', 1);
         CREATE TABLE wo_integer (k INTEGER PRIMARY KEY, v) WITHOUT ROWID; INSERT INTO wo_integer VALUES (3, 1), (-1, 2), ('x', 3);
         CREATE TABLE wo_real (v, k REAL PRIMARY KEY) WITHOUT ROWID; INSERT INTO wo_real VALUES (1, 1), (2, -0.0), (3, 1e300);
         CREATE TABLE wo_key_only (a TEXT, b TEXT, PRIMARY KEY (b, a)) WITHOUT ROWID; INSERT INTO wo_key_only VALUES ('z', 'a'), ('a', 'z');",
    ),
    // Columns.
    (
        "generated columns, before and between ordinary ones",
        "CREATE TABLE generated (g AS (b * 2) VIRTUAL, a INTEGER, s TEXT GENERATED ALWAYS AS (a || 'x') STORED, b, v AS (s || b));
         INSERT INTO generated (a, b) VALUES (1, 2), (NULL, NULL), (3, 'text');
         CREATE TABLE generated_key (id INTEGER PRIMARY KEY, n AS (-id) UNIQUE, t NOT NULL DEFAULT 't');
         INSERT INTO generated_key (id) VALUES (4), (2);
         CREATE TABLE generated_wo (v AS (k || w) STORED, k, w, PRIMARY KEY (k DESC)) WITHOUT ROWID;
         INSERT INTO generated_wo (k, w) VALUES ('a', 1), ('b', x'00'), ('c', NULL);
         CREATE INDEX generated_index ON generated (v, g);",
    ),
    (
        "STRICT tables with every type",
        "CREATE TABLE strict_all (i INT, j INTEGER, r REAL, t TEXT, b BLOB, a ANY) STRICT;
         INSERT INTO strict_all VALUES (1, 2, 3, '4', x'05', '006'), (NULL, NULL, NULL, NULL, NULL, NULL),
           (-1, -2, -0.0, '', x'', 7), (1, 1, 9e999, 'x', x'00', 8.5), (1, 1, 1.5, 'x', x'00', x'09'), (1, 1, 1, 1, x'00', '1.0');
         CREATE TABLE strict_wo (k ANY PRIMARY KEY, v ANY) WITHOUT ROWID, STRICT; INSERT INTO strict_wo VALUES ('1', '1'), (1, 1), (1.5, -0.0);",
    ),
    (
        "DEFAULT expressions",
        "CREATE TABLE defaults (a DEFAULT (datetime('now')), b DEFAULT CURRENT_TIMESTAMP, c DEFAULT -1, d DEFAULT +1.50, e DEFAULT x'00ff',
           f DEFAULT 'it''s', g DEFAULT \"double\", h DEFAULT NULL, i DEFAULT (1 + (2)), j DEFAULT TRUE, k NOT NULL DEFAULT (x''), l DEFAULT word);
         INSERT INTO defaults (a, b) VALUES (1, 2); INSERT INTO defaults (a, b, c, k) VALUES (NULL, NULL, NULL, 0);",
    ),
    (
        "tables changed by ALTER TABLE",
        "CREATE TABLE altered (a, b, c); INSERT INTO altered VALUES (1, 2, 3);
         ALTER TABLE altered ADD COLUMN d DEFAULT 'added'; ALTER TABLE altered ADD COLUMN e NOT NULL DEFAULT -0.0;
         ALTER TABLE altered ADD COLUMN f REAL DEFAULT 7; ALTER TABLE altered ADD COLUMN g TEXT DEFAULT 8; ALTER TABLE altered ADD COLUMN h;
         INSERT INTO altered (a) VALUES (4); ALTER TABLE altered DROP COLUMN b; ALTER TABLE altered RENAME COLUMN c TO \"see; it's\";
         CREATE TABLE before_rename (a, b CHECK (b <> 'x')); CREATE INDEX renamed_index ON before_rename (a) WHERE b > 1;
         CREATE VIEW renamed_view AS SELECT a FROM before_rename; INSERT INTO before_rename VALUES (1, 2);
         ALTER TABLE before_rename RENAME TO \"after rename\"; ALTER TABLE \"after rename\" ADD COLUMN c AS (a + b);",
    ),
    (
        "CHECK constraints that rows violate",
        "PRAGMA ignore_check_constraints=ON;
         CREATE TABLE checked (a CHECK (a > 0), b, CONSTRAINT \"named; it's\" CHECK (b <> ';')); INSERT INTO checked VALUES (-1, ';'), (1, 1);
         PRAGMA ignore_check_constraints=OFF;",
    ),
    (
        "NOT NULL with a default for rows added without a value",
        "CREATE TABLE not_null (a NOT NULL ON CONFLICT REPLACE DEFAULT 'odd', b NOT NULL ON CONFLICT IGNORE, c UNIQUE ON CONFLICT REPLACE);
         INSERT INTO not_null VALUES (1, 2, 3), (NULL, 4, 5), (6, 7, 3), (8, 9, NULL), (8, 9, NULL);",
    ),
    (
        "NULL in columns made NOT NULL by an edit of the schema",
        "CREATE TABLE null_edited (a, b); INSERT INTO null_edited VALUES (NULL, NULL), (1, 2);
         CREATE TABLE null_replaced (a, b); INSERT INTO null_replaced VALUES (NULL, NULL), (1, 2);
         PRAGMA writable_schema=ON;
         UPDATE sqlite_master SET sql = 'CREATE TABLE null_edited (a, b NOT NULL)' WHERE name = 'null_edited';
         UPDATE sqlite_master SET sql = 'CREATE TABLE null_replaced (a NOT NULL ON CONFLICT REPLACE DEFAULT ''odd'', b)' WHERE name = 'null_replaced';
         PRAGMA writable_schema=RESET;",
    ),
    // Other objects.
    (
        "indexes: partial, on expressions, DESC, collated, UNIQUE, duplicate",
        "CREATE TABLE indexed (a, b TEXT UNIQUE, c, UNIQUE (a, c)); INSERT INTO indexed VALUES (1, 'x', 2), (2, 'X', NULL), (NULL, NULL, NULL);
         CREATE INDEX index_partial ON indexed (a) WHERE c IS NOT NULL AND b <> 'it''s; --';
         CREATE INDEX index_expression ON indexed (abs(a), lower(b) DESC, b || ';' || c);
         CREATE INDEX index_collated ON indexed (b COLLATE NOCASE DESC, a ASC); CREATE UNIQUE INDEX index_unique ON indexed (b COLLATE RTRIM);
         CREATE INDEX index_same ON indexed (a); CREATE INDEX index_same_2 ON indexed (a);
         CREATE UNIQUE INDEX IF NOT EXISTS main.index_full ON indexed (c, a, b) WHERE a IN (1, 2);",
    ),
    (
        "views on views in any order, and on missing objects",
        "CREATE VIEW view_2 AS SELECT * FROM view_1; CREATE VIEW view_1 (\"x y\") AS SELECT a FROM viewed;
         CREATE TABLE viewed (a); INSERT INTO viewed VALUES (1); CREATE VIEW view_bad AS SELECT a FROM \"no such table\";
         CREATE VIEW view_bad_column AS SELECT no_such_column, no_such_function(1) FROM viewed;
         CREATE VIEW view_self AS SELECT * FROM view_self; CREATE VIEW IF NOT EXISTS view_with AS WITH RECURSIVE n(i) AS
           (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3) SELECT i, ';' FROM n;",
    ),
    (
        "triggers that would fire, abort, or contain END in strings",
        "CREATE TABLE triggered (id INTEGER PRIMARY KEY, n DEFAULT 0); INSERT INTO triggered VALUES (1, 0), (2, 5);
         CREATE VIEW trigger_view AS SELECT id FROM triggered;
         CREATE TRIGGER trigger_never BEFORE INSERT ON triggered BEGIN SELECT RAISE(ABORT, 'no; never'); END;
         CREATE TRIGGER trigger_count AFTER INSERT ON triggered FOR EACH ROW WHEN new.n IS NOT 'END;' BEGIN
           UPDATE triggered SET n = n + 1; DELETE FROM triggered WHERE n = 'END; -- END'; END;
         CREATE TRIGGER trigger_instead INSTEAD OF INSERT ON trigger_view BEGIN INSERT INTO triggered VALUES (new.id, 'END'); END;
         CREATE TRIGGER trigger_case AFTER UPDATE OF n ON triggered BEGIN SELECT CASE WHEN new.n > 1 THEN 'END' ELSE ';' END; END;
         CREATE TRIGGER trigger_bad AFTER DELETE ON triggered BEGIN INSERT INTO \"no such table\" VALUES (1); END;",
    ),
    (
        "foreign keys in any order, and violated ones",
        "CREATE TABLE child (id INTEGER PRIMARY KEY, parent REFERENCES parent(id) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED);
         CREATE TABLE parent (id INTEGER PRIMARY KEY, other REFERENCES child); CREATE TABLE orphan (a REFERENCES \"no such table\"(x));
         INSERT INTO child VALUES (1, 2), (2, 99); INSERT INTO parent VALUES (2, 1), (3, NULL); INSERT INTO orphan VALUES (1);
         CREATE TABLE tree (id INTEGER PRIMARY KEY, up REFERENCES tree(id)); INSERT INTO tree VALUES (1, 3), (2, 1), (3, 2);",
    ),
    (
        "ANALYZE statistics",
        "CREATE TABLE analysed (a, b TEXT); CREATE INDEX analysed_a ON analysed (a); CREATE INDEX \"analysed b\" ON analysed (b, a);
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200)
           INSERT INTO analysed SELECT i % 17, 'it''s ' || i FROM n;
         ANALYZE; INSERT INTO sqlite_stat1 VALUES ('no such table', NULL, 'odd ''stat'); DELETE FROM analysed WHERE a > 3;",
    ),
    (
        "tables without rows",
        "CREATE TABLE no_rows (a); CREATE TABLE no_rows_wo (a PRIMARY KEY) WITHOUT ROWID; CREATE INDEX no_rows_index ON no_rows (a);
         CREATE TABLE no_rows_left (a, b AS (a)); INSERT INTO no_rows_left VALUES (1); DELETE FROM no_rows_left;",
    ),
    // Virtual tables.
    (
        "FTS5 with its own content",
        "CREATE VIRTUAL TABLE fts5_own USING fts5(title, body UNINDEXED, tokenize = 'porter unicode61', prefix='2 3');
         INSERT INTO fts5_own VALUES ('one', 'the quick brown fox'), ('two', 'it''s; jumps'), ('three', NULL);
         DELETE FROM fts5_own WHERE title = 'two'; INSERT INTO fts5_own (rowid, title) VALUES (-7, 'minus'), (1000, 'thousand');",
    ),
    (
        "FTS5 with external content and without content",
        "CREATE TABLE fts5_content (id INTEGER PRIMARY KEY, a, b); INSERT INTO fts5_content VALUES (3, 'x y', 'z'), (9, 'y', NULL);
         CREATE VIRTUAL TABLE fts5_external USING fts5(a, b, content='fts5_content', content_rowid='id');
         INSERT INTO fts5_external (fts5_external) VALUES ('rebuild');
         CREATE TRIGGER fts5_insert AFTER INSERT ON fts5_content BEGIN INSERT INTO fts5_external (rowid, a, b) VALUES (new.id, new.a, new.b); END;
         CREATE VIRTUAL TABLE fts5_contentless USING fts5(a, content=''); INSERT INTO fts5_contentless (rowid, a) VALUES (1, 'kept nowhere');
         CREATE VIRTUAL TABLE \"fts5 odd; it's\" USING fts5(\"a b\", \"select\"); INSERT INTO \"fts5 odd; it's\" VALUES ('a', 'b');",
    ),
    (
        "FTS3 and FTS4",
        "CREATE VIRTUAL TABLE fts3_own USING fts3(a, b); INSERT INTO fts3_own VALUES ('one two', 'it''s'), ('three', NULL);
         CREATE VIRTUAL TABLE fts4_own USING fts4(a, tokenize=porter); INSERT INTO fts4_own (docid, a) VALUES (-5, 'running runs'), (70, 'ran');
         CREATE TABLE fts4_content (a, b); INSERT INTO fts4_content VALUES ('x', 'y');
         CREATE VIRTUAL TABLE fts4_external USING fts4(content='fts4_content', a, b); INSERT INTO fts4_external (docid, a, b) VALUES (1, 'x', 'y');
         CREATE VIRTUAL TABLE fts4_contentless USING fts4(content='', a); INSERT INTO fts4_contentless (docid, a) VALUES (1, 'x');",
    ),
    (
        "R-trees",
        "CREATE VIRTUAL TABLE rtree_plain USING rtree(id, x0, x1, y0, y1, +label);
         INSERT INTO rtree_plain VALUES (1, 2.0, 3.0, -1.5, 0.1, 'it''s'), (-9, 0, 0, 0, 0, NULL);
         CREATE VIRTUAL TABLE rtree_integers USING rtree_i32(id, x0, x1); 
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300) INSERT INTO rtree_integers SELECT i, -i, i FROM n;",
    ),
];

/// Cases that are about a database as a whole.
const ALONE: &[(&str, &str)] = &[
    ("an empty database", ""),
    (
        "user_version and application_id, negative",
        "PRAGMA user_version=-7; PRAGMA application_id=-2147483648; CREATE TABLE t (a); INSERT INTO t VALUES (1);",
    ),
    (
        "user_version and application_id, large, with no table",
        "PRAGMA user_version=2147483647; PRAGMA application_id=1196444487;",
    ),
    (
        "pages of 512 bytes",
        "PRAGMA page_size=512; CREATE TABLE t (a PRIMARY KEY, b) WITHOUT ROWID; CREATE TABLE u (a, b UNIQUE);
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300)
           INSERT INTO t SELECT printf('%.*c', 200, 'k') || i, zeroblob(i * 7) FROM n;
         INSERT INTO u SELECT a, b FROM t WHERE length(b) % 2;",
    ),
    (
        "pages of 65536 bytes",
        "PRAGMA page_size=65536; CREATE TABLE t (a, b UNIQUE);
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300) INSERT INTO t SELECT zeroblob(i), i FROM n;",
    ),
    (
        "auto_vacuum full, with freed pages",
        "PRAGMA auto_vacuum=FULL; CREATE TABLE t (a, b); CREATE INDEX i ON t (b);
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500) INSERT INTO t SELECT zeroblob(1000), i FROM n;
         DELETE FROM t WHERE b % 3;",
    ),
    (
        "auto_vacuum incremental, with freed pages",
        "PRAGMA auto_vacuum=INCREMENTAL; CREATE TABLE t (a, b); CREATE TABLE gone (a);
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500) INSERT INTO t SELECT zeroblob(1000), i FROM n;
         INSERT INTO gone SELECT a FROM t; DROP TABLE gone; DELETE FROM t WHERE b % 3;",
    ),
    (
        "WAL mode",
        "PRAGMA journal_mode=WAL; CREATE TABLE t (a); INSERT INTO t VALUES (1); INSERT INTO t VALUES ('two');",
    ),
];

/// Values around and beyond what crosses the border at once (256 KiB).
#[expect(clippy::too_many_lines, reason = "a list of cases")]
fn long_values() -> Vec<(&'static str, String)> {
    let sizes = [100_000, 400_000];
    let largest = 2_000_000;
    // So many bytes of UTF-8, of a text whose pieces may be cut anywhere.
    let text = |unit: &str, size: usize| {
        let length = unit.replace("''", "'").len();
        format!("replace(hex(zeroblob({})), '00', '{unit}')", size / length)
    };
    let blob = |size: usize| format!("CAST({} AS BLOB)", text("\u{1}it''s \u{7f}", size));
    let mut cases = Vec::new();

    let mut texts = format!(
        "CREATE TABLE long_texts (a TEXT, b, c); INSERT INTO long_texts VALUES ({}, 1, 2);",
        text("aé''ß", largest)
    );
    for size in sizes {
        for unit in ["plain text, ", "''", "aé''ß", "😀x"] {
            let text = text(unit, size);
            texts += &format!("INSERT INTO long_texts VALUES ({text}, {size}, NULL);");
        }
    }
    cases.push(("long texts with quotes and multi-byte characters", texts));

    let mut texts = format!(
        "CREATE TABLE long_odd_texts (a TEXT, b); INSERT INTO long_odd_texts VALUES ({} || char(0), 1);",
        text("plain text, ", largest)
    );
    for size in sizes {
        let (plain, windows) = (text("plain text, ", size), text("line\r\n", size));
        texts += &format!(
            "INSERT INTO long_odd_texts VALUES ({plain} || char(0) || {plain}, 1), (char(0) || {plain}, 2),
               ({windows}, 4), ({plain} || CAST(x'ff' AS TEXT), 5), ({plain} || char(13), 6), ({plain} || char(65535), 7);"
        );
    }
    cases.push(("long texts with NUL, CR LF or invalid bytes", texts));

    let mut blobs = format!(
        "CREATE TABLE long_blobs (id INTEGER PRIMARY KEY, a BLOB, b); INSERT INTO long_blobs (a) VALUES ({});",
        blob(largest)
    );
    for size in sizes {
        blobs += &format!(
            "INSERT INTO long_blobs (a, b) VALUES ({}, {size}), (zeroblob({size}), x'');",
            blob(size)
        );
    }
    cases.push(("long blobs", blobs));

    let mut without_rowid = format!(
        "CREATE TABLE long_wo (k TEXT COLLATE NOCASE, n, v, w, PRIMARY KEY (k DESC, n)) WITHOUT ROWID;
         CREATE TABLE long_wo_key (k PRIMARY KEY, v) WITHOUT ROWID;
         INSERT INTO long_wo VALUES ('b', 1, {}, {});",
        blob(largest),
        text("aé''ß", largest)
    );
    for size in sizes {
        without_rowid += &format!(
            "INSERT INTO long_wo VALUES ('a', {size}, {}, 1), ('B', {size}, 2, {}), ('c', {size}, 'it''s', {});
             INSERT INTO long_wo_key VALUES ({}, 1), ({}, 2);",
            blob(size),
            text("aé''ß", size),
            text("line\r\n", size),
            text("key ", size),
            blob(size),
        );
    }
    cases.push(("long values and keys in WITHOUT ROWID tables", without_rowid));

    let mut generated = format!(
        "CREATE TABLE long_generated (n AS (length(a)), a, s AS (substr(a, 1, 10)) STORED, b);
         INSERT INTO long_generated (a, b) VALUES ({}, 1);
         CREATE TABLE long_shadowed (rowid, _rowid_, oid, a);
         CREATE TABLE long_default (a); INSERT INTO long_default VALUES (1), (2);
         ALTER TABLE long_default ADD COLUMN b DEFAULT '{}'; INSERT INTO long_default (a) VALUES (3);",
        blob(largest),
        "it''s ".repeat(70_000)
    );
    for size in sizes {
        generated += &format!(
            "INSERT INTO long_generated (a, b) VALUES ({}, {size}), ({}, NULL), (1, {});
             INSERT INTO long_shadowed VALUES ({size}, {}, 'x', {});",
            blob(size),
            text("aé''ß", size),
            text("ab", size),
            blob(size),
            text("😀x", size),
        );
    }
    cases.push((
        "long values next to generated columns, in defaults, under shadowed rowids",
        generated,
    ));

    let mut several = String::from("CREATE TABLE long_several (a, b, c, d, e);");
    for size in sizes {
        several += &format!(
            "INSERT INTO long_several VALUES ({}, 'small', {}, {}, {}), (1, {}, 2, {}, NULL);",
            blob(size),
            text("aé''ß", size),
            blob(size / 2),
            text("line\r\n", size),
            text("''", size),
            blob(size),
        );
    }
    // Each fits a batch, but not together; and lengths next to the border.
    several +=
        &format!("INSERT INTO long_several VALUES ({0}, {0}, {0}, {0}, {0});", blob(100_000));
    for length in [262_143, 262_144, 262_145] {
        several += &format!(
            "INSERT INTO long_several VALUES (zeroblob({length}), printf('%.*c', {length}, 'x'),
               'é' || printf('%.*c', {}, 'x'), 1, 1);",
            length - 2
        );
    }
    cases.push((
        "long values among many small rows",
        "CREATE TABLE long_among (a, v);
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000)
           INSERT INTO long_among SELECT i, CASE i % 1000 WHEN 5 THEN zeroblob(300000) ELSE 'x' END FROM n;"
            .to_owned(),
    ));
    cases.push(("several long values in one row, and lengths around 256 KiB", several));
    cases
}

/// Tables of many columns, and many tables.
fn wide_tables() -> Vec<(&'static str, String)> {
    let columns =
        |count: usize| (0..count).map(|column| format!("c{column}")).collect::<Vec<_>>().join(",");
    let wide = |table: &str, count: usize, value: &dyn Fn(usize) -> String| {
        let values: Vec<String> = (0..count).map(value).collect();
        let nulls = vec!["NULL"; count].join(",");
        format!(
            "CREATE TABLE {table} ({}); INSERT INTO {table} VALUES ({}); INSERT INTO {table} VALUES ({nulls}); INSERT INTO {table} VALUES ({});",
            columns(count),
            values.join(","),
            values.join(","),
        )
    };
    let every = |column: usize| match column % 5 {
        0 => "NULL".to_owned(),
        1 => column.to_string(),
        2 => format!("{column}.5"),
        3 => format!("'it''s {column}'"),
        _ => "x'00ff'".to_owned(),
    };
    let sparse =
        |column: usize| if column % 400 == 399 { column.to_string() } else { "NULL".to_owned() };
    let with_long = |column: usize| {
        if column == 50 { "zeroblob(300000)".to_owned() } else { every(column) }
    };
    let mut many = String::from("BEGIN;");
    for table in 0..300 {
        many += &format!(
            "CREATE TABLE many_{table} (a, b); INSERT INTO many_{table} VALUES ({table}, 'x');"
        );
    }
    many += "COMMIT;";
    vec![
        ("a table of 100 columns", wide("columns_100", 100, &every)),
        ("a table of 700 columns with one long value", wide("columns_700", 700, &with_long)),
        ("a table of 1,500 columns, mostly NULL", wide("columns_1500", 1_500, &sparse)),
        ("a table of 2,000 columns", wide("columns_2000", 2_000, &every)),
        ("300 tables", many),
    ]
}

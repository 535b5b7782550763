//! The formats for other programs: any rows, however they are sliced, give the same bytes; and these mean the rows.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod one_table;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use one_table::one_table;
use partway_exporter::{
    Batch, Budget, Cursor, Encoding, Error, Object as SchemaObject, Options, Outcome, Pacing,
    Parts, PartsError, Position, Rows, RowsError, Schema, Summary, Text, resume, start,
};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value as Json, json};

const FORMATS: [&str; 3] = ["csv", "ndjson", "json"];

/// A cell, as SQLite has it.
#[derive(Debug, Clone, PartialEq)]
enum Value {
    Null,
    Integer(i64),
    Real(f64),
    Text(Vec<u8>),
    Blob(Vec<u8>),
}

/// A database of one table, by the contract. Batches have so many rows.
struct Host {
    encoding: Encoding,
    /// Further tables, with the same rows.
    others: &'static [&'static str],
    rows: Vec<Vec<Value>>,
    in_batch: usize,
    /// Reading fails behind so many rows, and again.
    damaged_at: Option<usize>,
}

struct Scan<'a> {
    host: &'a Host,
    /// Rows before the last batch, and before the next.
    last: usize,
    next: usize,
}

impl<'a> Rows for &'a Host {
    type Cursor = Scan<'a>;

    fn describe(&self) -> Result<Schema, RowsError> {
        let columns = self.rows.first().map_or(2, Vec::len);
        let names = ["id", "a \"b\"\\\n,", "\u{e9}"].into_iter().take(columns).map(str::to_owned);
        let mut schema = one_table(names, "CREATE TABLE t (…)");
        schema.encoding = self.encoding;
        for name in self.others {
            let (name, on) = (name.as_bytes().to_vec(), name.as_bytes().to_vec());
            schema.objects.push(SchemaObject { name, on, ..schema.objects[0].clone() });
        }
        Ok(schema)
    }

    fn scan(&self, _: &[u8], _: &[Text], after: Option<&[u8]>) -> Result<Scan<'a>, RowsError> {
        let next = after.map_or(0, |at| u32::from_be_bytes(at.try_into().unwrap()) as usize);
        Ok(Scan { host: self, last: next, next })
    }
}

impl Cursor for Scan<'_> {
    fn next(&mut self, max_bytes: u32) -> Result<Batch, RowsError> {
        if self.host.damaged_at == Some(self.next) {
            return Err(RowsError::Corrupt("page 7".into()));
        }
        self.last = self.next;
        let mut batch = Batch::default();
        for row in self.host.rows[self.next..].iter().take(self.host.in_batch) {
            if self.host.damaged_at == Some(self.next) {
                break;
            }
            let mut taken = 0;
            for value in row {
                push(&mut batch, value, &mut taken, max_bytes as usize);
            }
            batch.rows += 1;
            self.next += 1;
        }
        Ok(batch)
    }

    fn position(&self, rows: u32) -> Result<Position, RowsError> {
        Ok((self.last as u32 + rows).to_be_bytes().to_vec())
    }

    fn read(
        &mut self,
        row: u32,
        column: u32,
        offset: u32,
        most: u32,
    ) -> Result<Vec<u8>, RowsError> {
        match &self.host.rows[self.last + row as usize][column as usize] {
            Value::Text(bytes) | Value::Blob(bytes) => {
                let rest = &bytes[offset as usize..];
                Ok(rest[..rest.len().min(most as usize)].to_vec())
            }
            _ => Err(RowsError::InvalidCell("not long".into())),
        }
    }
}

fn push(batch: &mut Batch, value: &Value, taken: &mut usize, max_bytes: usize) {
    let (kind, bytes) = match value {
        Value::Null => return batch.kinds.push(5),
        Value::Integer(value) => {
            batch.integers.push(*value);
            return batch.kinds.push(1);
        }
        Value::Real(value) => {
            batch.reals.push(*value);
            return batch.kinds.push(2);
        }
        Value::Text(bytes) => (3, bytes),
        Value::Blob(bytes) => (4, bytes),
    };
    batch.lengths.push(bytes.len() as u32);
    if *taken + bytes.len() > max_bytes {
        batch.kinds.push(kind + 3);
    } else {
        *taken += bytes.len();
        batch.kinds.push(kind);
        batch.bytes.extend(bytes);
    }
}

#[derive(Default)]
struct Object(Vec<u8>, u32);

impl Parts for Object {
    fn write(&mut self, number: u32, bytes: &[u8]) -> Result<(), PartsError> {
        assert_eq!(number, self.1 + 1);
        assert!(!bytes.is_empty());
        self.1 = number;
        self.0.extend(bytes);
        Ok(())
    }
}

/// Slices end after so many parts, or at once.
struct Hurry(bool);

impl Pacing for Hurry {
    fn should_yield(&self) -> bool {
        self.0
    }
}

fn options(format: &str, part_size: u32, settings: &[(&str, &str)]) -> Options {
    let settings = settings.iter().map(|(name, value)| ((*name).into(), (*value).into()));
    Options {
        format: format.into(),
        tables: vec!["t".into()],
        part_size,
        settings: settings.collect(),
    }
}

/// The object and the summary; each slice is of so many parts.
fn export(host: &Host, options: &Options, parts: u32, hurry: bool) -> (Vec<u8>, Summary) {
    let mut object = Object::default();
    let mut checkpoint = start(&host, options).unwrap();
    loop {
        match resume(&host, &mut object, &Hurry(hurry), &checkpoint, Budget { parts })
            .unwrap()
            .outcome
        {
            Outcome::More(more) => checkpoint = more.checkpoint,
            Outcome::Done(summary) => return (object.0, summary),
        }
    }
}

fn whole(host: &Host, format: &str, settings: &[(&str, &str)]) -> (String, Summary) {
    let (object, summary) = export(host, &options(format, 1 << 20, settings), u32::MAX, false);
    (String::from_utf8(object).unwrap(), summary)
}

fn host(rows: Vec<Vec<Value>>) -> Host {
    Host { encoding: Encoding::Utf8, others: &[], rows, in_batch: 7, damaged_at: None }
}

/// Text and bytes: short, or longer than a batch, with all that is odd at any place.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let odd = prop_oneof![
        any::<u8>().prop_map(|byte| vec![byte]),
        select(vec!["\"", "\\", "\r\n", ",", "\0", "é", "世", "😀", "\u{1}", "a", "\u{fffd}"])
            .prop_map(|text| text.as_bytes().to_vec()),
    ];
    let short = vec(odd, 0..12).prop_map(|pieces| pieces.concat());
    let repeated = (short.clone(), 0usize..30_000, short.clone()).prop_map(|(one, times, end)| {
        let times = times.min(400_000 / one.len().max(1));
        [one.repeat(times), end].concat()
    });
    prop_oneof![20 => short, 1 => repeated]
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<i64>().prop_map(Value::Integer),
        any::<i32>().prop_map(|number| Value::Real(f64::from(number) / 64.0)),
        select(vec![f64::INFINITY, f64::NEG_INFINITY, -0.0, 1e16, 5e-324]).prop_map(Value::Real),
        bytes().prop_map(Value::Text),
        bytes().prop_map(Value::Blob),
    ]
}

fn rows() -> impl Strategy<Value = Vec<Vec<Value>>> {
    (1usize..4).prop_flat_map(|columns| vec(vec(value(), columns), 0..40))
}

/// A cell as JSON has it by the rule.
fn expected(value: &Value) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Integer(value) => json!(value),
        Value::Real(value) if value.is_infinite() => {
            json!({ "real": if *value > 0.0 { "Infinity" } else { "-Infinity" } })
        }
        Value::Real(value) => json!(value),
        Value::Text(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => json!(text),
            Err(_) => json!({ "text": STANDARD.encode(bytes) }),
        },
        Value::Blob(bytes) => json!({ "blob": STANDARD.encode(bytes) }),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn slices_change_nothing(
        rows in rows(),
        format in select(&FORMATS[..]),
        encoding in select(vec![Encoding::Utf8, Encoding::Utf16le, Encoding::Utf16be]),
        part_size in 4096u32..9000,
        in_batch in 1usize..10,
        hurry in any::<bool>(),
    ) {
        let one = Host { encoding, in_batch, ..host(rows.clone()) };
        let (object, summary) = export(&one, &options(format, 1 << 20, &[]), u32::MAX, false);
        let other = Host { encoding, ..host(rows) };
        let (sliced, of_slices) = export(&other, &options(format, part_size, &[]), 1, hurry);
        prop_assert!(object == sliced);
        prop_assert!(std::str::from_utf8(&object).is_ok());
        prop_assert_eq!(of_slices.bytes, object.len() as u64);
        let rest = |summary: Summary| Summary { parts: 0, ..summary };
        prop_assert_eq!(rest(of_slices), rest(summary));
    }

    #[test]
    fn json_means_the_rows(rows in rows(), format in select(&FORMATS[1..])) {
        let host = host(rows.clone());
        let (object, summary) = whole(&host, format, &[]);
        let read: Vec<Json> = match format {
            "json" => serde_json::from_str(&object).unwrap(),
            _ if rows.is_empty() => Vec::new(),
            _ => object.lines().map(|line| serde_json::from_str(line).unwrap()).collect(),
        };
        let names = ["id", "a \"b\"\\\n,", "\u{e9}"];
        let object_of = |row: &Vec<Value>| -> Json {
            let members = names.iter().zip(row).map(|(name, value)| ((*name).to_owned(), expected(value)));
            Json::Object(members.collect())
        };
        prop_assert_eq!(read, rows.iter().map(object_of).collect::<Vec<_>>());
        prop_assert_eq!(summary.rows, rows.len() as u64);
        prop_assert!(summary.warnings.is_empty() && summary.damaged.is_empty());
    }
}

fn sample() -> Vec<Vec<Value>> {
    let text = |text: &str| Value::Text(text.into());
    vec![
        vec![Value::Integer(i64::MAX), text("a \"b\"\r\n,"), Value::Null],
        vec![Value::Real(-0.0), text(""), Value::Blob(b"\x00\xff".to_vec())],
        vec![Value::Real(f64::NEG_INFINITY), Value::Text(b"\xff\0".to_vec()), text("NULL")],
    ]
}

#[test]
fn csv_is_as_documented() {
    let host = host(sample());
    let (object, summary) = whole(&host, "csv", &[]);
    let header = "\"id\",\"a \"\"b\"\"\\\n,\",\"é\"\r\n";
    let rows = "9223372036854775807,\"a \"\"b\"\"\r\n,\",\r\n-0.0,\"\",\"00ff\"\r\n\
                -Infinity,\"\u{fffd}\0\",\"NULL\"\r\n";
    assert_eq!(object, format!("{header}{rows}"));
    let told = summary.warnings.join("; ");
    for loss in ["U+FFFD (1 of", "NUL characters, which", "blobs of table \"t\""] {
        assert!(told.contains(loss), "{told}");
    }
    assert_eq!(summary.warnings.len(), 3);
    let settings = [("header", "no"), ("null", "NULL"), ("blobs", "base64")];
    let (object, _) = whole(&host, "csv", &settings);
    assert_eq!(object, rows.replace(",\r\n-0", ",NULL\r\n-0").replace("00ff", "AP8="));
}

#[test]
fn nulls_that_are_empty_lines_are_told() {
    let one_column = || host(vec![vec![Value::Null], vec![Value::Text(Vec::new())]]);
    let (object, summary) = whole(&one_column(), "csv", &[]);
    assert_eq!(object, "\"id\"\r\n\r\n\"\"\r\n");
    assert!(summary.warnings[0].contains("choose a text for NULL (1 of"), "{summary:?}");
    let (object, summary) = whole(&one_column(), "csv", &[("null", "\\N")]);
    assert_eq!((&*object, summary.warnings.len()), ("\"id\"\r\n\\N\r\n\"\"\r\n", 0));
}

#[test]
fn json_is_as_documented() {
    let host = host(sample());
    let (object, _) = whole(&host, "ndjson", &[]);
    let first = object.lines().next().unwrap();
    assert_eq!(first, r#"{"id":9223372036854775807,"a \"b\"\\\n,":"a \"b\"\r\n,","é":null}"#);
    assert_eq!(
        object.lines().last().unwrap(),
        r#"{"id":{"real":"-Infinity"},"a \"b\"\\\n,":{"text":"/wA="},"é":"NULL"}"#
    );
    let (object, summary) = whole(&host, "json", &[("blobs", "hex")]);
    assert!(object.starts_with("[\n{\"id\":9223372036854775807,") && object.ends_with("}\n]\n"));
    assert!(object.contains(r#""é":"00ff"},"#), "{object}");
    assert!(summary.warnings[0].contains("blobs of table \"t\""), "{summary:?}");
}

#[test]
fn all_tables_name_theirs() {
    let host = host(sample());
    let all = |format: &str| {
        let options = Options { tables: Vec::new(), ..options(format, 4096, &[]) };
        String::from_utf8(export(&host, &options, 1, false).0).unwrap()
    };
    let json: Json = serde_json::from_str(&all("json")).unwrap();
    assert_eq!(json["t"].as_array().unwrap().len(), 3);
    let lines: Vec<Json> =
        all("ndjson").lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines[0]["columns"][0], "id");
    assert_eq!(lines[1]["row"]["id"], json!(i64::MAX));
    assert_eq!(lines[4], json!({ "end": { "tables": 1, "rows": 3 } }));
}

#[test]
fn no_rows_make_an_object_too() {
    for (format, settings, expected) in [
        ("csv", &[][..], "\"id\",\"a \"\"b\"\"\\\n,\"\r\n"),
        ("csv", &[("header", "no")], "\r\n"),
        ("ndjson", &[], "\n"),
        ("json", &[], "[\n]\n"),
    ] {
        assert_eq!(whole(&host(Vec::new()), format, settings).0, expected);
    }
}

#[test]
fn an_object_with_rows_missing_says_so() {
    for format in FORMATS {
        let host = Host { damaged_at: Some(2), ..host(sample()) };
        let first = start(&&host, &options(format, 4096, &[])).unwrap();
        let stopped =
            resume(&&host, &mut Object::default(), &Hurry(false), &first, Budget { parts: 9 });
        assert!(matches!(stopped, Err(Error::Corrupt(_))), "{format}");
        let (object, summary) = whole(&host, format, &[("damaged", "skip")]);
        assert_eq!((summary.rows, summary.damaged), (2, vec!["t".to_owned()]));
        let mark = json!({ "tables": 1, "rows": 2, "damaged": 1 });
        match format {
            // Of another number of fields than the header.
            "csv" => {
                assert!(object.ends_with("\r\npartway:incomplete tables=1 rows=2 damaged=1\r\n"))
            }
            "ndjson" => {
                let last: Json = serde_json::from_str(object.lines().last().unwrap()).unwrap();
                assert_eq!(last["partway:incomplete"], mark);
            }
            _ => {
                let all: Json = serde_json::from_str(&object).unwrap();
                assert_eq!(all[2]["partway:incomplete"], mark);
            }
        }
    }
}

#[test]
fn a_checkpoint_is_of_one_format() {
    let long = Value::Text("é\"".repeat(200_000).into_bytes());
    let host = host(vec![vec![Value::Null, long]; 3]);
    for format in FORMATS {
        let options = options(format, 4096, &[]);
        let first = start(&&host, &options).unwrap();
        let one = Budget { parts: 30 };
        let Ok(Outcome::More(more)) =
            resume(&&host, &mut Object::default(), &Hurry(false), &first, one)
                .map(|slice| slice.outcome)
        else {
            panic!("{format} has ended");
        };
        for other in
            FORMATS.into_iter().chain(["sql", "sqlite", "xml"]).filter(|other| *other != format)
        {
            let renamed = format!("\"format\":\"{other}\"");
            let forged = more.checkpoint.replace(&format!("\"format\":\"{format}\""), &renamed);
            assert_ne!(forged, more.checkpoint);
            let refused = resume(&&host, &mut Object(Vec::new(), 30), &Hurry(false), &forged, one)
                .unwrap_err();
            let named = matches!(refused, Error::InvalidCheckpoint(_) | Error::InvalidOptions(_));
            assert!(named, "{format}, {other}: {refused}");
        }
    }
}

#[test]
fn what_makes_no_sense_is_refused() {
    let host = host(sample());
    for (options, told) in [
        (options("csv", 4096, &[("rowids", "drop")]), "no setting rowids=drop"),
        (options("json", 4096, &[("header", "no")]), "no setting header=no"),
        (options("csv", 4096, &[("null", "1")]), "can't stand for NULL"),
        (options("xml", 4096, &[]), "\"csv\", \"ndjson\" and \"json\""),
        (Options { tables: vec!["u".into()], ..options("csv", 4096, &[]) }, "no such table"),
    ] {
        let error = start(&&host, &options).unwrap_err().to_string();
        assert!(error.contains(told), "{error}");
    }
}

/// Every table but `log_1` and `log_2`, and without `u` for CSV.
fn part(format: &str, settings: &[(&str, &str)]) -> Options {
    let mut settings = settings.to_vec();
    settings.push(("exclude-table", "LOG_?"));
    if format == "csv" {
        settings.push(("exclude-table", "u"));
    }
    Options { tables: vec!["*".into()], ..options(format, 4096, &settings) }
}

#[test]
fn a_part_of_a_database_is_the_same_however_it_is_sliced() {
    let others = &["u", "log_1", "log_2"];
    let row = |number| vec![Value::Integer(number), Value::Text(b"x".repeat(300))];
    let host = Host { others, ..host((0..40).map(row).collect()) };
    // The limit falls behind a value that is longer than many parts.
    let long = vec![Value::Integer(1), Value::Text(b"x".repeat(300_000))];
    let with_long = Host { others, ..self::host(vec![row(0), long, row(2)]) };
    let cases = [(&host, 0, 4096), (&host, 25, 4096), (&host, 41, 4096), (&with_long, 2, 65_536)];
    for format in FORMATS {
        let tables: u32 = if format == "csv" { 1 } else { 2 };
        for (host, limit, part_size) in cases {
            let part = part(format, &[("limit", &limit.to_string())]);
            let options = Options { part_size, ..part };
            let (whole, summary) = export(host, &options, u32::MAX, false);
            let of_each = limit.min(host.rows.len());
            let rows = u64::from(tables) * of_each as u64;
            assert_eq!((summary.tables, summary.rows), (tables, rows), "{format}, {limit}");
            let text = String::from_utf8(whole.clone()).unwrap();
            let has = |row: usize| {
                text.contains(&format!("\n{row},\"x")) || text.contains(&format!("\"id\":{row},"))
            };
            assert!(of_each == 0 || has(of_each - 1), "{format}, {limit}");
            assert!(!has(of_each), "{format}, {limit}");
            for (parts, hurry) in [(1, false), (9, true)] {
                assert!(export(host, &options, parts, hurry).0 == whole, "{format}, {limit}");
            }
        }
        let all = export(&host, &part(format, &[]), 5, false).0;
        assert!(all == export(&host, &part(format, &[("content", "data")]), 5, false).0);
    }
    let json: Json =
        serde_json::from_slice(&export(&host, &part("json", &[]), 9, false).0).unwrap();
    assert_eq!(json.as_object().unwrap().keys().collect::<Vec<_>>(), ["t", "u"]);
}

#[test]
fn a_pattern_that_finds_one_table_is_laid_out_as_for_many() {
    let host = Host { others: &["log_1"], ..host(sample()) };
    let first = |tables: &[&str]| {
        let tables = tables.iter().map(|name| (*name).into()).collect();
        let options = Options { tables, ..options("ndjson", 4096, &[]) };
        let object = String::from_utf8(export(&host, &options, 1, false).0).unwrap();
        serde_json::from_str::<Json>(object.lines().next().unwrap()).unwrap()
    };
    assert_eq!(first(&["log_*"])["table"], "log_1");
    assert_eq!(first(&["LOG_1"])["id"], json!(i64::MAX));
}

#[test]
fn parts_that_make_no_sense_are_refused() {
    let host = Host { others: &["u", "log_1"], ..host(sample()) };
    let all = |settings: &[(&str, &str)]| Options {
        tables: Vec::new(),
        ..options("csv", 4096, settings)
    };
    for (options, told) in [
        (all(&[("exclude-table", "log*")]), "this would be 2 (\"t\", \"u\")"),
        (all(&[("exclude-table", "*")]), "no table is left to export"),
        (all(&[("exclude-table", "v")]), "can't be left out: the database has no such table"),
        (options("json", 4096, &[("content", "schema")]), "format \"json\" has rows alone"),
        (options("json", 4096, &[("content", "none")]), "there is no content \"none\""),
        (options("ndjson", 4096, &[("limit", "x")]), "the limit \"x\" is not a number of rows"),
    ] {
        let error = start(&&host, &options).unwrap_err().to_string();
        assert!(error.contains(told), "{error}");
    }
}

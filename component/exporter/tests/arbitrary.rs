//! Whatever a host hands in, checkpoints and batches alike: an answer or an error with a reason, never a panic
//! and never without end.

mod one_table;

use one_table::one_table;
use partway_exporter::{
    Batch, Budget, Cursor, Error, Options, Outcome, Pacing, Parts, PartsError, Position, Rows,
    RowsError, Schema, Text, resume, start,
};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

/// A database of one table with two columns, whose batches and pieces are what the test says.
#[derive(Debug, Clone)]
struct Host {
    batches: Vec<Batch>,
    pieces: Vec<Vec<u8>>,
}

struct Scan {
    host: Host,
    reads: usize,
}

impl Rows for Host {
    type Cursor = Scan;

    fn describe(&self) -> Result<Schema, RowsError> {
        let columns = ["a", "b"].map(str::to_owned);
        Ok(one_table(columns, "CREATE TABLE t (a PRIMARY KEY, b) WITHOUT ROWID"))
    }

    fn scan(&self, _: &[u8], _: &[Text], _: Option<&[u8]>) -> Result<Scan, RowsError> {
        Ok(Scan { host: self.clone(), reads: 0 })
    }
}

impl Cursor for Scan {
    fn next(&mut self, _: u32) -> Result<Batch, RowsError> {
        Ok(if self.host.batches.is_empty() {
            Batch::default()
        } else {
            self.host.batches.remove(0)
        })
    }

    fn position(&self, rows: u32) -> Result<Position, RowsError> {
        Ok(rows.to_be_bytes().to_vec())
    }

    fn read(&mut self, _: u32, _: u32, _: u32, max_bytes: u32) -> Result<Vec<u8>, RowsError> {
        self.reads += 1;
        // A host that gave single bytes of a value of gigabytes would take long, and be allowed to.
        if self.reads > 40 {
            return Err(RowsError::Failed("enough".into()));
        }
        let Some(piece) = self.host.pieces.get(self.reads % (self.host.pieces.len() + 1)) else {
            return Ok(vec![b'x'; max_bytes as usize]);
        };
        Ok(piece.clone())
    }
}

struct Taken(u32);

impl Parts for Taken {
    fn write(&mut self, number: u32, bytes: &[u8]) -> Result<(), PartsError> {
        if number != self.0 + 1 || bytes.is_empty() {
            return Err(PartsError::Refused("out of turn".into()));
        }
        self.0 = number;
        Ok(())
    }
}

struct Endless;

impl Pacing for Endless {
    fn should_yield(&self) -> bool {
        false
    }
}

/// The formats, each with a setting that makes a difference here.
const FORMATS: [(&str, (&str, &str)); 6] = [
    ("sql", ("target", "sqlite")),
    ("sql", ("target", "d1")),
    ("csv", ("blobs", "hex")),
    ("csv", ("blobs", "base64")),
    ("ndjson", ("blobs", "hex")),
    ("json", ("blobs", "base64")),
];

fn options((format, (name, value)): (&str, (&str, &str)), damaged: &str) -> Options {
    Options {
        format: format.into(),
        tables: Vec::new(),
        part_size: 4096,
        settings: vec![(name.into(), value.into()), ("damaged".into(), damaged.into())],
    }
}

/// One slice as long as it takes.
fn run(host: &Host, checkpoint: &str, written: u32) -> Result<Outcome, Error> {
    resume(host, &mut Taken(written), &Endless, checkpoint, Budget { parts: u32::MAX })
        .map(|slice| slice.outcome)
}

fn batch() -> impl Strategy<Value = Batch> {
    let kinds = vec(0u8..9, 0..12);
    let lengths = vec(prop_oneof![0u32..20, 30_000u32..400_000, any::<u32>()], 0..12);
    (
        0u32..7,
        kinds,
        vec(any::<i64>(), 0..8),
        vec(any::<f64>(), 0..8),
        lengths,
        vec(any::<u8>(), 0..60),
    )
        .prop_map(|(rows, kinds, integers, reals, lengths, bytes)| Batch {
            rows,
            kinds,
            integers,
            reals,
            lengths,
            bytes,
        })
}

/// A batch whose arrays fit together, with long values among the cells.
fn sound_batch() -> impl Strategy<Value = Batch> {
    vec((1u8..8, any::<i64>(), any::<f64>(), vec(any::<u8>(), 0..40), 1u32..200_000), 1..20)
        .prop_map(|cells| {
            let mut batch = Batch { rows: cells.len() as u32 / 2, ..Batch::default() };
            for (kind, integer, real, bytes, length) in
                cells.into_iter().take(2 * batch.rows as usize)
            {
                batch.kinds.push(kind);
                match kind {
                    1 => batch.integers.push(integer),
                    2 => batch.reals.push(real),
                    3 | 4 => {
                        batch.lengths.push(bytes.len() as u32);
                        batch.bytes.extend(bytes);
                    }
                    6 | 7 => batch.lengths.push(length),
                    _ => {}
                }
            }
            batch
        })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn batches_of_any_shape_end_in_an_object_or_an_error(
        batches in vec(prop_oneof![batch(), sound_batch()], 0..4),
        pieces in vec(vec(any::<u8>(), 0..50), 0..4),
        format in select(&FORMATS[..]),
        skip in any::<bool>(),
    ) {
        let host = Host { batches, pieces };
        let options = options(format, if skip { "skip" } else { "stop" });
        let first = start(&host, &options).unwrap();
        if let Err(error) = run(&host, &first, 0) {
            prop_assert!(!error.to_string().is_empty());
        }
    }

    #[test]
    fn text_that_is_no_checkpoint_is_refused_with_a_reason(text in ".{0,300}") {
        let host = Host { batches: Vec::new(), pieces: Vec::new() };
        let refused = run(&host, &text, 0);
        prop_assert!(matches!(refused, Err(Error::InvalidCheckpoint(reason)) if !reason.is_empty()));
    }

    #[test]
    fn a_checkpoint_with_bytes_changed_ends_in_an_object_or_an_error(
        batches in vec(sound_batch(), 1..4),
        changes in vec((any::<prop::sample::Index>(), 32u8..127), 1..6),
        format in select(&FORMATS[..]),
    ) {
        let host = Host { batches, pieces: Vec::new() };
        let first = start(&host, &options(format, "stop")).unwrap();
        let saved = match resume(&host, &mut Taken(0), &Endless, &first, Budget { parts: 1 })
            .map(|slice| slice.outcome)
        {
            Ok(Outcome::More(more)) => more.checkpoint,
            _ => first,
        };
        let mut bytes = saved.into_bytes();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        let text = String::from_utf8(bytes).unwrap();
        // A part's size that grew by digits is the host's limit on memory to judge.
        prop_assume!(text.contains("\"part_size\":4096,"));
        if let Err(error) = run(&host, &text, 1) {
            prop_assert!(!error.to_string().is_empty());
        }
    }
}

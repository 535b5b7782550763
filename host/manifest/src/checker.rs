//! Compares an object with its manifest while it is read.

use std::fmt;
use std::hash::Hasher as _;
use std::ops::Range;

use twox_hash::XxHash64;

use crate::manifest::Manifest;

/// Compares an object with its manifest while the object is read, from its first byte to its last.
#[derive(Debug)]
pub struct ManifestChecker {
    manifest: Manifest,
    parts: RangeChecker,
    tables: RangeChecker,
}

/// Where an object is not what its manifest says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ManifestProblem {
    /// It has another length.
    Length {
        /// Its length, in bytes.
        found: u64,
        /// The manifest's.
        expected: u64,
    },
    /// Its bytes are others.
    Hash {
        /// Their SHA-256.
        found: String,
        /// The manifest's.
        expected: String,
    },
    /// A part is not as it was, or missing.
    Part {
        /// Its number, counted from 1.
        number: usize,
        /// How many there are.
        of: usize,
        /// Its bytes.
        bytes: Range<u64>,
    },
    /// A table's rows are not as they were.
    Table {
        /// The table.
        name: String,
    },
}

impl fmt::Display for ManifestProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Length { found, expected } => {
                write!(f, "has {found} bytes, and its manifest says {expected}")
            }
            Self::Hash { found, expected } => {
                write!(f, "has the SHA-256 {found}, and its manifest says {expected}")
            }
            Self::Part { number, of, bytes: Range { start, end } } => write!(
                f,
                "is not what its manifest says in part {number} of {of}, which begins at byte {start} and has {} bytes",
                end - start
            ),
            Self::Table { name } => {
                write!(f, "is not what its manifest says in the rows of table {name}")
            }
        }
    }
}

impl ManifestChecker {
    /// Begins. What a codec component has compressed can't be decoded here, so that of such an object, the object itself and
    /// its parts are compared, and no tables.
    pub fn new(mut manifest: Manifest) -> Self {
        if manifest.object.codec_sha256.is_some() {
            manifest.tables.clear();
        }
        let mut end = 0;
        let parts = manifest.parts.iter().map(|part| {
            let start = end;
            end += part.bytes;
            (start..end, part.xxh64)
        });
        let parts = RangeChecker::new(parts.collect());
        let tables = manifest
            .tables
            .iter()
            .map(|table| (table.offset..table.offset + table.bytes, table.xxh64));
        let tables = RangeChecker::new(tables.collect());
        Self { manifest, parts, tables }
    }

    /// What takes the bytes of the object as it is stored, and what takes those of what is in it, decrypted and decompressed:
    /// the same if it is not encoded. Each takes them in their order, and may be on a thread of its own.
    pub fn streams(
        &mut self,
    ) -> (impl FnMut(&[u8]) + Send + use<'_>, impl FnMut(&[u8]) + Send + use<'_>) {
        let Self { parts, tables, .. } = self;
        (|bytes: &[u8]| parts.take(bytes), |bytes: &[u8]| tables.take(bytes))
    }

    /// Ends, with the object's SHA-256 in hexadecimal digits, if that is known. All bytes of the object have been given; those of its contents, as
    /// far as they can be decoded. Nothing: the object is what its manifest says.
    pub fn finish(self, sha256: Option<&str>) -> Vec<ManifestProblem> {
        let Self { manifest, parts, tables } = self;
        let mut problems = Vec::new();
        let (found, expected) = (parts.offset, manifest.object.bytes);
        if found != expected {
            problems.push(ManifestProblem::Length { found, expected });
        }
        if let Some(sha256) = sha256
            && sha256 != manifest.object.sha256
        {
            let (found, expected) = (sha256.to_owned(), manifest.object.sha256);
            problems.push(ManifestProblem::Hash { found, expected });
        }
        let of = parts.ranges.len();
        let ended = parts.current;
        let unread = parts.ranges.iter().enumerate().skip(ended).map(|(index, _)| index);
        for index in parts.different.iter().copied().chain(unread) {
            let bytes = parts.ranges[index].0.clone();
            problems.push(ManifestProblem::Part { number: index + 1, of, bytes });
        }
        let name = |index: &usize| manifest.tables[*index].name.clone();
        let different = tables.different.iter().map(name);
        problems.extend(different.map(|name| ManifestProblem::Table { name }));
        problems
    }
}

/// Hashes ranges of bytes that come in order, and compares.
#[derive(Debug)]
struct RangeChecker {
    /// In order, not overlapping, with the hashes that they should have.
    ranges: Vec<(Range<u64>, u64)>,
    /// Bytes so far.
    offset: u64,
    /// The first range that has not ended.
    current: usize,
    /// Its hash so far.
    hash: XxHash64,
    /// The ranges that have another hash.
    different: Vec<usize>,
}

impl RangeChecker {
    fn new(ranges: Vec<(Range<u64>, u64)>) -> Self {
        let hash = XxHash64::with_seed(0);
        Self { ranges, offset: 0, current: 0, hash, different: Vec::new() }
    }

    fn take(&mut self, mut bytes: &[u8]) {
        while let Some((Range { start, end }, expected)) = self.ranges.get(self.current).cloned() {
            self.advance(&mut bytes, start);
            let inside = self.advance(&mut bytes, end);
            self.hash.write(inside);
            if self.offset < end {
                return;
            }
            if self.hash.finish() != expected {
                self.different.push(self.current);
            }
            self.current += 1;
            self.hash = XxHash64::with_seed(0);
        }
        self.advance(&mut bytes, u64::MAX);
    }

    /// Takes the bytes before an offset, as far as they are there.
    fn advance<'a>(&mut self, bytes: &mut &'a [u8], until: u64) -> &'a [u8] {
        let wanted = usize::try_from(until.saturating_sub(self.offset)).unwrap_or(usize::MAX);
        let (taken, rest) = bytes.split_at(wanted.min(bytes.len()));
        self.offset += taken.len() as u64;
        *bytes = rest;
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::{
        ManifestContents, ManifestObject, ManifestPart, ManifestTable, manifest_name,
    };
    use sha2::{Digest, Sha256};

    const OBJECT: &[u8] = b"head,aaaaaaaa,bb,end";
    const PART: usize = 8;

    fn sha256(bytes: &[u8]) -> String {
        base16ct::lower::encode_string(&Sha256::digest(bytes))
    }

    fn manifest() -> Manifest {
        let bytes = OBJECT.len() as u64;
        let object = ManifestObject {
            name: "a.sql".to_owned(),
            bytes,
            sha256: sha256(OBJECT),
            compression: None,
            codec_sha256: None,
            encrypted: false,
        };
        let contents = ManifestContents {
            format: "sql".to_owned(),
            settings: [("target".to_owned(), "d1".to_owned())].into(),
            only_tables: Vec::new(),
            filters: Vec::new(),
            bytes,
            tables: 3,
            rows: 2,
            warnings: Vec::new(),
            damaged: Vec::new(),
        };
        let table = |name: &str, range: Range<usize>| ManifestTable {
            name: name.to_owned(),
            rows: 1,
            offset: range.start as u64,
            bytes: range.len() as u64,
            xxh64: XxHash64::oneshot(0, &OBJECT[range]),
        };
        Manifest {
            parts: OBJECT
                .chunks(PART)
                .map(|part| ManifestPart {
                    bytes: part.len() as u64,
                    xxh64: XxHash64::oneshot(0, part),
                })
                .collect(),
            tables: vec![table("a", 5..13), table("none", 14..14), table("b", 14..16)],
            ..Manifest::new(object, contents)
        }
    }

    fn problems(object: &[u8], chunk: usize) -> Vec<String> {
        let text = manifest().to_json().unwrap();
        let mut checker = ManifestChecker::new(Manifest::from_json(&text).unwrap());
        let (mut stored, mut contents) = checker.streams();
        for bytes in object.chunks(chunk) {
            stored(bytes);
            contents(bytes);
        }
        drop((stored, contents));
        checker.finish(Some(&sha256(object))).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_is_written_is_read_again() {
        let text = manifest().to_json().unwrap();
        assert_eq!(Manifest::from_json(&text).unwrap(), manifest());
        assert_eq!(manifest_name(&manifest().object.name), "a.sql.manifest.json");
    }

    #[test]
    fn the_object_itself_has_no_problem() {
        for chunk in 1..=OBJECT.len() {
            assert_eq!(problems(OBJECT, chunk), [""; 0], "{chunk}");
        }
    }

    #[test]
    fn each_altered_byte_is_found_in_its_part_and_table() {
        for at in 0..OBJECT.len() {
            let mut altered = OBJECT.to_vec();
            altered[at] ^= 1;
            let problems = problems(&altered, 3);
            assert!(problems[0].contains("SHA-256"), "{problems:?}");
            assert!(problems[1].contains(&format!("part {} of 3", at / PART + 1)), "{problems:?}");
            let table = match at {
                5..=12 => Some("is not what its manifest says in the rows of table a"),
                14..=15 => Some("is not what its manifest says in the rows of table b"),
                _ => None,
            };
            assert_eq!(problems.get(2).map(String::as_str), table, "{at}");
        }
    }

    #[test]
    fn an_object_cut_off_lacks_the_parts_from_there_on() {
        for length in 0..OBJECT.len() {
            let problems = problems(&OBJECT[..length], 5);
            assert_eq!(
                problems[0],
                format!("has {length} bytes, and its manifest says {}", OBJECT.len())
            );
            let missing = problems.iter().filter(|problem| problem.contains("part ")).count();
            assert_eq!(missing, 3 - length / PART, "{problems:?}");
        }
        let longer = [OBJECT, b"x"].concat();
        let problems = problems(&longer, 5);
        assert!(problems[0].starts_with("has 21 bytes") && problems.len() == 2, "{problems:?}");
    }

    #[test]
    fn manifests_that_contradict_themselves_or_are_newer_are_refused() {
        let text = String::from_utf8(manifest().to_json().unwrap()).unwrap();
        for (from, to, error) in [
            ("\"manifest\": 1", "\"manifest\": 2", "has version 2"),
            ("\"offset\": 14", "\"offset\": 12", "overlap"),
            ("\"bytes\": 8", "\"bytes\": 9", "as long"),
            ("\"xxh64\": \"", "\"xxh64\": \"0", "16 hexadecimal digits"),
            ("{", "", "damaged"),
        ] {
            assert!(text.contains(from), "{from}");
            let refused = Manifest::from_json(text.replacen(from, to, 1).as_bytes()).unwrap_err();
            assert!(refused.to_string().contains(error), "{refused}");
        }
    }
}

//! Names of the objects of a job that makes one of each table.

use jiff::Timestamp;
use partway_codec::Encoding;
use partway_manifest::MANIFEST_SUFFIX;
use sha2::{Digest, Sha256};

use crate::object_name::{ObjectNameError, object_name};

/// The longest name of a set, in bytes: what is added must fit into a file's name.
const MAX_SET_NAME_BYTES: usize = 100;

/// The longest name of a table that is part of an object's name as it is, in bytes.
const MAX_TABLE_BYTES: usize = 80;

/// The name of a set that is given none.
pub(crate) fn default_set_name(now: Timestamp) -> String {
    timed_set_name("dump", now)
}

/// A name like the default one of a set, `dump_YYYYMMDD-HHMMSS`, with another word than `dump` at its beginning.
pub fn timed_set_name(word: &str, now: Timestamp) -> String {
    format!("{word}_{}", now.strftime("%Y%m%d-%H%M%S"))
}

/// Checks what the names of objects are to begin with, of a job that makes one of each table.
///
/// # Errors
///
/// All of [`ObjectNameError`]: a hundred bytes are the most here.
pub fn object_set_name(text: &str) -> Result<String, ObjectNameError> {
    if text.len() > MAX_SET_NAME_BYTES {
        return Err(ObjectNameError::TooLongForSet);
    }
    object_name(text)
}

/// The name of the set that a manifest is of.
pub(crate) fn set_name(manifest: &str) -> &str {
    manifest.strip_suffix(MANIFEST_SUFFIX).unwrap_or(manifest)
}

/// The name of a table's object: `SET.TABLE.FORMAT`, and what says how it is encoded.
pub(crate) fn table_object_name(
    set: &str,
    table: &str,
    format: &str,
    encoding: &Encoding,
) -> String {
    let mut name = format!("{set}.{}.{format}{}", in_name(table), encoding.suffix());
    // A table called manifest, as JSON: nobody is to take it for the manifest.
    if name.to_ascii_lowercase().ends_with(MANIFEST_SUFFIX) {
        // Behind the dot.
        let letter = name.len() - MANIFEST_SUFFIX.len() + 1;
        let encoded = format!("%{:02X}", name.as_bytes()[letter]);
        name.replace_range(letter..=letter, &encoded);
    }
    name
}

/// A table's name as part of an object's: what can't be in names of files everywhere, or has a meaning in URLs and shells'
/// patterns, is percent-encoded, byte by byte. What is too long is cut off, and a hash tells it apart.
fn in_name(table: &str) -> String {
    let mut encoded = String::new();
    for character in table.chars() {
        if character.is_control() || "\"#%&*/:<>?\\|[]".contains(character) {
            let mut bytes = [0; 4];
            for byte in character.encode_utf8(&mut bytes).bytes() {
                encoded.push_str(&format!("%{byte:02X}"));
            }
        } else {
            encoded.push(character);
        }
    }
    if encoded.len() > MAX_TABLE_BYTES {
        let hash = base16ct::lower::encode_string(&Sha256::digest(table)[..8]);
        encoded.truncate(encoded.floor_char_boundary(MAX_TABLE_BYTES));
        encoded = format!("{encoded}~{hash}");
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_table_has_a_name_for_a_file() {
        let name = |table: &str| table_object_name("dump", table, "csv", &Encoding::default());
        assert_eq!(name("orders"), "dump.orders.csv");
        assert_eq!(name("Größe v1.2"), "dump.Größe v1.2.csv");
        assert_eq!(name("../a\\b*"), "dump...%2Fa%5Cb%2A.csv");
        assert_eq!(name("100%"), "dump.100%25.csv");
        assert_eq!(name("a\n\0"), "dump.a%0A%00.csv");
        let long = [name(&"ä".repeat(200)), name(&"ä".repeat(201)), name(&"/".repeat(500))];
        assert_ne!(long[0], long[1]);
        for name in long {
            assert!(name.len() <= 120 && object_name(&name).is_ok(), "{name}");
        }
        let as_json = |table: &str| table_object_name("d", table, "json", &Encoding::default());
        assert_eq!(as_json("manifest"), "d.%6Danifest.json");
        assert_eq!(as_json("a.Manifest"), "d.a.%4Danifest.json");
        assert_eq!(as_json("my manifest"), "d.my manifest.json");
        assert!(object_set_name(&"a".repeat(101)).is_err() && object_set_name("a/b").is_err());
    }
}

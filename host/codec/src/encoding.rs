//! What becomes of an object's bytes on their way to the store.

use serde::{Deserialize, Serialize};

use crate::codec::Codec;
use crate::keys::Recipient;

const MIB: u64 = 1024 * 1024;

/// The smallest block. Blocks of 1 MiB of SQL come out at most 0.3 % larger than the whole in one piece, by zstd's level 1.
const SMALLEST_BLOCK: u64 = MIB;

/// The largest block. Several are in memory at a time.
const LARGEST_BLOCK: u64 = 4 * MIB;

/// The blocks of an object that is as large as its database, unless they would have to be larger than the largest: the size
/// of each is kept until the end, for the table of zstd's seekable format.
const BLOCKS: u64 = 65_536;

/// How an object is encoded. The default changes nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Encoding {
    /// What compresses it; none: it is not compressed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compression: Option<Codec>,
    /// Who can decrypt it; empty: it is not encrypted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub recipients: Vec<Recipient>,
}

impl Encoding {
    /// Whether it changes nothing.
    pub fn is_none(&self) -> bool {
        self.compression.is_none() && self.recipients.is_empty()
    }

    /// What an object's name ends in, after the name of what is encoded: `.zst.age`, for example, or nothing.
    pub fn suffix(&self) -> String {
        let compression = self.compression.as_ref().map_or("", Codec::suffix);
        let encryption = if self.recipients.is_empty() { "" } else { ".age" };
        format!("{compression}{encryption}")
    }

    /// The media type of an encoded object; none if it is not encoded.
    pub fn media_type(&self) -> Option<&str> {
        match &self.compression {
            _ if !self.recipients.is_empty() => Some("application/octet-stream"),
            codec => codec.as_ref().map(Codec::media_type),
        }
    }

    /// The size of the blocks, in bytes before they are encoded, for a database of so many bytes: 1 MiB for up to 64 GiB, up
    /// to 4 MiB for more. It must not change while an object is made.
    pub fn block_size(&self, database: u64) -> u32 {
        let size = (database / BLOCKS).next_power_of_two().clamp(SMALLEST_BLOCK, LARGEST_BLOCK);
        u32::try_from(size).unwrap_or(u32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use partway_compression::Compression;

    use super::*;

    #[test]
    fn names_say_what_is_inside() {
        let recipient: Recipient =
            "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p".parse().unwrap();
        let none = Encoding::default();
        assert_eq!((none.suffix().as_str(), none.media_type()), ("", None));
        let zstd = Encoding { compression: Some(Compression::Zstd(1).into()), ..none.clone() };
        assert_eq!((zstd.suffix().as_str(), zstd.media_type()), (".zst", Some("application/zstd")));
        let sealed = Encoding { recipients: vec![recipient], ..zstd };
        assert_eq!(sealed.suffix(), ".zst.age");
        assert_eq!(sealed.media_type(), Some("application/octet-stream"));
    }

    #[test]
    fn blocks_grow_with_the_database() {
        let size = |gib: u64| Encoding::default().block_size(gib * 1024 * MIB);
        assert_eq!(
            [size(0), size(64), size(100), size(5000)],
            [1, 1, 2, 4].map(|mib| mib * MIB as u32)
        );
    }
}

//! Bytes and numbers in the JSON text of checkpoints, for `#[serde(with = …)]`.

#![allow(missing_docs, reason = "the functions are serde's, and each module says what it is for")]

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

/// Bytes as base64 text (RFC 4648, padded).
pub mod bytes {
    use super::{String, Vec};
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub fn serialize<S: Serializer>(bytes: &[u8], to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&STANDARD.encode(bytes))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
        STANDARD.decode(String::deserialize(from)?).map_err(D::Error::custom)
    }
}

/// Bytes that may be missing, as base64 text.
pub mod optional_bytes {
    use super::{Vec, bytes};
    use serde::{Deserializer, Serializer};

    pub fn serialize<S: Serializer>(value: &Option<Vec<u8>>, to: S) -> Result<S::Ok, S::Error> {
        match value {
            Some(value) => bytes::serialize(value, to),
            None => to.serialize_none(),
        }
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Vec<u8>>, D::Error> {
        bytes::deserialize(from).map(Some)
    }
}

/// A 64-bit number as text: many readers take JSON numbers for floats, which are exact up to 2^53 only.
pub mod hex_number {
    use super::{String, format};
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub fn serialize<S: Serializer>(number: &u64, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&format!("{number:016x}"))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
        u64::from_str_radix(&String::deserialize(from)?, 16).map_err(D::Error::custom)
    }
}

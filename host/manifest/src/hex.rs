//! A 64-bit hash as text, 16 hexadecimal digits: many readers take JSON numbers for floats, exact up to 2^53 only.

use serde::{Deserialize, Deserializer, Serializer, de::Error};

pub(crate) fn serialize<S: Serializer>(hash: &u64, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&format!("{hash:016x}"))
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
    let text = String::deserialize(from)?;
    match text.len() {
        16 => u64::from_str_radix(&text, 16).map_err(D::Error::custom),
        _ => Err(D::Error::custom("an XXH64 has 16 hexadecimal digits")),
    }
}

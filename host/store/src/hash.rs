//! The hash of an object, in a form that can be saved between slices.

use serde::{Deserialize, Serialize};
use sha2::digest::common::hazmat::SerializableState;
use sha2::{Digest, Sha256};

/// The SHA-256 of an object up to the end of a part: its inner state in hexadecimal digits, empty before the first byte.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HashState(String);

/// What was kept of a hash is damaged, and can't be continued.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the saved hash is damaged: start the export over")]
pub struct DamagedHash;

impl HashState {
    /// The hash so far, to be continued; none if the text is damaged.
    pub(crate) fn hasher(&self) -> Option<Sha256> {
        if self.0.is_empty() {
            return Some(Sha256::new());
        }
        let state = base16ct::lower::decode_vec(&self.0).ok()?;
        Sha256::deserialize(state.as_slice().try_into().ok()?).ok()
    }

    /// The state of a hash.
    pub(crate) fn of(hasher: &Sha256) -> Self {
        Self(base16ct::lower::encode_string(&hasher.serialize()))
    }

    /// The hash of all bytes so far, in hexadecimal digits; none if the state is damaged.
    pub fn finish(&self) -> Option<String> {
        Some(base16ct::lower::encode_string(&self.hasher()?.finalize()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_is_continued_where_it_was_kept() {
        let mut first = Sha256::new();
        first.update(b"one part, ");
        let mut second = HashState::of(&first).hasher().unwrap();
        second.update(b"and another");
        let whole = base16ct::lower::encode_string(&Sha256::digest(b"one part, and another"));
        assert_eq!(HashState::of(&second).finish(), Some(whole));
        for damaged in ["0", "zz", "00", "ü"] {
            assert_eq!(HashState(damaged.to_owned()).finish(), None, "{damaged}");
        }
    }
}

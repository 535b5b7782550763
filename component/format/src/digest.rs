//! A digest of a plan (FNV-1a): it tells one schema from another, and is no protection against forgery.

/// Fields, taken in one after the other.
pub struct Digest(u64);

impl Default for Digest {
    fn default() -> Self {
        Self::new()
    }
}

impl Digest {
    /// Of no fields.
    pub const fn new() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }

    /// Takes in a field, its length first, so that no two lists of fields read the same.
    pub fn field(&mut self, bytes: &[u8]) {
        for byte in (bytes.len() as u64).to_le_bytes().iter().chain(bytes) {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    /// The digest of all fields.
    pub fn value(&self) -> u64 {
        self.0
    }
}

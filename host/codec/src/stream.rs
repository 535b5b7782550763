//! An object's encoded bytes in order: what is kept between two slices, and what is ready for the store.

use serde::{Deserialize, Serialize};

use crate::block::BlockEncoder;
use crate::encryption::Sealer;
use crate::error::EncodeError;
use crate::keys::Recipient;

/// An encoded object, as far as it is made.
///
/// Its saved form (it is [`Serialize`]) is all that is needed to go on from between two blocks. It holds what has not been
/// taken, the sizes of all blocks' encodings if the object's end depends on them, as with zstd, and the object's key if it is
/// encrypted: keep it as safe as the database.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct EncodedStream {
    /// The size of all blocks but the last, in bytes before they are encoded.
    block_size: u32,
    /// Blocks so far.
    blocks: u32,
    /// Their bytes, before they are encoded.
    decoded: u64,
    /// The sizes of all blocks' encodings, if what comes at the end depends on them. Saved streams keep their original field
    /// name.
    #[serde(rename = "frames")]
    sizes: Option<Vec<u32>>,
    sealer: Option<Sealer>,
    /// What is ready and not taken.
    #[serde(with = "base64_bytes")]
    ready: Vec<u8>,
}

impl EncodedStream {
    /// A new object, whose blocks this encodes, for these recipients; none: it is not encrypted. If it is, its key is drawn
    /// now, so this is not the same twice.
    ///
    /// # Errors
    ///
    /// [`EncodeError::Encrypt`].
    pub fn begin(
        encoder: &BlockEncoder,
        recipients: &[Recipient],
        block_size: u32,
    ) -> Result<Self, EncodeError> {
        let (sealer, ready) = if recipients.is_empty() {
            (None, Vec::new())
        } else {
            let (sealer, header) = Sealer::begin(recipients)?;
            (Some(sealer), header)
        };
        let sizes = encoder.has_tail().then(Vec::new);
        let mut stream = Self { block_size, blocks: 0, decoded: 0, sizes, sealer, ready };
        stream.append(encoder.head())?;
        Ok(stream)
    }

    /// The size of all blocks but the last, in bytes before they are encoded.
    pub fn block_size(&self) -> u32 {
        self.block_size
    }

    /// Blocks so far.
    pub fn blocks(&self) -> u32 {
        self.blocks
    }

    /// The bytes of these blocks, before they were encoded.
    pub fn decoded_bytes(&self) -> u64 {
        self.decoded
    }

    /// Takes the next block, as its [`BlockEncoder`] has encoded it; `length`: its bytes before that.
    ///
    /// # Errors
    ///
    /// [`EncodeError::Encrypt`].
    pub fn push(&mut self, encoded: &[u8], length: u32) -> Result<(), EncodeError> {
        if let Some(sizes) = &mut self.sizes {
            sizes.push(u32::try_from(encoded.len()).map_err(|_| EncodeError::Damaged)?);
        }
        self.blocks += 1;
        self.decoded += u64::from(length);
        self.append(encoded)
    }

    /// Ends the object: what comes at its end is ready then.
    ///
    /// # Errors
    ///
    /// [`EncodeError::Encrypt`], and those of [`BlockCodec::tail`](crate::BlockCodec::tail).
    pub fn end(&mut self, encoder: &BlockEncoder) -> Result<(), EncodeError> {
        if let Some(sizes) = self.sizes.take() {
            let tail = encoder.tail(self.block_size, self.decoded, &sizes)?;
            self.append(&tail)?;
        }
        match &mut self.sealer {
            Some(sealer) => sealer.end(&mut self.ready),
            None => Ok(()),
        }
    }

    /// The next `part_size` bytes of the object, if so many are ready.
    pub fn take_part(&mut self, part_size: usize) -> Option<Vec<u8>> {
        if self.ready.len() < part_size.max(1) {
            return None;
        }
        let rest = self.ready.split_off(part_size);
        Some(std::mem::replace(&mut self.ready, rest))
    }

    /// All that is ready.
    pub fn take_rest(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.ready)
    }

    fn append(&mut self, bytes: &[u8]) -> Result<(), EncodeError> {
        match &mut self.sealer {
            Some(sealer) => sealer.seal(bytes, &mut self.ready),
            None => {
                self.ready.extend_from_slice(bytes);
                Ok(())
            }
        }
    }
}

/// Bytes as base64 text (RFC 4648, padded).
pub(crate) mod base64_bytes {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(crate) fn serialize<S: Serializer>(bytes: &[u8], to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&STANDARD.encode(bytes))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
        STANDARD.decode(String::deserialize(from)?).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use age::secrecy::ExposeSecret;

    use super::*;
    use crate::{Compression, DecodeError, Decoder, Recipient, identities};

    type Encoding = (Option<Compression>, Vec<Recipient>);

    /// Text that compresses, of so many bytes.
    fn text(length: usize) -> Vec<u8> {
        (0..)
            .flat_map(|row: u64| format!("({row},'text {}'),\n", row * row % 997).into_bytes())
            .take(length)
            .collect()
    }

    /// The encodings, and the keys to decode them.
    fn encodings() -> (Vec<Encoding>, crate::Identities) {
        let secret = age::x25519::Identity::generate();
        let recipient: Recipient = secret.to_public().to_string().parse().unwrap();
        let compressions = [None, Some("zstd".parse().unwrap()), Some("gzip:6".parse().unwrap())];
        let all = compressions.into_iter().flat_map(|compression| {
            [vec![], vec![recipient.clone()]].map(|recipients| (compression, recipients))
        });
        (all.collect(), identities(secret.to_string().expose_secret()).unwrap())
    }

    fn begun((compression, recipients): &Encoding, block_size: u32) -> EncodedStream {
        EncodedStream::begin(&BlockEncoder::new(*compression), recipients, block_size).unwrap()
    }

    fn is_plain((compression, recipients): &&Encoding) -> bool {
        compression.is_none() && recipients.is_empty()
    }

    /// The object, saved and read again after every `saved_after` blocks.
    fn encoded(
        encoding: &Encoding,
        begun: &EncodedStream,
        dump: &[u8],
        saved_after: usize,
        part: usize,
    ) -> Vec<u8> {
        let blocks = BlockEncoder::new(encoding.0);
        let mut stream = begun.clone();
        let mut object = Vec::new();
        for (index, block) in dump.chunks(stream.block_size() as usize).enumerate() {
            let encoded = blocks.encode(index as u32 + 1, block).unwrap();
            stream.push(&encoded, block.len() as u32).unwrap();
            while let Some(part) = stream.take_part(part) {
                object.extend(part);
            }
            if index % saved_after == 0 {
                stream = serde_json::from_str(&serde_json::to_string(&stream).unwrap()).unwrap();
            }
        }
        stream.end(&blocks).unwrap();
        object.extend(stream.take_rest());
        object
    }

    #[test]
    fn what_is_encoded_in_any_slices_is_the_same_and_is_decoded_again() {
        let (encodings, identities) = encodings();
        for encoding in &encodings {
            for length in [0, 1, 4096, 65_536 - 9, 65_536, 300_000] {
                let dump = text(length);
                let begun = begun(encoding, 4096);
                let object = encoded(encoding, &begun, &dump, usize::MAX, 5000);
                for (saved_after, part) in [(1, 100), (3, 4096), (7, 100_000)] {
                    let other = encoded(encoding, &begun, &dump, saved_after, part);
                    assert!(other == object, "{encoding:?} of {length} bytes");
                }
                let mut decoded = Vec::new();
                Decoder::new(&object[..], &identities).unwrap().read_to_end(&mut decoded).unwrap();
                assert!(decoded == dump, "{encoding:?} of {length} bytes");
            }
        }
    }

    #[test]
    fn an_object_altered_or_cut_off_is_never_taken_for_the_whole() {
        let (encodings, identities) = encodings();
        let dump = text(60_000);
        for encoding in encodings.iter().filter(|encoding| !is_plain(encoding)) {
            let begun = begun(encoding, 16_384);
            let object = encoded(encoding, &begun, &dump, usize::MAX, 5000);
            let decode = |object: &[u8]| {
                let mut decoded = Vec::new();
                let mut decoder =
                    Decoder::new(object, &identities).map_err(|error| error.to_string())?;
                decoder.read_to_end(&mut decoded).map_err(|error| error.to_string())?;
                Ok::<_, String>(decoded)
            };
            let step = (object.len() / 100).max(1);
            for at in (0..object.len()).step_by(step).chain(object.len() - 40..object.len()) {
                // Without its last frames it is shorter, as the text in it then says.
                assert_ne!(
                    decode(&object[..at]).as_ref(),
                    Ok(&dump),
                    "{encoding:?} cut off at {at}"
                );
                let mut altered = object.clone();
                altered[at] ^= 0x10;
                // The time and system in gzip's headers and a table's descriptor say nothing about the content. Without
                // its first bytes it is taken for something that is not encoded, as which it is no dump.
                let says_nothing = encoding.1.is_empty()
                    && match encoding.0 {
                        Some(Compression::Gzip(_)) => true,
                        _ => at == object.len() - 5,
                    };
                if let Ok(decoded) = decode(&altered) {
                    let is_known = decoded == altered || decoded == dump && says_nothing;
                    assert!(is_known, "{encoding:?} altered at {at}");
                }
            }
        }
    }

    #[test]
    fn an_object_that_is_cut_off_is_named_as_such() {
        let (encodings, identities) = encodings();
        for encoding in encodings.iter().filter(|encoding| !is_plain(encoding)) {
            let begun = begun(encoding, 16_384);
            let object = encoded(encoding, &begun, &text(60_000), usize::MAX, 5000);
            // Of a chunk of age that is cut off, nobody can tell whether it is altered instead.
            let said = match encoding.1.is_empty() {
                true => "is incomplete: it is cut off",
                false => "is cut off or altered: it can't be decrypted to its end",
            };
            // In the middle of a block, that is.
            for at in [object.len() / 2, object.len() / 3] {
                let read = |object| -> Result<u64, DecodeError> {
                    let mut decoder = Decoder::new(object, &identities)?;
                    Ok(std::io::copy(&mut decoder, &mut std::io::sink())?)
                };
                let error = read(&object[..at]).unwrap_err();
                assert_eq!(error.to_string(), said, "{encoding:?} at {at}: {error:?}");
            }
        }
    }

    #[test]
    fn a_saved_stream_that_is_damaged_is_refused() {
        let (encodings, _) = encodings();
        let saved = serde_json::to_string(&begun(&encodings[1], 4096)).unwrap();
        let key = saved.find("file_key").unwrap() + 11;
        for altered in [
            saved.replacen(&saved[key..key + 4], "", 1),
            saved.replace("\"ready\":\"", "\"ready\":\"!"),
        ] {
            assert!(serde_json::from_str::<EncodedStream>(&altered).is_err());
        }
        assert!(!format!("{:?}", begun(&encodings[1], 4096)).contains("file_key"));
    }
}

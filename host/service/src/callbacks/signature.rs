//! The signature of callbacks, by Standard Webhooks 1.0: there are libraries that verify it for most languages.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::error::{ConfigError, SecretError};

/// The prefix of a secret in Base64.
const BASE64_PREFIX: &str = "whsec_";

/// The name of the secret's file in the state folder.
const FILE_NAME: &str = "callback-secret";

/// The shortest secret, in bytes.
const MIN_LENGTH: usize = 16;

/// The secret, which the receivers know, too.
pub struct Secret(Vec<u8>);

/// The secret can't be used.
#[derive(Debug, thiserror::Error)]
#[error("the callback secret can't be used")]
pub struct SignatureError;

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret")
    }
}

impl Secret {
    /// The secret of a file: `whsec_` and Base64, or any other text as it is.
    ///
    /// # Errors
    ///
    /// If it can't be read, or is too short.
    pub fn from_file(path: &Path) -> Result<Self, ConfigError> {
        fs::read_to_string(path)
            .map_err(SecretError::Read)
            .and_then(|text| Self::parse(text.trim()))
            .map_err(|source| ConfigError::Secret { path: path.to_owned(), source })
    }

    /// The secret of the state folder, which is made where there is none.
    ///
    /// # Errors
    ///
    /// If the file can't be read or written.
    pub fn in_folder(folder: &Path) -> Result<Self, ConfigError> {
        let path = folder.join(FILE_NAME);
        match Self::create(folder, &path) {
            Ok(Some(text)) => {
                Self::parse(&text).map_err(|source| ConfigError::Secret { path, source })
            }
            Ok(None) => Self::from_file(&path),
            Err(source) => Err(ConfigError::SaveSecret { path, source }),
        }
    }

    /// Creates the file, unless it is there: whole or not at all, for its owner alone. Returns the new secret.
    fn create(folder: &Path, path: &Path) -> io::Result<Option<String>> {
        if path.exists() {
            return Ok(None);
        }
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes).map_err(io::Error::other)?;
        let text = format!("{BASE64_PREFIX}{}", STANDARD.encode(bytes));
        let mut new = tempfile::NamedTempFile::new_in(folder)?;
        writeln!(new, "{text}")?;
        new.as_file().sync_all()?;
        match new.persist_noclobber(path) {
            Ok(_) => {}
            // Another process was faster.
            Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => return Ok(None),
            Err(error) => return Err(error.error),
        }
        if cfg!(unix) {
            OpenOptions::new().read(true).open(folder)?.sync_all()?;
        }
        Ok(Some(text))
    }

    fn parse(text: &str) -> Result<Self, SecretError> {
        let bytes = match text.strip_prefix(BASE64_PREFIX) {
            Some(encoded) => {
                STANDARD.decode(encoded).map_err(|error| SecretError::NotBase64(error.into()))?
            }
            None => text.as_bytes().to_vec(),
        };
        if bytes.len() < MIN_LENGTH {
            return Err(SecretError::Short { minimum: MIN_LENGTH });
        }
        Ok(Self(bytes))
    }

    /// The signature of a message: `v1,` and Base64.
    ///
    /// # Errors
    ///
    /// None that are known: HMAC takes keys of any length.
    pub fn sign(&self, id: &str, timestamp: i64, body: &str) -> Result<String, SignatureError> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).map_err(|_| SignatureError)?;
        mac.update(format!("{id}.{timestamp}.{body}").as_bytes());
        Ok(format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_that_of_the_specification() {
        // From the specification's reference implementations.
        let secret = Secret::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let signed = secret
            .sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, r#"{"test": 2432232314}"#)
            .unwrap();
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn the_folders_secret_stays_and_a_short_one_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let signed = || Secret::in_folder(folder.path()).unwrap().sign("id", 1, "body").unwrap();
        assert_eq!(signed(), signed());
        let file = folder.path().join(FILE_NAME);
        let kept = Secret::from_file(&file).unwrap();
        assert_eq!(kept.sign("id", 1, "body").unwrap(), signed());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        }
        for text in ["", "short", "whsec_c2hvcnQ=", "whsec_no base64 at all"] {
            assert!(Secret::parse(text).is_err(), "{text}");
        }
    }
}

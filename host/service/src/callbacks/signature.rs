//! The signature of callbacks, as Standard Webhooks 1.0 defines it: receivers find ready code for it in most languages.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

use anyhow::{Context, bail};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// How a secret begins that is written in Base64.
const PREFIX: &str = "whsec_";

/// The name of the file in the state folder.
const FILE: &str = "callback-secret";

/// The shortest secret, in bytes.
const SHORTEST: usize = 16;

/// What the receivers know, too.
pub struct Secret(Vec<u8>);

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
    /// Where it can't be read, or is too short.
    pub fn from_file(path: &Path) -> anyhow::Result<Self> {
        let text = fs::read_to_string(path)
            .with_context(|| format!("the secret in {} can't be read", path.display()))?;
        Self::parse(text.trim())
            .with_context(|| format!("the secret in {} can't be used", path.display()))
    }

    /// The secret of the state folder, which is made where there is none.
    ///
    /// # Errors
    ///
    /// Where the file can't be read or written.
    pub fn in_folder(folder: &Path) -> anyhow::Result<Self> {
        let path = folder.join(FILE);
        if let Some(text) = Self::made(folder, &path)
            .with_context(|| format!("no secret for callbacks can be kept in {}", path.display()))?
        {
            return Self::parse(&text);
        }
        Self::from_file(&path)
    }

    /// Makes the file, unless it is there: whole or not at all, for its owner alone.
    fn made(folder: &Path, path: &Path) -> io::Result<Option<String>> {
        if path.exists() {
            return Ok(None);
        }
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes).map_err(io::Error::other)?;
        let text = format!("{PREFIX}{}", STANDARD.encode(bytes));
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

    fn parse(text: &str) -> anyhow::Result<Self> {
        let bytes = match text.strip_prefix(PREFIX) {
            Some(encoded) => {
                STANDARD.decode(encoded).context("what follows whsec_ is no Base64")?
            }
            None => text.as_bytes().to_vec(),
        };
        if bytes.len() < SHORTEST {
            bail!("it has less than {SHORTEST} bytes");
        }
        Ok(Self(bytes))
    }

    /// The signature of a message: `v1,` and Base64.
    ///
    /// # Errors
    ///
    /// None that are known: HMAC takes keys of any length.
    pub fn sign(&self, id: &str, timestamp: i64, body: &str) -> anyhow::Result<String> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0)?;
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
        let file = folder.path().join(FILE);
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

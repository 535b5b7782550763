//! The options for age's keys: to whom an object is encrypted, and who decrypts it.

use std::path::{Path, PathBuf};
use std::{fmt, fs};

use anyhow::{Context, anyhow};
use clap::Args;
use partway_codec::{Identities, KeyError, Recipient, identities, recipients};

use crate::failure::Failure;

/// The largest file of keys, in bytes.
const MAX_KEY_FILE: u64 = 1024 * 1024;

/// Options of what writes objects.
#[derive(Debug, Default, Clone, Args)]
pub struct EncryptionArguments {
    /// Encrypt the object so that only the owner of this public key (age1…, made by age-keygen) can read it; may be repeated
    #[arg(long, value_name = "RECIPIENT")]
    pub encrypt_to: Vec<Key>,

    /// Encrypt the object to all public keys in this file, one a line; may be repeated
    #[arg(long, value_name = "FILE")]
    pub recipients_file: Vec<PathBuf>,
}

/// Options of what reads objects.
#[derive(Debug, Default, Clone, Args)]
pub struct DecryptionArguments {
    /// The file with the secret key of an encrypted dump, as age-keygen writes it; may be repeated
    #[arg(long, value_name = "FILE")]
    pub identity: Vec<PathBuf>,
}

/// A recipient as it was given. The parser of the command line would print what it can't take, and that may be a secret key.
#[derive(Clone)]
pub struct Key(String);

impl From<String> for Key {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(…)")
    }
}

impl EncryptionArguments {
    /// All recipients, each once.
    ///
    /// # Errors
    ///
    /// If a file can't be read, or holds something else.
    pub fn recipients(&self) -> Result<Vec<Recipient>, Failure> {
        let mut all = Vec::new();
        for path in &self.recipients_file {
            all.extend(keys(path, recipients)?);
        }
        for Key(key) in &self.encrypt_to {
            let recipient = key.parse::<Recipient>();
            all.push(recipient.map_err(|error| Failure::usage(anyhow!("--encrypt-to: {error}")))?);
        }
        let mut each = Vec::new();
        for recipient in all {
            if !each.contains(&recipient) {
                each.push(recipient);
            }
        }
        Ok(each)
    }
}

impl DecryptionArguments {
    /// All secret keys.
    ///
    /// # Errors
    ///
    /// If a file can't be read, or holds something else.
    pub fn identities(&self) -> Result<Identities, Failure> {
        let in_files = self.identity.iter().map(|path| keys(path, identities));
        Ok(in_files.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect())
    }
}

fn keys<T>(path: &Path, parse: fn(&str) -> Result<Vec<T>, KeyError>) -> Result<Vec<T>, Failure> {
    let read = || {
        if fs::metadata(path)?.len() > MAX_KEY_FILE {
            return Err(std::io::Error::other("it is too large for a file of keys"));
        }
        fs::read_to_string(path)
    };
    let text = read()
        .with_context(|| format!("{} can't be read", path.display()))
        .map_err(Failure::usage)?;
    parse(&text).map_err(|error| {
        Failure::usage(anyhow!("{} holds no usable keys: {error}", path.display()))
    })
}

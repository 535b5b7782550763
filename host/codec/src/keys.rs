//! The keys of age: recipients, to whom an object is encrypted, and identities, who decrypt it.

use std::fmt;
use std::str::FromStr;

use age::x25519;
use serde::{Deserialize, Serialize};

/// One who can decrypt an object: a public key, `age1…`. It is no secret.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Recipient(x25519::Recipient);

/// The secret keys from a file. Its `Debug` form says only how many they are.
pub type Identities = Vec<Identity>;

/// A secret key, `AGE-SECRET-KEY-1…`.
#[derive(Clone)]
pub struct Identity(pub(crate) x25519::Identity);

/// Why a text holds no keys. It never holds what might be a secret key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// It is no recipient.
    #[error("{0:?} is not a recipient: it must be a public key of age, which begins with age1")]
    NotARecipient(String),
    /// It begins as a recipient does, and a character is wrong, or some are missing.
    #[error(
        "{0:?} is a damaged public key of age: copy all of it, 62 characters that end in a checksum"
    )]
    Damaged(String),
    /// It is a recipient that this program can't encrypt to.
    #[error("{0:?} is a recipient of a kind that is not supported: use one that age-keygen makes")]
    Unsupported(String),
    /// A secret key was given where a public one belongs.
    #[error("this is a secret key, which decrypts: give the public key, which begins with age1")]
    Secret,
    /// A line of the file is no identity.
    #[error("line {0} is not a secret key of age, which begins with AGE-SECRET-KEY-1")]
    NotAnIdentity(usize),
    /// There are no keys in it.
    #[error("there are no keys in it")]
    Empty,
}

impl FromStr for Recipient {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        if let Ok(key) = text.parse() {
            return Ok(Self(key));
        }
        let lower = text.to_ascii_lowercase();
        Err(if lower.starts_with("age-secret-key-") || lower.starts_with("age-plugin-") {
            KeyError::Secret
        } else {
            let text = text.to_owned();
            match lower.strip_prefix("age1") {
                // The kind of a key is before its last 1, by Bech32 (BIP 173).
                Some(rest) if rest.contains('1') => KeyError::Unsupported(text),
                Some(_) => KeyError::Damaged(text),
                None if lower.starts_with("ssh-") => KeyError::Unsupported(text),
                None => KeyError::NotARecipient(text),
            }
        })
    }
}

impl Recipient {
    pub(crate) fn key(&self) -> &x25519::Recipient {
        &self.0
    }
}

impl TryFrom<String> for Recipient {
    type Error = KeyError;

    fn try_from(text: String) -> Result<Self, KeyError> {
        text.parse()
    }
}

impl From<Recipient> for String {
    fn from(recipient: Recipient) -> Self {
        recipient.to_string()
    }
}

impl fmt::Display for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Identity(…)")
    }
}

/// The recipients in a file's text: one a line, comments after `#`.
///
/// # Errors
///
/// All of [`KeyError`] but [`KeyError::NotAnIdentity`].
pub fn recipients(text: &str) -> Result<Vec<Recipient>, KeyError> {
    let found = keys(text).map(|(_, line)| line.parse()).collect::<Result<Vec<_>, _>>()?;
    if found.is_empty() { Err(KeyError::Empty) } else { Ok(found) }
}

/// The secret keys in a file's text, as `age-keygen` writes it.
///
/// # Errors
///
/// [`KeyError::NotAnIdentity`] and [`KeyError::Empty`].
pub fn identities(text: &str) -> Result<Identities, KeyError> {
    let identity = |(number, line): (usize, &str)| match line.parse() {
        Ok(key) => Ok(Identity(key)),
        Err(_) => Err(KeyError::NotAnIdentity(number)),
    };
    let found = keys(text).map(identity).collect::<Result<Vec<_>, _>>()?;
    if found.is_empty() { Err(KeyError::Empty) } else { Ok(found) }
}

/// The lines that are neither empty nor comments, with their numbers.
fn keys(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines = text.lines().enumerate().map(|(index, line)| (index + 1, line.trim()));
    lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECIPIENT: &str = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p";

    #[test]
    fn recipients_are_read_one_a_line() {
        let found =
            recipients(&format!("# the backup's\n\n  {RECIPIENT}\r\n{RECIPIENT}\n")).unwrap();
        assert_eq!(found.iter().map(ToString::to_string).collect::<Vec<_>>(), [RECIPIENT; 2]);
        assert_eq!(recipients("# none\n"), Err(KeyError::Empty));
        for unsupported in ["ssh-ed25519 AAAA", "age1pq1qqqq", "age1yubikey1qqqq"] {
            assert!(matches!(recipients(unsupported), Err(KeyError::Unsupported(_))));
        }
        let damaged = RECIPIENT.replace("z7h", "7zh");
        for damaged in [&RECIPIENT[..20], "age1", &damaged] {
            assert!(matches!(recipients(damaged), Err(KeyError::Damaged(_))));
        }
        assert!(matches!(recipients("somebody"), Err(KeyError::NotARecipient(_))));
    }

    #[test]
    fn no_message_holds_a_secret_key() {
        use age::secrecy::ExposeSecret;
        let secret = x25519::Identity::generate().to_string().expose_secret().to_owned();
        let cut = &secret[..secret.len() - 1];
        for error in [
            recipients(&secret).unwrap_err(),
            recipients(cut).unwrap_err(),
            identities(cut).unwrap_err(),
        ] {
            assert!(!error.to_string().contains(&secret[15..20]), "{error}");
        }
        let found = identities(&format!("# created: today\n{secret}\n")).unwrap();
        assert_eq!(format!("{found:?}"), "[Identity(…)]");
    }
}

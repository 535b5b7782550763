//! Names of tables, columns and other objects, which may be any bytes.

use std::fmt;

/// A name in a database: UTF-8, as a rule. [`Display`](fmt::Display) writes it in double quotes, with bytes that are not
/// UTF-8 as `\xff`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(Vec<u8>);

impl Name {
    /// Its bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The name in double quotes, for SQL.
    pub(crate) fn quoted(&self) -> Vec<u8> {
        let mut text = vec![b'"'];
        for byte in &self.0 {
            text.extend(std::iter::repeat_n(*byte, if *byte == b'"' { 2 } else { 1 }));
        }
        text.push(b'"');
        text
    }

    /// Whether it is one of the names that SQLite keeps for itself.
    pub(crate) fn is_internal(&self) -> bool {
        self.0.get(..7).is_some_and(|start| start.eq_ignore_ascii_case(b"sqlite_"))
    }
}

impl<T: Into<Vec<u8>>> From<T> for Name {
    fn from(bytes: T) -> Self {
        Self(bytes.into())
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"")?;
        for chunk in self.0.utf8_chunks() {
            let valid = format!("{:?}", chunk.valid());
            f.write_str(&valid[1..valid.len() - 1])?;
            chunk.invalid().iter().try_for_each(|byte| write!(f, "\\x{byte:02x}"))?;
        }
        f.write_str("\"")
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_shown_whatever_their_bytes() {
        for (name, shown) in [
            (&b"a"[..], "\"a\""),
            (b"it's \"so\"\n", r#""it's \"so\"\n""#),
            ("täble".as_bytes(), "\"täble\""),
            (b"a\xffb\xc3", r#""a\xffb\xc3""#),
        ] {
            assert_eq!(Name::from(name).to_string(), shown);
        }
        assert_eq!(Name::from("a\"b").quoted(), b"\"a\"\"b\"");
    }
}

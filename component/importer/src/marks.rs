//! The begin mark and the end mark: the comments that a dump begins and ends with.

/// The version of the dump format that is supported here.
const FORMAT_VERSION: u32 = 1;

/// More bytes than a dump's first line has.
pub const MAX_FIRST_LINE: usize = 64;

const BEGIN_MARK: &str = "-- partway:begin sql ";

/// Why a text can't be checked as a dump. [`Display`](core::fmt::Display) writes it as a predicate: put the
/// text's name before it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DumpFormatError {
    /// It has no bytes.
    #[error("is empty")]
    Empty,
    /// Its first line is not the begin mark.
    #[error(
        "is not a SQL dump made by partway: its first line is not \"{BEGIN_MARK}{FORMAT_VERSION}\""
    )]
    NotADump,
    /// Its format is newer than the one supported here. Contains its version.
    #[error(
        "is a dump of format {0}, and this version of partway knows format {FORMAT_VERSION}: check it with a newer one"
    )]
    NewerVersion(u32),
}

/// Checks the first bytes of a text: its whole first line, or more bytes than that can have.
pub fn check_first_line(bytes: &[u8]) -> Result<(), DumpFormatError> {
    let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let number = line.strip_prefix(BEGIN_MARK.as_bytes()).ok_or(DumpFormatError::NotADump)?;
    match parse_digits(number) {
        Some(FORMAT_VERSION) => Ok(()),
        Some(newer) if newer > FORMAT_VERSION => Err(DumpFormatError::NewerVersion(newer)),
        _ => Err(DumpFormatError::NotADump),
    }
}

/// Checks a text that ends within its first line: Ok if it can be a dump that is cut off there.
pub fn check_fragment(bytes: &[u8]) -> Result<(), DumpFormatError> {
    match alloc::format!("{BEGIN_MARK}{FORMAT_VERSION}").as_bytes().starts_with(bytes) {
        _ if bytes.is_empty() => Err(DumpFormatError::Empty),
        true => Ok(()),
        false => Err(DumpFormatError::NotADump),
    }
}

/// The end mark: what a dump says about itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EndMark {
    /// The tables in the dump.
    pub tables: u64,
    /// The rows in it.
    pub rows: u64,
    /// How many tables could not be read to the end by the export. None: the dump is complete.
    pub damaged: Option<u64>,
}

impl EndMark {
    /// Parses a comment, without its line end. None: it is not an end mark.
    pub fn parse(comment: &[u8]) -> Option<Self> {
        let text = core::str::from_utf8(comment).ok()?;
        let (kind, fields) = text.strip_prefix("-- partway:")?.split_once(' ')?;
        let mut fields = fields.split(' ');
        let mut field = |name: &str| {
            parse_digits::<u64>(fields.next()?.strip_prefix(name)?.strip_prefix('=')?.as_bytes())
        };
        let (tables, rows) = (field("tables")?, field("rows")?);
        let damaged = match kind {
            "end" => None,
            "incomplete" => Some(field("damaged")?),
            _ => return None,
        };
        fields.next().is_none().then_some(Self { tables, rows, damaged })
    }
}

/// A number written in digits only, without a sign.
fn parse_digits<T: core::str::FromStr>(digits: &[u8]) -> Option<T> {
    let all = digits.iter().all(u8::is_ascii_digit);
    core::str::from_utf8(digits).ok().filter(|_| all)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_says_what_it_is() {
        assert_eq!(check_first_line(b"-- partway:begin sql 1\nBEGIN;"), Ok(()));
        assert_eq!(
            check_first_line(b"-- partway:begin sql 12\n"),
            Err(DumpFormatError::NewerVersion(12))
        );
        for other in [
            "-- partway:begin sql 1x\n",
            "-- partway:begin sql +2\n",
            "-- partway:begin sql 0\n",
            "-- partway:begin sql \n",
            " -- partway:begin sql 1\n",
            "PRAGMA foreign_keys=OFF;\nBEGIN TRANSACTION;\n",
        ] {
            assert_eq!(
                check_first_line(other.as_bytes()),
                Err(DumpFormatError::NotADump),
                "{other}"
            );
        }
        assert_eq!(check_fragment(b""), Err(DumpFormatError::Empty));
        assert_eq!(check_fragment(b"-- partway:b"), Ok(()));
        assert_eq!(check_fragment(b"-- partway:x"), Err(DumpFormatError::NotADump));
        assert!(BEGIN_MARK.len() + 11 < MAX_FIRST_LINE);
    }

    #[test]
    fn end_marks_are_read_and_nothing_else() {
        let end_mark = |tables, rows, damaged| Some(EndMark { tables, rows, damaged });
        for (comment, expected) in [
            ("-- partway:end tables=2 rows=35", end_mark(2, 35, None)),
            ("-- partway:end tables=0 rows=18446744073709551615", end_mark(0, u64::MAX, None)),
            ("-- partway:incomplete tables=2 rows=3 damaged=1", end_mark(2, 3, Some(1))),
            ("-- partway:end tables=2 rows=35 ", None),
            ("-- partway:end tables=2 rows=", None),
            ("-- partway:end tables=2", None),
            ("-- partway:end rows=2 tables=2", None),
            ("-- partway:end tables=2 rows=-3", None),
            ("-- partway:end tables=2 rows=3 damaged=1", None),
            ("-- partway:incomplete tables=2 rows=3", None),
            ("-- partway:begin sql 1", None),
            ("-- a comment", None),
        ] {
            assert_eq!(EndMark::parse(comment.as_bytes()), expected, "{comment}");
        }
    }
}

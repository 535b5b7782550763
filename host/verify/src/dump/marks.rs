//! The comments that a dump begins and ends with.

/// The format that is understood here.
const FORMAT: u32 = 1;

/// More bytes than a dump's first line has.
pub const LONGEST_BEGINNING: usize = 64;

const BEGIN: &str = "-- partway:begin sql ";

/// Why a text can't be checked.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Unfit {
    #[error("is empty")]
    Empty,
    #[error("is no SQL dump of partway: its first line is not \"{BEGIN}{FORMAT}\"")]
    NoDump,
    #[error(
        "is a dump of format {0}, and this partway knows format {FORMAT}: check it with a newer one"
    )]
    Newer(u32),
}

/// Looks at the first bytes of a text: the whole first line, or more than it could have.
pub fn check_beginning(bytes: &[u8]) -> Result<(), Unfit> {
    let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let number = line.strip_prefix(BEGIN.as_bytes()).ok_or(Unfit::NoDump)?;
    match number_of(number) {
        Some(FORMAT) => Ok(()),
        Some(newer) if newer > FORMAT => Err(Unfit::Newer(newer)),
        _ => Err(Unfit::NoDump),
    }
}

/// Looks at a text that ends within its first line: it is cut off there, or something else.
pub fn check_fragment(bytes: &[u8]) -> Result<(), Unfit> {
    match format!("{BEGIN}{FORMAT}").as_bytes().starts_with(bytes) {
        _ if bytes.is_empty() => Err(Unfit::Empty),
        true => Ok(()),
        false => Err(Unfit::NoDump),
    }
}

/// What a dump says of itself at its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ending {
    pub tables: u64,
    pub rows: u64,
    /// How many tables could not be read to their end when it was made; none: it is whole.
    pub damaged: Option<u64>,
}

impl Ending {
    /// Reads a comment, without its end of line; none if it is no end mark.
    pub fn read(comment: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(comment).ok()?;
        let (kind, fields) = text.strip_prefix("-- partway:")?.split_once(' ')?;
        let mut fields = fields.split(' ');
        let mut field = |name: &str| {
            number_of::<u64>(fields.next()?.strip_prefix(name)?.strip_prefix('=')?.as_bytes())
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

/// A number in digits alone.
fn number_of<T: std::str::FromStr>(digits: &[u8]) -> Option<T> {
    let all = digits.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(digits).ok().filter(|_| all)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_says_what_it_is() {
        assert_eq!(check_beginning(b"-- partway:begin sql 1\nBEGIN;"), Ok(()));
        assert_eq!(check_beginning(b"-- partway:begin sql 12\n"), Err(Unfit::Newer(12)));
        for other in [
            "-- partway:begin sql 1x\n",
            "-- partway:begin sql +2\n",
            "-- partway:begin sql 0\n",
            "-- partway:begin sql \n",
            " -- partway:begin sql 1\n",
            "PRAGMA foreign_keys=OFF;\nBEGIN TRANSACTION;\n",
        ] {
            assert_eq!(check_beginning(other.as_bytes()), Err(Unfit::NoDump), "{other}");
        }
        assert_eq!(check_fragment(b""), Err(Unfit::Empty));
        assert_eq!(check_fragment(b"-- partway:b"), Ok(()));
        assert_eq!(check_fragment(b"-- partway:x"), Err(Unfit::NoDump));
        assert!(BEGIN.len() + 11 < LONGEST_BEGINNING);
    }

    #[test]
    fn end_marks_are_read_and_nothing_else() {
        let ending = |tables, rows, damaged| Some(Ending { tables, rows, damaged });
        for (comment, expected) in [
            ("-- partway:end tables=2 rows=35", ending(2, 35, None)),
            ("-- partway:end tables=0 rows=18446744073709551615", ending(0, u64::MAX, None)),
            ("-- partway:incomplete tables=2 rows=3 damaged=1", ending(2, 3, Some(1))),
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
            assert_eq!(Ending::read(comment.as_bytes()), expected, "{comment}");
        }
    }
}

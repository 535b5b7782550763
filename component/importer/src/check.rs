//! Whether a dump is one, and whole: by its first and its last bytes.

use crate::kind::after;
use crate::marks::{DumpFormatError, EndMark, check_first_line, check_fragment};

/// How many of a dump's first and last bytes [`check`] needs: more than its marks and its first statement have.
pub const CHECK_BYTES: usize = 512;

/// The last line of a dump for D1, after its end mark: D1 refuses a text that ends with a comment.
pub const D1_LAST_LINE: &[u8] = b"SELECT 1;\n";

/// What the dumps for D1, and no others, begin with after their begin mark.
const D1_FIRST_STATEMENT: &[u8] = b"PRAGMA defer_foreign_keys";

/// Who can run a dump.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// SQLite itself, the `sqlite3` program for instance.
    Sqlite,
    /// A Durable Object or D1.
    D1,
}

/// What a dump says about itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dump {
    /// Who can run it.
    pub target: Target,
    /// The tables in it.
    pub tables: u64,
    /// The rows in it.
    pub rows: u64,
    /// How many tables the export could not read to the end. None: all were read.
    pub damaged: Option<u64>,
}

/// Why a dump can't be restored. [`Display`](core::fmt::Display) writes it as a predicate: put the dump's name before it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CheckError {
    /// It is no dump, or one of a newer format.
    #[error(transparent)]
    Format(#[from] DumpFormatError),
    /// It does not end with an end mark.
    #[error("is cut off or damaged: it does not end with its end mark")]
    CutOff,
}

/// Checks a dump by its first and last bytes: [`CHECK_BYTES`] of each, or both the whole dump if it is shorter.
///
/// # Errors
///
/// All of [`CheckError`].
pub fn check(head: &[u8], tail: &[u8]) -> Result<Dump, CheckError> {
    if !head.contains(&b'\n') && head.len() < CHECK_BYTES {
        check_fragment(head)?;
        return Err(CheckError::CutOff);
    }
    check_first_line(head)?;
    let target = head.iter().position(|byte| *byte == b'\n').map(|end| target_of(&head[end + 1..]));
    let target = target.unwrap_or(Target::Sqlite);
    let lines = match target {
        Target::Sqlite => Some(tail),
        Target::D1 => tail.strip_suffix(D1_LAST_LINE),
    };
    let lines = lines.and_then(|tail| tail.strip_suffix(b"\n")).ok_or(CheckError::CutOff)?;
    let last = lines.rsplit(|byte| *byte == b'\n').next().unwrap_or_default();
    let EndMark { tables, rows, damaged } = EndMark::parse(last).ok_or(CheckError::CutOff)?;
    Ok(Dump { target, tables, rows, damaged })
}

/// Who can run a dump whose first statement begins like this.
pub fn target_of(first_statement: &[u8]) -> Target {
    match after(first_statement, D1_FIRST_STATEMENT) {
        Some(_) => Target::D1,
        None => Target::Sqlite,
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;
    use alloc::vec::Vec;

    use super::*;

    const D1: &[u8] =
        b"-- partway:begin sql 1\nPRAGMA defer_foreign_keys=TRUE;\nCREATE TABLE t(a);\n\
        -- partway:end tables=1 rows=0\nSELECT 1;\n";
    const SQLITE: &[u8] =
        b"-- partway:begin sql 1\nBEGIN TRANSACTION;\nCREATE TABLE t(a);\nCOMMIT;\n\
        -- partway:incomplete tables=1 rows=7 damaged=1\n";

    fn checked(dump: &[u8]) -> Result<Dump, CheckError> {
        check(&dump[..dump.len().min(CHECK_BYTES)], &dump[dump.len().saturating_sub(CHECK_BYTES)..])
    }

    #[test]
    fn a_whole_dump_says_what_is_in_it() {
        let d1 = Dump { target: Target::D1, tables: 1, rows: 0, damaged: None };
        assert_eq!(checked(D1), Ok(d1));
        let damaged = Dump { target: Target::Sqlite, tables: 1, rows: 7, damaged: Some(1) };
        assert_eq!(checked(SQLITE), Ok(damaged));
        let mut long = D1.to_vec();
        long.splice(60..60, b"INSERT INTO t VALUES(1);\n".repeat(100));
        assert_eq!(checked(&long), Ok(d1));
    }

    #[test]
    fn one_that_is_cut_off_anywhere_or_goes_on_is_refused() {
        for dump in [D1, SQLITE] {
            for end in 1..dump.len() {
                assert_eq!(checked(&dump[..end]), Err(CheckError::CutOff), "{end}");
            }
            for more in [&b"\n"[..], b"SELECT 1;\n", b"x"] {
                assert_eq!(checked(&[dump, more].concat()), Err(CheckError::CutOff));
            }
        }
    }

    #[test]
    fn what_is_no_dump_is_called_so() {
        let texts: Vec<_> = [&b""[..], b"x", b"PRAGMA foreign_keys=OFF;\n", &[b'x'; 2000]]
            .map(|text| checked(text).unwrap_err().to_string())
            .into();
        assert_eq!(texts[0], "is empty");
        assert!(
            texts[1..].iter().all(|text| text.starts_with("is not a SQL dump made by partway"))
        );
        let newer = checked(b"-- partway:begin sql 2\n").unwrap_err();
        assert_eq!(newer, CheckError::Format(DumpFormatError::NewerVersion(2)));
    }
}

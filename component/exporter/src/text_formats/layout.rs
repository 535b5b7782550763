//! The text around and between rows.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::csv::quoted;
use super::json::name;
use super::short_text::ShortText;
use crate::checkpoint::Counts;
use crate::pipe::Text;

/// The formats of this folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FormatName {
    Csv,
    Ndjson,
    Json,
}

impl FormatName {
    /// As options name it.
    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Ndjson => "ndjson",
            Self::Json => "json",
        }
    }

    /// The format of that name.
    pub(crate) fn of(name: &str) -> Option<Self> {
        [Self::Csv, Self::Ndjson, Self::Json].into_iter().find(|format| format.text() == name)
    }
}

/// The text around the cells of a table's rows.
pub(crate) struct RowText {
    /// Before each cell.
    pub(super) before: Vec<ShortText>,
    /// Behind the last.
    pub(super) after: ShortText,
    /// Whether a comma stands between two rows.
    pub(super) is_separated: bool,
}

/// How an object is laid out.
pub(super) struct Layout {
    pub(super) format: FormatName,
    /// One table was asked for: its rows do not name it.
    pub(super) is_one_table: bool,
    /// CSV: the first line names the columns.
    pub(super) header: bool,
}

impl Layout {
    /// What stands before a table's rows.
    pub(super) fn before_rows(&self, is_first: bool, table: &[u8], columns: &[Text]) -> Vec<u8> {
        let names = |begin: &str, write: fn(&[u8]) -> Vec<u8>, end: &str| {
            let names: Vec<Vec<u8>> = columns.iter().map(|column| write(column)).collect();
            [begin.as_bytes(), &names.join(&b','), end.as_bytes()].concat()
        };
        match self.format {
            FormatName::Csv if !self.header => Vec::new(),
            FormatName::Csv => names("", field, "\r\n"),
            FormatName::Ndjson if self.is_one_table => Vec::new(),
            FormatName::Ndjson => {
                let begin = [b"{\"table\":", &name(table)[..], b",\"columns\":["].concat();
                [begin, names("", name, "]}\n")].concat()
            }
            FormatName::Json if self.is_one_table => b"[".to_vec(),
            FormatName::Json => {
                let begin: &[u8] = if is_first { b"{\n" } else { b",\n" };
                [begin, &name(table), b":["].concat()
            }
        }
    }

    /// What stands around the cells of a table's rows.
    pub(super) fn row(&self, table: &[u8], columns: &[Text]) -> RowText {
        let (begin, after): (Vec<u8>, &[u8]) = match self.format {
            FormatName::Csv => (Vec::new(), b"\r\n"),
            FormatName::Ndjson if self.is_one_table => (b"{".to_vec(), b"}\n"),
            FormatName::Ndjson => {
                ([b"{\"table\":", &name(table)[..], b",\"row\":{"].concat(), b"}}\n")
            }
            FormatName::Json => (b"\n{".to_vec(), b"}"),
        };
        let before = columns.iter().enumerate().map(|(index, column)| {
            let mut text = if index == 0 { begin.clone() } else { b",".to_vec() };
            if self.format != FormatName::Csv {
                text.extend_from_slice(&name(column));
                text.push(b':');
            }
            ShortText::new(&text)
        });
        RowText {
            before: before.collect(),
            after: ShortText::new(after),
            is_separated: self.format == FormatName::Json,
        }
    }

    /// What stands behind a table's rows.
    pub(super) fn after_rows(&self) -> &'static [u8] {
        match self.format {
            FormatName::Json => b"\n]",
            FormatName::Csv | FormatName::Ndjson => b"",
        }
    }

    /// The object's end. Where something is damaged, it says so.
    pub(super) fn end(&self, counts: Counts, damaged: usize, columns: usize) -> Vec<u8> {
        let Counts { tables, rows } = counts;
        let json = if damaged == 0 {
            format!("{{\"tables\":{tables},\"rows\":{rows}}}")
        } else {
            format!("{{\"tables\":{tables},\"rows\":{rows},\"damaged\":{damaged}}}")
        };
        let marker = format!("{{\"partway:incomplete\":{json}}}");
        let comma = if rows > 0 { "," } else { "" };
        match self.format {
            FormatName::Csv if damaged > 0 => {
                // A record of another number of fields than the others.
                let separator = if columns == 1 { ',' } else { ' ' };
                format!(
                    "partway:incomplete{separator}tables={tables} rows={rows} damaged={damaged}\r\n"
                )
            }
            // An object can't be empty.
            FormatName::Csv if rows == 0 && !self.header => String::from("\r\n"),
            FormatName::Csv => String::new(),
            FormatName::Ndjson if damaged > 0 => marker + "\n",
            FormatName::Ndjson if !self.is_one_table => format!("{{\"end\":{json}}}\n"),
            FormatName::Ndjson if rows == 0 => String::from("\n"),
            FormatName::Ndjson => String::new(),
            // The array is open still.
            FormatName::Json if self.is_one_table && damaged > 0 => {
                format!("{comma}\n{marker}\n]\n")
            }
            FormatName::Json if self.is_one_table => String::from("\n]\n"),
            FormatName::Json if tables == 0 => String::from("{\n}\n"),
            FormatName::Json if damaged > 0 => format!(",\n\"partway:incomplete\":{json}\n}}\n"),
            FormatName::Json => String::from("\n}\n"),
        }
        .into_bytes()
    }
}

fn field(name: &[u8]) -> Vec<u8> {
    let mut field = Vec::new();
    quoted(&mut field, String::from_utf8_lossy(name).as_bytes());
    field
}

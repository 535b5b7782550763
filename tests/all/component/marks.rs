//! Values that are nowhere else, and the search for them in an object, in any spelling.

use std::collections::HashSet;

use base16ct::{lower, upper};
use rusqlite::types::Value;

/// The shortest spelling that is looked for: a shorter one may be there by chance.
const WINDOW: usize = 12;

/// A value that is nowhere else.
#[derive(Clone)]
pub(crate) enum Mark {
    Text(String),
    Blob(Vec<u8>),
    Integer(i64),
}

impl Mark {
    pub(crate) fn value(&self) -> Value {
        match self {
            Self::Text(text) => Value::Text(text.clone()),
            Self::Blob(blob) => Value::Blob(blob.clone()),
            Self::Integer(number) => Value::Integer(*number),
        }
    }

    /// Each of its spellings.
    fn spellings(&self) -> Vec<Vec<u8>> {
        let mut forms: Vec<Vec<u8>> = Vec::new();
        let bytes = match self {
            Self::Text(text) => text.as_bytes().to_vec(),
            Self::Blob(blob) => blob.clone(),
            Self::Integer(number) => {
                forms.push(number.to_be_bytes().to_vec());
                number.to_string().into_bytes()
            }
        };
        let mut raw = vec![bytes.clone()];
        if let Ok(text) = std::str::from_utf8(&bytes) {
            raw.push(text.encode_utf16().flat_map(u16::to_le_bytes).collect());
            raw.push(text.encode_utf16().flat_map(u16::to_be_bytes).collect());
        }
        for raw in raw {
            forms.push(lower::encode_string(&raw).into_bytes());
            forms.push(upper::encode_string(&raw).into_bytes());
            for before in 0..3 {
                // Whatever stands before it, these digits are the same.
                let padded = [vec![0; before], raw.clone()].concat();
                forms.push(base64(&padded)[if before == 0 { 0 } else { 4 }..].to_vec());
            }
            forms.push(raw);
        }
        forms.retain(|form| form.len() >= WINDOW);
        forms
    }
}

/// An object, to look for values in.
pub(crate) struct Haystack<'a> {
    object: &'a [u8],
    /// What values may begin with there.
    windows: HashSet<&'a [u8]>,
}

impl<'a> Haystack<'a> {
    pub(crate) fn new(object: &'a [u8]) -> Self {
        Self { object, windows: object.windows(WINDOW).collect() }
    }

    /// A spelling of a value that is there.
    pub(crate) fn finds(&self, mark: &Mark) -> Option<Vec<u8>> {
        mark.spellings().into_iter().find(|form| {
            self.windows.contains(&form[..WINDOW])
                && self.object.windows(form.len()).any(|window| window == form)
        })
    }
}

fn base64(bytes: &[u8]) -> Vec<u8> {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let whole = bytes.chunks_exact(3).flat_map(|three| {
        let bits = u32::from_be_bytes([0, three[0], three[1], three[2]]);
        [18, 12, 6, 0].map(|shift| DIGITS[(bits >> shift) as usize & 63])
    });
    whole.collect()
}

#[test]
fn the_search_finds_every_spelling() {
    let mark = Mark::Text("bcdfghjkmnpqrstvwxyz".to_owned());
    let finds = |object: &[u8]| Haystack::new(object).finds(&mark).is_some();
    let text = "bcdfghjkmnpqrstvwxyz";
    let wide: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
    assert!(finds(format!("VALUES('{text}')").as_bytes()));
    assert!(finds(&wide));
    assert!(finds(upper::encode_string(&wide).as_bytes()));
    for before in ["", "x", "xy", "xyz"] {
        assert!(finds(&base64(format!("{before}{text}abc").as_bytes())), "{before}");
    }
    assert!(!finds(b"VALUES('bcdfghjkmnp')"));
}

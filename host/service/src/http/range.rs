//! Conditional and range requests (RFC 9110, 13 and 14): which bytes of an object to send.

use std::ops::Range;

use axum::http::HeaderMap;
use axum::http::header::{IF_NONE_MATCH, IF_RANGE, RANGE};

/// What to send of an object.
#[derive(Debug, PartialEq, Eq)]
pub enum Selection {
    /// All of it.
    Whole,
    /// These bytes.
    Part(Range<u64>),
    /// Nothing: it has no such bytes.
    NotSatisfiable,
    /// Nothing: the client has it.
    NotModified,
}

/// What these headers ask for, of an object with this entity tag (in quotes) and length.
pub fn select(headers: &HeaderMap, tag: &str, length: u64) -> Selection {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    if let Some(tags) = text(IF_NONE_MATCH) {
        let mut tags = tags.split(',').map(|tag| tag.trim());
        if tags.any(|known| known == "*" || known.strip_prefix("W/").unwrap_or(known) == tag) {
            return Selection::NotModified;
        }
    }
    match (text(RANGE), text(IF_RANGE)) {
        // The client has bytes of another object; or it sent a date, and objects have none here.
        (_, Some(had)) if had != tag => Selection::Whole,
        (Some(range), _) => part(range, length),
        (None, _) => Selection::Whole,
    }
}

/// An unreadable range, or several, may be answered with the whole object.
fn part(range: &str, length: u64) -> Selection {
    let spec = match range.split_once('=') {
        Some((unit, spec)) if unit.trim().eq_ignore_ascii_case("bytes") => spec.trim(),
        _ => return Selection::Whole,
    };
    let Some((first, last)) = spec.split_once('-') else { return Selection::Whole };
    // Digits alone. A number larger than any object counts as the largest.
    let number = |text: &str| {
        let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| text.parse().unwrap_or(u64::MAX))
    };
    match (first.trim(), last.trim()) {
        ("", last) => match number(last) {
            None => Selection::Whole,
            Some(0) => Selection::NotSatisfiable,
            Some(_) if length == 0 => Selection::NotSatisfiable,
            Some(count) => Selection::Part(length.saturating_sub(count)..length),
        },
        (first, last) => {
            let end = if last.is_empty() { Some(u64::MAX) } else { number(last) };
            match (number(first), end) {
                (Some(first), Some(last)) if first <= last => {
                    if first >= length {
                        return Selection::NotSatisfiable;
                    }
                    Selection::Part(first..last.saturating_add(1).min(length))
                }
                _ => Selection::Whole,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn ranges_are_understood() {
        for (range, expected) in [
            ("bytes=0-0", Selection::Part(0..1)),
            ("bytes=2-", Selection::Part(2..10)),
            ("bytes=2-99", Selection::Part(2..10)),
            ("bytes=-3", Selection::Part(7..10)),
            ("bytes=-99", Selection::Part(0..10)),
            ("Bytes = 3-4", Selection::Part(3..5)),
            ("bytes=0-99999999999999999999999", Selection::Part(0..10)),
            ("bytes=10-", Selection::NotSatisfiable),
            ("bytes=99999999999999999999999-", Selection::NotSatisfiable),
            ("bytes=-0", Selection::NotSatisfiable),
            ("bytes=4-3", Selection::Whole),
            ("bytes=0-1,3-4", Selection::Whole),
            ("bytes=+1-2", Selection::Whole),
            ("bytes=a-b", Selection::Whole),
            ("bytes=-", Selection::Whole),
            ("lines=0-1", Selection::Whole),
            ("", Selection::Whole),
        ] {
            assert_eq!(part(range, 10), expected, "{range}");
        }
        assert_eq!(part("bytes=0-", 0), Selection::NotSatisfiable);
        assert_eq!(part("bytes=-1", 0), Selection::NotSatisfiable);
    }

    #[test]
    fn conditions_are_kept_to() {
        let ask = |pairs: &[(axum::http::HeaderName, &'static str)]| {
            let pairs = pairs.iter().cloned();
            let headers = pairs.map(|(name, value)| (name, HeaderValue::from_static(value)));
            select(&headers.collect(), "\"a\"", 10)
        };
        let range = (RANGE, "bytes=1-1");
        assert_eq!(ask(&[range.clone(), (IF_RANGE, "\"a\"")]), Selection::Part(1..2));
        for other in ["\"b\"", "W/\"a\"", "Sun, 06 Nov 1994 08:49:37 GMT"] {
            assert_eq!(ask(&[range.clone(), (IF_RANGE, other)]), Selection::Whole);
        }
        for known in ["\"a\"", "\"b\", W/\"a\"", "*"] {
            assert_eq!(ask(&[range.clone(), (IF_NONE_MATCH, known)]), Selection::NotModified);
        }
        assert_eq!(ask(&[(IF_NONE_MATCH, "\"b\"")]), Selection::Whole);
    }
}

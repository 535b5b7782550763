//! Which bytes of an object a client wants (RFC 9110, 13 and 14).

use std::ops::Range;

use axum::http::HeaderMap;
use axum::http::header::{IF_NONE_MATCH, IF_RANGE, RANGE};

/// What is to be sent.
#[derive(Debug, PartialEq, Eq)]
pub enum Wanted {
    /// All.
    Whole,
    /// Some.
    Part(Range<u64>),
    /// There are no such bytes.
    Beyond,
    /// Nothing: the client has it.
    Known,
}

/// What a client wants of an object with this tag (in quotes) and length.
pub fn wanted(headers: &HeaderMap, tag: &str, length: u64) -> Wanted {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    if let Some(tags) = text(IF_NONE_MATCH) {
        let mut tags = tags.split(',').map(|tag| tag.trim());
        if tags.any(|known| known == "*" || known.strip_prefix("W/").unwrap_or(known) == tag) {
            return Wanted::Known;
        }
    }
    match (text(RANGE), text(IF_RANGE)) {
        // It has some of another object, or a date, of which nothing is known here.
        (_, Some(had)) if had != tag => Wanted::Whole,
        (Some(range), _) => part(range, length),
        (None, _) => Wanted::Whole,
    }
}

/// What can't be understood, and several ranges in one, may be answered with the whole.
fn part(range: &str, length: u64) -> Wanted {
    let spec = match range.split_once('=') {
        Some((unit, spec)) if unit.trim().eq_ignore_ascii_case("bytes") => spec.trim(),
        _ => return Wanted::Whole,
    };
    let Some((first, last)) = spec.split_once('-') else { return Wanted::Whole };
    // Digits alone: a number may be larger than any object, and is then the largest.
    let number = |text: &str| {
        let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| text.parse().unwrap_or(u64::MAX))
    };
    match (first.trim(), last.trim()) {
        ("", last) => match number(last) {
            None => Wanted::Whole,
            Some(0) => Wanted::Beyond,
            Some(_) if length == 0 => Wanted::Beyond,
            Some(count) => Wanted::Part(length.saturating_sub(count)..length),
        },
        (first, last) => {
            let end = if last.is_empty() { Some(u64::MAX) } else { number(last) };
            match (number(first), end) {
                (Some(first), Some(last)) if first <= last => {
                    if first >= length {
                        return Wanted::Beyond;
                    }
                    Wanted::Part(first..last.saturating_add(1).min(length))
                }
                _ => Wanted::Whole,
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
            ("bytes=0-0", Wanted::Part(0..1)),
            ("bytes=2-", Wanted::Part(2..10)),
            ("bytes=2-99", Wanted::Part(2..10)),
            ("bytes=-3", Wanted::Part(7..10)),
            ("bytes=-99", Wanted::Part(0..10)),
            ("Bytes = 3-4", Wanted::Part(3..5)),
            ("bytes=0-99999999999999999999999", Wanted::Part(0..10)),
            ("bytes=10-", Wanted::Beyond),
            ("bytes=99999999999999999999999-", Wanted::Beyond),
            ("bytes=-0", Wanted::Beyond),
            ("bytes=4-3", Wanted::Whole),
            ("bytes=0-1,3-4", Wanted::Whole),
            ("bytes=+1-2", Wanted::Whole),
            ("bytes=a-b", Wanted::Whole),
            ("bytes=-", Wanted::Whole),
            ("lines=0-1", Wanted::Whole),
            ("", Wanted::Whole),
        ] {
            assert_eq!(part(range, 10), expected, "{range}");
        }
        assert_eq!(part("bytes=0-", 0), Wanted::Beyond);
        assert_eq!(part("bytes=-1", 0), Wanted::Beyond);
    }

    #[test]
    fn conditions_are_kept_to() {
        let ask = |pairs: &[(axum::http::HeaderName, &'static str)]| {
            let pairs = pairs.iter().cloned();
            let headers = pairs.map(|(name, value)| (name, HeaderValue::from_static(value)));
            wanted(&headers.collect(), "\"a\"", 10)
        };
        let range = (RANGE, "bytes=1-1");
        assert_eq!(ask(&[range.clone(), (IF_RANGE, "\"a\"")]), Wanted::Part(1..2));
        for other in ["\"b\"", "W/\"a\"", "Sun, 06 Nov 1994 08:49:37 GMT"] {
            assert_eq!(ask(&[range.clone(), (IF_RANGE, other)]), Wanted::Whole);
        }
        for known in ["\"a\"", "\"b\", W/\"a\"", "*"] {
            assert_eq!(ask(&[range.clone(), (IF_NONE_MATCH, known)]), Wanted::Known);
        }
        assert_eq!(ask(&[(IF_NONE_MATCH, "\"b\"")]), Wanted::Whole);
    }
}

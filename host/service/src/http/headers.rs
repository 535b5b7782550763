//! Headers: this service's own names, and those of a file to save.

use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderName, HeaderValue};
use axum::response::Response;
use partway_codec::Encoding;
use partway_jobs::media_type;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// The header by which a client marks a repetition of a request.
pub const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// The header that gives a client the id of its request in the log.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What an extended parameter of a header may not hold as it is (RFC 8187).
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_');

/// The headers of a file that the client is to save. A compressed one is what it is: it has no `Content-Encoding`, by which
/// the client would decompress it.
pub fn file_headers(name: &str, format: &str, encoding: &Encoding) -> Vec<(HeaderName, String)> {
    let kind = encoding.media_type().unwrap_or_else(|| media_type(format));
    vec![
        (CONTENT_TYPE, kind.to_owned()),
        (CONTENT_DISPOSITION, disposition(name)),
        (X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
    ]
}

/// The `Content-Disposition` of a file that the client is to save under this name.
pub fn disposition(name: &str) -> String {
    let plain = |letter: char| {
        let is_plain = letter.is_ascii_graphic() && !matches!(letter, '"' | '\\') || letter == ' ';
        if is_plain { letter } else { '_' }
    };
    let fallback: String = name.chars().map(plain).collect();
    let mut disposition = format!("attachment; filename=\"{fallback}\"");
    if fallback != name {
        let encoded = utf8_percent_encode(name, ENCODED);
        disposition.push_str(&format!("; filename*=UTF-8''{encoded}"));
    }
    disposition
}

/// Sets headers, all of whose values are printable ASCII.
pub fn set_headers(
    response: &mut Response,
    headers: impl IntoIterator<Item = (HeaderName, String)>,
) {
    for (name, value) in headers {
        if let Ok(value) = HeaderValue::from_str(&value) {
            response.headers_mut().insert(name, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_its_name_whatever_is_in_it() {
        assert_eq!(disposition("a b.sql"), "attachment; filename=\"a b.sql\"");
        assert_eq!(
            disposition("tä\"g.sql"),
            "attachment; filename=\"t__g.sql\"; filename*=UTF-8''t%C3%A4%22g.sql"
        );
    }
}

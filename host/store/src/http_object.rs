//! An object at a URL: read in ranges, if the server has them, and from its beginning to its end otherwise.

use std::ops::Range;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::{StreamExt, TryStreamExt, stream};
use reqwest::header::{
    ACCEPT_ENCODING, CONTENT_RANGE, ETAG, HeaderMap, HeaderValue, IF_RANGE, LAST_MODIFIED, RANGE,
};
use reqwest::{Client, Response, StatusCode};
use url::Url;

use crate::error::StoreError;
use crate::parallel_read::{AT_A_TIME, RANGE as RANGE_BYTES, ranges};
use crate::store::ObjectBytes;

/// How long a server may be silent.
const READ_TIMEOUT: Duration = Duration::from_secs(60);

/// How long connecting may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);

/// The waits before a range that has failed is asked for again.
const RETRY_AFTER: [Duration; 3] =
    [Duration::from_millis(500), Duration::from_secs(2), Duration::from_secs(8)];

/// An object that any web server gives out: a download of `partway serve`, or a presigned URL of a bucket.
#[derive(Debug, Clone)]
pub struct HttpObject {
    client: Client,
    url: Url,
    token: Option<HeaderValue>,
}

/// What the first answer says of an object.
struct FirstAnswer {
    response: Response,
    /// Its length, if the server sends ranges of it.
    length: Option<u64>,
    /// What tells it from another object that has its URL later.
    validator: Option<HeaderValue>,
}

impl HttpObject {
    /// The object at a URL of `http` or `https`. `token`: what is sent as `Authorization: Bearer`, to this host alone.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unreadable`], if the token can't be sent.
    pub fn new(url: Url, token: Option<&str>) -> Result<Self, StoreError> {
        let location = shown(&url);
        let unusable =
            |reason: String| StoreError::Unreadable { location: location.clone(), reason };
        let token = match token {
            None => None,
            Some(token) => {
                let mut value = HeaderValue::from_str(&format!("Bearer {token}"))
                    .map_err(|_| unusable("the token has characters that can't be sent".into()))?;
                value.set_sensitive(true);
                Some(value)
            }
        };
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        let client = Client::builder()
            .read_timeout(READ_TIMEOUT)
            .connect_timeout(CONNECT_TIMEOUT)
            .default_headers(headers)
            .user_agent(concat!("partway/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| unusable(sentence(&error)))?;
        Ok(Self { client, url, token })
    }

    /// Where it is, for people: without the query, which may be a secret.
    pub fn location(&self) -> String {
        shown(&self.url)
    }

    /// Reads it from its beginning, and gives its length if that is known: in ranges of 8 MiB, 4 at a time, so that up to 32
    /// MiB are in memory. A range that fails is asked for again, 3 times; what comes from a server without ranges is not.
    ///
    /// # Errors
    ///
    /// [`StoreError::NoObject`], [`StoreError::Refused`] and [`StoreError::Unreadable`], the last also for an object that is
    /// replaced meanwhile, as far as the server tells objects apart.
    pub async fn read(&self) -> Result<(Option<u64>, ObjectBytes), StoreError> {
        let FirstAnswer { response, length, validator } = self.first_answer().await?;
        let Some(length) = length else {
            let length = response.content_length();
            let object = self.clone();
            let pieces =
                response.bytes_stream().map_err(move |error| object.unreadable(sentence(&error)));
            return Ok((length, pieces.boxed()));
        };
        let first = self.clone().first_range(response, length.min(RANGE_BYTES), validator.clone());
        let object = self.clone();
        let rest = stream::iter(ranges(length).skip(1))
            .map(move |range| object.clone().range(range, validator.clone()));
        // The first is on its way already.
        let pieces = stream::once(first).chain(rest.buffered(AT_A_TIME));
        Ok((Some(length), pieces.boxed()))
    }

    async fn first_answer(&self) -> Result<FirstAnswer, StoreError> {
        let mut waits = RETRY_AFTER.iter();
        let response = loop {
            match self.get(0..RANGE_BYTES, None).await {
                Ok(response) if !is_transient(response.status()) => break response,
                outcome => match waits.next() {
                    Some(wait) => tokio::time::sleep(*wait).await,
                    None => break outcome?,
                },
            }
        };
        let status = response.status();
        let header = |name| response.headers().get(name).cloned();
        let is_strong = |tag: &HeaderValue| !tag.as_bytes().starts_with(b"W/");
        let validator = header(ETAG).filter(is_strong).or_else(|| header(LAST_MODIFIED));
        let length = match status {
            StatusCode::OK => None,
            StatusCode::PARTIAL_CONTENT => Some(total(&response).ok_or_else(|| {
                self.unreadable("the server does not say how long it is".to_owned())
            })?),
            // An object of no bytes has no range.
            StatusCode::RANGE_NOT_SATISFIABLE => Some(0),
            StatusCode::NOT_FOUND | StatusCode::GONE => {
                return Err(StoreError::NoObject { location: self.location() });
            }
            status => return Err(self.unreadable(answered(status))),
        };
        Ok(FirstAnswer { response, length, validator })
    }

    async fn first_range(
        self,
        response: Response,
        length: u64,
        validator: Option<HeaderValue>,
    ) -> Result<Bytes, StoreError> {
        if length == 0 {
            return Ok(Bytes::new());
        }
        match collect(response, length).await {
            Some(bytes) => Ok(bytes),
            None => self.range(0..length, validator).await,
        }
    }

    async fn range(
        self,
        range: Range<u64>,
        validator: Option<HeaderValue>,
    ) -> Result<Bytes, StoreError> {
        let mut waits = RETRY_AFTER.iter();
        loop {
            let failure = match self.get(range.clone(), validator.as_ref()).await {
                Ok(response) if response.status() == StatusCode::PARTIAL_CONTENT => {
                    match collect(response, range.end - range.start).await {
                        Some(bytes) => return Ok(bytes),
                        None => self.unreadable("the connection was lost".to_owned()),
                    }
                }
                // So does a server answer that has another object there now.
                Ok(response) if response.status() == StatusCode::OK => {
                    return Err(self.unreadable("it was replaced while it was read".to_owned()));
                }
                Ok(response) if is_transient(response.status()) => {
                    self.unreadable(answered(response.status()))
                }
                Ok(response) => return Err(self.unreadable(answered(response.status()))),
                Err(error) => error,
            };
            match waits.next() {
                Some(wait) => tokio::time::sleep(*wait).await,
                None => return Err(failure),
            }
        }
    }

    async fn get(
        &self,
        range: Range<u64>,
        validator: Option<&HeaderValue>,
    ) -> Result<Response, StoreError> {
        let mut request = self.client.get(self.url.clone());
        request = request.header(RANGE, format!("bytes={}-{}", range.start, range.end - 1));
        if let Some(validator) = validator {
            request = request.header(IF_RANGE, validator);
        }
        if let Some(token) = &self.token {
            request = request.header(reqwest::header::AUTHORIZATION, token);
        }
        request.send().await.map_err(|error| self.unreadable(sentence(&error)))
    }

    fn unreadable(&self, reason: String) -> StoreError {
        StoreError::Unreadable { location: self.location(), reason }
    }
}

/// All bytes of an answer, if they are so many.
async fn collect(response: Response, length: u64) -> Option<Bytes> {
    let mut pieces = response.bytes_stream();
    let mut bytes = BytesMut::with_capacity(usize::try_from(length).ok()?);
    while let Some(piece) = pieces.try_next().await.ok()? {
        bytes.extend_from_slice(&piece);
        if bytes.len() as u64 > length {
            return None;
        }
    }
    (bytes.len() as u64 == length).then(|| bytes.freeze())
}

/// The length of the whole, from `Content-Range: bytes 0-99/LENGTH` (RFC 9110, section 14.4).
fn total(response: &Response) -> Option<u64> {
    let range = response.headers().get(CONTENT_RANGE)?.to_str().ok()?;
    range.strip_prefix("bytes 0-")?.split_once('/')?.1.parse().ok()
}

fn is_transient(status: StatusCode) -> bool {
    status.is_server_error()
        || matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT)
}

fn answered(status: StatusCode) -> String {
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            format!("the server refuses it ({status}): is a token missing, or wrong?")
        }
        status => format!("the server answers {status}"),
    }
}

/// An error and its causes, without the URL.
fn sentence(error: &reqwest::Error) -> String {
    let mut text = match error {
        error if error.is_timeout() => "the server does not answer".to_owned(),
        error if error.is_connect() => "the server can't be reached".to_owned(),
        _ => "the connection was lost".to_owned(),
    };
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        cause = error.source();
        if cause.is_none() {
            text.push_str(&format!(" ({error})"));
        }
    }
    text
}

fn shown(url: &Url) -> String {
    let mut shown = url.clone();
    shown.set_query(None);
    shown.set_fragment(None);
    // These exist in URLs of `http` and `https`.
    shown.set_username("").ok();
    shown.set_password(None).ok();
    shown.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_location_tells_no_secrets() {
        let url = "https://me:secret@host/dump.sql?X-Amz-Signature=secret#secret".parse().unwrap();
        assert_eq!(HttpObject::new(url, None).unwrap().location(), "https://host/dump.sql");
        let object = HttpObject::new("http://host/".parse().unwrap(), Some("secret")).unwrap();
        assert!(!format!("{object:?}").contains("secret"));
    }
}

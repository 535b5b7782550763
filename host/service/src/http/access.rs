//! Who may do what: bearer tokens, or without them, programs on this machine alone.

use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, HOST, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use partway_jobs::{Clock, SystemClock};
use sha2::{Digest, Sha256};
use subtle::{Choice, ConstantTimeEq};

use super::error::ApiError;
use crate::error::{ConfigError, TokenFileError};
use crate::state::ServiceState;

/// The shortest token that is accepted, in characters.
const MIN_TOKEN_LENGTH: usize = 16;

/// Who may use the service.
#[derive(Debug)]
pub enum Access {
    /// Every program that asks this machine by its own name or address.
    Local,
    /// Clients with one of these tokens.
    Tokens(Vec<Token>),
}

/// A token that a client may have.
pub struct Token {
    /// Its SHA-256: all have the same length, and the token itself does not stay in memory.
    digest: [u8; 32],
    may_change: bool,
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Token").field("may_change", &self.may_change).finish_non_exhaustive()
    }
}

impl Access {
    /// The tokens of a file: `read TOKEN` or `admin TOKEN` on each line. Empty lines, and those that begin with `#`, are
    /// skipped.
    ///
    /// # Errors
    ///
    /// If the file can't be read, a line is something else, a token is too short, or there is none.
    pub fn from_file(path: &Path) -> Result<Self, ConfigError> {
        std::fs::read_to_string(path)
            .map_err(TokenFileError::Read)
            .and_then(|text| Self::parse(&text))
            .map_err(|source| ConfigError::Tokens { path: path.to_owned(), source })
    }

    fn parse(text: &str) -> Result<Self, TokenFileError> {
        let mut tokens = Vec::new();
        for (number, line) in (1..).zip(text.lines()) {
            let words: Vec<&str> = line.split_whitespace().collect();
            // The line itself may be a secret, and is not in the error.
            let (may_change, token) = match words.as_slice() {
                [] => continue,
                [first, ..] if first.starts_with('#') => continue,
                ["read", token] => (false, *token),
                ["admin", token] => (true, *token),
                _ => return Err(TokenFileError::Line { line: number }),
            };
            if token.len() < MIN_TOKEN_LENGTH {
                return Err(TokenFileError::Short { line: number, minimum: MIN_TOKEN_LENGTH });
            }
            tokens.push(Token { digest: Sha256::digest(token).into(), may_change });
        }
        if tokens.is_empty() {
            return Err(TokenFileError::Empty);
        }
        Ok(Self::Tokens(tokens))
    }

    fn check(&self, method: &Method, headers: &HeaderMap) -> Result<(), ApiError> {
        match self {
            Self::Local => check_host(headers),
            Self::Tokens(tokens) => {
                let changes = !matches!(*method, Method::GET | Method::HEAD);
                check_token(tokens, changes, headers)
            }
        }
    }
}

/// A web page can have its own host name resolve to this machine, and so read responses as if they were its own (DNS
/// rebinding). It can't hide that name: the browser sends it as the Host.
fn check_host(headers: &HeaderMap) -> Result<(), ApiError> {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let name = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, _)) => address,
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    };
    if name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok() {
        return Ok(());
    }
    Err(ApiError::new(
        StatusCode::FORBIDDEN,
        "this service has no tokens and only answers requests to localhost or an IP address: use one of these, or \
         configure tokens",
    ))
}

fn check_token(tokens: &[Token], changes: bool, headers: &HeaderMap) -> Result<(), ApiError> {
    let given = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let given = given.and_then(|value| {
        let (scheme, token) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
    });
    let unauthorized = |error: &str, challenge| {
        let error = ApiError::new(StatusCode::UNAUTHORIZED, error);
        Err(error.with_header(WWW_AUTHENTICATE, HeaderValue::from_static(challenge)))
    };
    let Some(given) = given else {
        return unauthorized("a token is needed: send it as Authorization: Bearer TOKEN", "Bearer");
    };
    let given: [u8; 32] = Sha256::digest(given).into();
    // All are compared, whichever it is: the time it takes tells nothing.
    let (mut is_known, mut may_change) = (Choice::from(0), Choice::from(0));
    for token in tokens {
        let is_same = token.digest.ct_eq(&given);
        is_known |= is_same;
        may_change |= is_same & Choice::from(u8::from(token.may_change));
    }
    if !bool::from(is_known) {
        return unauthorized("the token is unknown", "Bearer error=\"invalid_token\"");
    }
    if changes && !bool::from(may_change) {
        return Err(ApiError::new(
            StatusCode::FORBIDDEN,
            "this token may only read: starting and cancelling exports needs an admin token",
        ));
    }
    Ok(())
}

/// Lets a request through that has a token, a signed URL, or needs neither.
pub async fn authorize(
    State((access, state)): State<(Arc<Access>, Arc<ServiceState>)>,
    mut request: Request,
    next: Next,
) -> Response {
    if let &Method::GET | &Method::HEAD = request.method()
        && let Some(verified) = state.signed_urls.verify(request.uri(), SystemClock.now())
    {
        let Ok(address) = verified else {
            let text = "the ticket has expired, or is for another URL: request a new one";
            return ApiError::new(StatusCode::FORBIDDEN, text).into_response();
        };
        *request.uri_mut() = address;
        if let Access::Tokens(_) = *access {
            return next.run(request).await;
        }
    }
    match access.check(request.method(), request.headers()) {
        Ok(()) => next.run(request).await,
        Err(error) => error.into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_tokens_is_understood_or_refused() {
        let text = "# ours\n\nread aaaaaaaaaaaaaaaa\n  admin bbbbbbbbbbbbbbbb  \n";
        let Access::Tokens(tokens) = Access::parse(text).unwrap() else { panic!("no tokens") };
        assert_eq!(tokens.iter().map(|token| token.may_change).collect::<Vec<_>>(), [false, true]);
        for text in ["", "# none", "read short", "write aaaaaaaaaaaaaaaa", "aaaaaaaaaaaaaaaa"] {
            assert!(Access::parse(text).is_err(), "{text}");
        }
        let error = Access::parse("secret-that-lacks-its-role").unwrap_err().to_string();
        assert!(!error.contains("secret"), "{error}");
    }

    #[test]
    fn only_names_of_this_machine_are_answered_without_tokens() {
        let check = |host: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(HOST, HeaderValue::from_static(host));
            Access::Local.check(&Method::GET, &headers)
        };
        for host in ["127.0.0.1:8787", "localhost", "LOCALHOST:1", "[::1]:80", "[::1]"] {
            assert!(check(host).is_ok(), "{host}");
        }
        for host in ["", "evil.example:8787", "localhost.evil.example", "127.0.0.1.evil.example:80"]
        {
            assert!(check(host).is_err(), "{host}");
        }
    }
}

//! Who may do what: bearer tokens, or without them, programs on this machine alone.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

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
    /// Clients with one of the tokens of a file.
    Tokens(TokenFile),
}

/// A file of tokens, as it was when it was last read.
#[derive(Debug)]
pub struct TokenFile {
    path: PathBuf,
    tokens: RwLock<Vec<Token>>,
}

impl TokenFile {
    /// Reads the tokens of a file: `read TOKEN` or `admin TOKEN` on each line. Empty lines, and those that begin with
    /// `#`, are skipped.
    ///
    /// # Errors
    ///
    /// If the file can't be read, a line is something else, a token is too short, or there is none.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let tokens = RwLock::new(read_tokens(path)?);
        Ok(Self { path: path.to_owned(), tokens })
    }

    /// Reads the file again. From now on, only the tokens that are in it now are known; on an error, those from before.
    /// Returns how many there are.
    ///
    /// # Errors
    ///
    /// Like [`TokenFile::read`].
    pub fn reload(&self) -> Result<usize, ConfigError> {
        let tokens = read_tokens(&self.path)?;
        let count = tokens.len();
        *self.tokens.write().unwrap_or_else(PoisonError::into_inner) = tokens;
        Ok(count)
    }
}

fn read_tokens(path: &Path) -> Result<Vec<Token>, ConfigError> {
    std::fs::read_to_string(path)
        .map_err(TokenFileError::Read)
        .and_then(|text| parse(&text))
        .map_err(|source| ConfigError::Tokens { path: path.to_owned(), source })
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

fn parse(text: &str) -> Result<Vec<Token>, TokenFileError> {
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
    Ok(tokens)
}

impl Access {
    /// Whether a request may be carried out.
    ///
    /// # Errors
    ///
    /// 401 or 403.
    pub fn check(&self, method: &Method, headers: &HeaderMap) -> Result<(), ApiError> {
        match self {
            Self::Local => check_host(headers),
            Self::Tokens(file) => {
                let changes = !matches!(*method, Method::GET | Method::HEAD);
                let tokens = file.tokens.read().unwrap_or_else(PoisonError::into_inner);
                check_token(&tokens, changes, headers)
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
        let tokens = parse(text).unwrap();
        assert_eq!(tokens.iter().map(|token| token.may_change).collect::<Vec<_>>(), [false, true]);
        for text in ["", "# none", "read short", "write aaaaaaaaaaaaaaaa", "aaaaaaaaaaaaaaaa"] {
            assert!(parse(text).is_err(), "{text}");
        }
        let error = parse("secret-that-lacks-its-role").unwrap_err().to_string();
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

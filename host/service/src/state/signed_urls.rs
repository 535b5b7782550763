//! Signed URLs, which need no token for a minute: a browser saves to disk what a link leads to, and a link can't send a
//! token.

use std::time::Duration;

use axum::http::Uri;
use hmac::digest::KeyInit;
use hmac::{Hmac, Mac};
use jiff::Timestamp;
use serde::Serialize;
use sha2::Sha256;
use utoipa::ToSchema;

use crate::error::ServiceError;

/// How long a signed URL is valid: long enough for a download to begin; it may end later.
const VALID_FOR: Duration = Duration::from_secs(60);

/// The last parameter of a signed URL. Clients know it, and the route that signs, as `ticket`.
const PARAMETER: &str = "ticket=";

/// A URL that needs no token.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SignedUrl {
    /// A path with a query.
    pub url: String,
    /// When it expires.
    pub expires_at: Timestamp,
}

/// Signs and verifies URLs. Nothing is kept of those that were signed: there may be any number.
pub struct SignedUrls {
    signer: Hmac<Sha256>,
}

impl SignedUrls {
    /// With a random key, which is forgotten when the service ends.
    ///
    /// # Errors
    ///
    /// If the system has no random bytes.
    pub fn new() -> Result<Self, ServiceError> {
        let mut key = [0; 32];
        getrandom::fill(&mut key).map_err(|error| ServiceError::setup("a random key", error))?;
        let signer = Hmac::<Sha256>::new_from_slice(&key)
            .map_err(|error| ServiceError::setup("a random key", error))?;
        Ok(Self { signer })
    }

    /// Signs a URL.
    pub fn sign(&self, address: &str, now: Timestamp) -> SignedUrl {
        let until = now + VALID_FOR;
        let mark = if address.contains('?') { '&' } else { '?' };
        let second = until.as_second();
        let signed = self.signature(address, second).finalize().into_bytes();
        let url = format!(
            "{address}{mark}{PARAMETER}{second}.{}",
            base16ct::lower::encode_string(&signed)
        );
        SignedUrl { url, expires_at: until }
    }

    /// The URL that was signed. None where this one has no signature; an error where the signature was not made here
    /// for this URL, or has expired.
    pub fn verify(&self, address: &Uri, now: Timestamp) -> Option<Result<Uri, InvalidSignature>> {
        let text = address.path_and_query()?.as_str();
        let (before, signature) = text.rsplit_once(PARAMETER)?;
        let address = before.strip_suffix(['?', '&'])?;
        Some(self.check(address, signature, now).ok_or(InvalidSignature))
    }

    fn check(&self, address: &str, signature: &str, now: Timestamp) -> Option<Uri> {
        let (second, signed) = signature.split_once('.')?;
        let second: i64 = second.parse().ok()?;
        let signed = base16ct::lower::decode_vec(signed).ok()?;
        // In constant time, however much of it is right.
        self.signature(address, second).verify_slice(&signed).ok()?;
        if now.as_second() >= second { None } else { address.parse().ok() }
    }

    fn signature(&self, address: &str, second: i64) -> Hmac<Sha256> {
        let mut signer = self.signer.clone();
        signer.update(format!("{second} {address}").as_bytes());
        signer
    }
}

/// A signature that was not made here for this URL, or has expired.
#[derive(Debug)]
pub struct InvalidSignature;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_is_good_for_one_address_and_a_minute() {
        let urls = SignedUrls::new().unwrap();
        let now = Timestamp::from_second(1_800_000_000).unwrap();
        let admit = |urls: &SignedUrls, address: &str, seconds: i64| {
            let now = Timestamp::from_second(1_800_000_000 + seconds).unwrap();
            let address = urls.verify(&address.parse().unwrap(), now)?;
            Some(address.ok().map(|address| address.to_string()))
        };
        for address in ["/export/download/0123456789abcdef", "/export/dump?database=a%20b"] {
            let SignedUrl { url: with, expires_at: until } = urls.sign(address, now);
            assert_eq!(until.as_second(), 1_800_000_060);
            assert_eq!(admit(&urls, &with, 59), Some(Some(address.to_owned())));
            assert_eq!(admit(&urls, &with, 60), Some(None), "expired");
            assert_eq!(admit(&urls, address, 0), None, "without one");
            let (_, ticket) = with.rsplit_once("ticket=").unwrap();
            let (second, signed) = ticket.split_once('.').unwrap();
            for other in [
                format!("/exports?ticket={ticket}"),
                format!("{with}0"),
                format!("/export/download/0123456789abcdef?ticket={}.{signed}", 9_999_999_999_u64),
                format!("{address}&x=y&ticket={ticket}"),
                format!("{address}?ticket={second}."),
                format!("{address}?ticket="),
                format!("{address}?ticket={second}.zz"),
            ] {
                assert_eq!(admit(&urls, &other, 0), Some(None), "{other}");
            }
            assert_eq!(
                admit(&SignedUrls::new().unwrap(), &with, 0),
                Some(None),
                "of another start"
            );
        }
    }
}

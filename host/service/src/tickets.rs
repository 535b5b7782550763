//! Tickets: addresses that need no token for a minute. A browser saves to the disk what a link leads to, and a link
//! can't send a token.

use std::time::Duration;

use anyhow::Context;
use axum::http::Uri;
use hmac::digest::KeyInit;
use hmac::{Hmac, Mac};
use jiff::Timestamp;
use serde::Serialize;
use sha2::Sha256;
use utoipa::ToSchema;

/// How long a ticket is good: for a download to begin, not to end.
pub const LIFE: Duration = Duration::from_secs(60);

/// The last parameter of such an address.
const PARAMETER: &str = "ticket=";

/// An address that needs no token.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Pass {
    /// A path with a query.
    pub url: String,
    /// When it is of no use any more.
    pub expires_at: Timestamp,
}

/// Signs addresses. Of the tickets themselves nothing is kept: there may be any number of them.
pub struct Tickets {
    signer: Hmac<Sha256>,
}

impl Tickets {
    /// With a key of its own, which nobody knows.
    ///
    /// # Errors
    ///
    /// Where the system has no random bytes.
    pub fn new() -> anyhow::Result<Self> {
        let mut key = [0; 32];
        getrandom::fill(&mut key).context("the system gives no random bytes")?;
        let signer = Hmac::<Sha256>::new_from_slice(&key).context("the key can't be used")?;
        Ok(Self { signer })
    }

    /// The address with a ticket for it, and until when that is good.
    pub fn issue(&self, address: &str, now: Timestamp) -> Pass {
        let until = now + LIFE;
        let mark = if address.contains('?') { '&' } else { '?' };
        let second = until.as_second();
        let signed = self.sign(address, second).finalize().into_bytes();
        let url = format!(
            "{address}{mark}{PARAMETER}{second}.{}",
            base16ct::lower::encode_string(&signed)
        );
        Pass { url, expires_at: until }
    }

    /// What an address with a ticket is good for: the same without it. None where it has no ticket; an error where the
    /// ticket was not issued here for this address, or has expired.
    pub fn admit(&self, address: &Uri, now: Timestamp) -> Option<Result<Uri, BadTicket>> {
        let text = address.path_and_query()?.as_str();
        let (before, ticket) = text.rsplit_once(PARAMETER)?;
        let address = before.strip_suffix(['?', '&'])?;
        Some(self.check(address, ticket, now).ok_or(BadTicket))
    }

    fn check(&self, address: &str, ticket: &str, now: Timestamp) -> Option<Uri> {
        let (second, signed) = ticket.split_once('.')?;
        let second: i64 = second.parse().ok()?;
        let signed = bytes(signed)?;
        // In the same time, however much of it is right.
        self.sign(address, second).verify_slice(&signed).ok()?;
        if now.as_second() >= second { None } else { address.parse().ok() }
    }

    fn sign(&self, address: &str, second: i64) -> Hmac<Sha256> {
        let mut signer = self.signer.clone();
        signer.update(format!("{second} {address}").as_bytes());
        signer
    }
}

/// A ticket that is good for nothing.
#[derive(Debug)]
pub struct BadTicket;

/// The bytes of hexadecimal digits.
fn bytes(digits: &str) -> Option<Vec<u8>> {
    let pairs = digits.as_bytes().chunks(2);
    pairs
        .map(|pair| {
            let pair = std::str::from_utf8(pair).ok().filter(|pair| pair.len() == 2)?;
            u8::from_str_radix(pair, 16).ok()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_is_good_for_one_address_and_a_minute() {
        let tickets = Tickets::new().unwrap();
        let now = Timestamp::from_second(1_800_000_000).unwrap();
        let admit = |tickets: &Tickets, address: &str, seconds: i64| {
            let now = Timestamp::from_second(1_800_000_000 + seconds).unwrap();
            let address = tickets.admit(&address.parse().unwrap(), now)?;
            Some(address.ok().map(|address| address.to_string()))
        };
        for address in ["/export/download/0123456789abcdef", "/export/dump?database=a%20b"] {
            let Pass { url: with, expires_at: until } = tickets.issue(address, now);
            assert_eq!(until.as_second(), 1_800_000_060);
            assert_eq!(admit(&tickets, &with, 59), Some(Some(address.to_owned())));
            assert_eq!(admit(&tickets, &with, 60), Some(None), "expired");
            assert_eq!(admit(&tickets, address, 0), None, "without one");
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
                assert_eq!(admit(&tickets, &other, 0), Some(None), "{other}");
            }
            assert_eq!(admit(&Tickets::new().unwrap(), &with, 0), Some(None), "of another start");
        }
    }
}

//! Which addresses callbacks may go to: the public internet by https, and allowed networks.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::net::lookup_host;
use url::{Host, Url};

/// What is not part of the public internet: IANA's registries of special-purpose addresses (RFC 6890 and its updates), and
/// multicast.
const SPECIAL_V4: [Ipv4Net; 15] = [
    v4(0, 0, 0, 0, 8),
    v4(10, 0, 0, 0, 8),
    v4(100, 64, 0, 0, 10),
    v4(127, 0, 0, 0, 8),
    v4(169, 254, 0, 0, 16),
    v4(172, 16, 0, 0, 12),
    v4(192, 0, 0, 0, 24),
    v4(192, 0, 2, 0, 24),
    v4(192, 88, 99, 0, 24),
    v4(192, 168, 0, 0, 16),
    v4(198, 18, 0, 0, 15),
    v4(198, 51, 100, 0, 24),
    v4(203, 0, 113, 0, 24),
    v4(224, 0, 0, 0, 4),
    v4(240, 0, 0, 0, 4),
];

/// Of IPv6, only this is allocated for the public internet …
const PUBLIC_V6: Ipv6Net = v6(0x2000, 0, 0, 3);

/// … except for these: IETF protocols (with Teredo), documentation, 6to4, documentation again.
const SPECIAL_V6: [Ipv6Net; 4] =
    [v6(0x2001, 0, 0, 23), v6(0x2001, 0x0db8, 0, 32), v6(0x2002, 0, 0, 16), v6(0x3fff, 0, 0, 20)];

const fn v4(a: u8, b: u8, c: u8, d: u8, length: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), length)
}

const fn v6(a: u16, b: u16, c: u16, length: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0), length)
}

fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => !SPECIAL_V4.iter().any(|network| network.contains(&address)),
        IpAddr::V6(address) => {
            PUBLIC_V6.contains(&address)
                && !SPECIAL_V6.iter().any(|network| network.contains(&address))
        }
    }
}

/// Why a callback may not go to an address.
#[derive(Debug, thiserror::Error)]
pub enum AddressError {
    #[error(
        "callbacks are sent over https, and over http only to networks that the service allows"
    )]
    Scheme,
    #[error("it has a user or a password: leave them out, and verify the signature instead")]
    Credentials,
    #[error("it has no host")]
    NoHost,
    #[error("{host} can't be looked up")]
    Unknown { host: String, source: std::io::Error },
    // The addresses are left out: what a name leads to in this network is not for every client to know.
    #[error(
        "callbacks may not be sent to the address of {host}: they are only sent to the public internet over \
         https, and to networks that the service allows"
    )]
    Forbidden { host: String },
}

/// The networks that callbacks may go to, besides the public internet.
#[derive(Debug, Clone)]
pub struct ReachableNetworks(Arc<[IpNet]>);

impl ReachableNetworks {
    pub fn new(allowed: &[IpNet]) -> Self {
        Self(allowed.into())
    }

    /// Whether a URL leads where callbacks may go.
    ///
    /// # Errors
    ///
    /// Why it does not.
    pub async fn check(&self, url: &Url) -> Result<(), AddressError> {
        let is_https = match url.scheme() {
            "https" => true,
            "http" if !self.0.is_empty() => false,
            _ => return Err(AddressError::Scheme),
        };
        if !url.username().is_empty() || url.password().is_some() {
            return Err(AddressError::Credentials);
        }
        match url.host() {
            None => Err(AddressError::NoHost),
            Some(Host::Domain(name)) => self.look_up(name, is_https).await.map(drop),
            Some(Host::Ipv4(address)) => self.permit(address.into(), is_https),
            Some(Host::Ipv6(address)) => self.permit(address.into(), is_https),
        }
    }

    fn permit(&self, address: IpAddr, is_https: bool) -> Result<(), AddressError> {
        if self.may_reach(address, is_https) {
            Ok(())
        } else {
            Err(AddressError::Forbidden { host: address.to_string() })
        }
    }

    fn may_reach(&self, address: IpAddr, is_https: bool) -> bool {
        // An IPv4 address mapped into IPv6 counts as what it was.
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(&address)) || (is_https && is_public(address))
    }

    /// The addresses of a name that callbacks may go to.
    async fn look_up(&self, name: &str, is_https: bool) -> Result<Vec<SocketAddr>, AddressError> {
        let unknown = |source| AddressError::Unknown { host: name.to_owned(), source };
        let found: Vec<SocketAddr> = lookup_host((name, 0)).await.map_err(unknown)?.collect();
        let may: Vec<SocketAddr> = found
            .iter()
            .filter(|address| self.may_reach(address.ip(), is_https))
            .copied()
            .collect();
        match (found.is_empty(), may.is_empty()) {
            (true, _) => Err(unknown(std::io::ErrorKind::NotFound.into())),
            (false, true) => Err(AddressError::Forbidden { host: name.to_owned() }),
            (false, false) => Ok(may),
        }
    }
}

/// Looks names up for a client, and gives it only the addresses that it may connect to.
#[derive(Debug)]
pub struct AllowedResolver {
    pub reachable: ReachableNetworks,
    pub is_https: bool,
}

impl Resolve for AllowedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let (reachable, is_https) = (self.reachable.clone(), self.is_https);
        Box::pin(async move {
            let addresses = reachable.look_up(name.as_str(), is_https).await?;
            let addresses: Addrs = Box::new(addresses.into_iter());
            Ok(addresses)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_public_internet_is_public() {
        for public in ["1.1.1.1", "9.255.255.255", "172.32.0.1", "198.20.0.1", "2606:4700::1"] {
            assert!(is_public(public.parse().unwrap()), "{public}");
        }
        for special in [
            "0.0.0.0",
            "10.1.2.3",
            "100.100.100.200",
            "127.0.0.1",
            "127.9.9.9",
            "169.254.169.254",
            "172.31.255.255",
            "192.0.0.192",
            "192.168.1.1",
            "198.19.0.1",
            "239.1.1.1",
            "255.255.255.255",
            "::",
            "::1",
            "::127.0.0.1",
            "64:ff9b::7f00:1",
            "2001::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "fd00:ec2::254",
            "fe80::1",
            "ff02::1",
        ] {
            assert!(!is_public(special.parse().unwrap()), "{special}");
        }
    }

    #[tokio::test]
    async fn a_url_leads_where_it_may_or_is_refused() {
        let closed = ReachableNetworks::new(&[]);
        let own = ReachableNetworks::new(&[
            "127.0.0.0/8".parse().unwrap(),
            "10.1.0.0/16".parse().unwrap(),
        ]);
        let may = async |reachable: &ReachableNetworks, url: &str| {
            reachable.check(&Url::parse(url).unwrap()).await.map_err(|error| error.to_string())
        };
        assert_eq!(may(&closed, "https://1.1.1.1/hook?a=b").await, Ok(()));
        for url in [
            "http://1.1.1.1/",
            "https://127.0.0.1/",
            "https://127.1/",
            "https://2130706433/",
            "https://0x7f.0.0.1/",
            "https://[::1]/",
            "https://[::ffff:127.0.0.1]/",
            "https://169.254.169.254/latest/meta-data",
            "https://localhost/",
            "https://user:word@1.1.1.1/",
            "ftp://1.1.1.1/",
            "file:///etc/passwd",
        ] {
            assert!(may(&closed, url).await.is_err(), "{url}");
        }
        for url in ["http://127.0.0.1:9/", "https://localhost/", "http://[::ffff:10.1.2.3]/"] {
            assert_eq!(may(&own, url).await, Ok(()), "{url}");
        }
        for url in ["http://1.1.1.1/", "http://10.2.0.1/", "https://192.168.0.1/"] {
            assert!(may(&own, url).await.is_err(), "{url}");
        }
    }
}

//! Who may read `/metrics`. It tells nothing of any one organization, but how much business there is.
//!
//! Either of two is enough: the token, or an address within the networks that are allowed, this machine's own by default.
//! An address counts only if it is known to be the reader's. A proxy on this machine that is not a trusted one would lend
//! its address to everybody: requests that something forwarded from an unknown place have none.

use std::net::IpAddr;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, digest};
use http::{HeaderMap, header};
use ipnet::IpNet;
use secrecy::{ExposeSecret, SecretString};

use crate::routes::renewals::only;

/// What proxies add to the requests that they forward.
const FORWARDING: [&str; 4] = ["x-forwarded-for", "forwarded", "x-real-ip", "via"];

/// Who may read the metrics.
#[derive(Clone, Debug)]
pub struct MetricsAccess {
    /// The token of readers, if one is configured.
    pub token: Option<SecretString>,
    /// The networks from which no token is needed.
    pub allow: Vec<IpNet>,
}

/// Where a request comes from, as far as it is known.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Origin<'r> {
    /// The connection's address.
    pub(crate) peer: IpAddr,
    /// The client's, as [`crate::client_address`] finds it.
    pub(crate) client: IpAddr,
    /// The request's headers.
    pub(crate) headers: &'r HeaderMap,
}

impl MetricsAccess {
    /// The networks that are allowed by default: this machine.
    pub fn this_machine() -> Vec<IpNet> {
        let v4 = IpNet::new([127, 0, 0, 0].into(), 8);
        let v6 = IpNet::new(std::net::Ipv6Addr::LOCALHOST.into(), 128);
        [v4, v6].into_iter().flatten().collect()
    }

    /// May the request be answered?
    pub(crate) fn admits(&self, origin: Origin<'_>, trusted_proxies: &[IpNet]) -> bool {
        self.has_token(origin.headers) || self.is_allowed(origin, trusted_proxies)
    }

    fn has_token(&self, headers: &HeaderMap) -> bool {
        let presented = only(headers, &header::AUTHORIZATION).and_then(|it| it.split_once(' '));
        let (Some(token), Some((scheme, presented))) = (&self.token, presented) else {
            return false;
        };
        // Digests are of one length, so that not even that of the token shows in the time.
        let digest = |text: &str| digest(&SHA256, text.as_bytes());
        let (expected, presented) = (digest(token.expose_secret()), digest(presented.trim()));
        scheme.eq_ignore_ascii_case("Bearer")
            && verify_slices_are_equal(expected.as_ref(), presented.as_ref()).is_ok()
    }

    fn is_allowed(&self, origin: Origin<'_>, trusted_proxies: &[IpNet]) -> bool {
        let within = |networks: &[IpNet]| networks.iter().any(|it| it.contains(&origin.client));
        let mut forwarding = FORWARDING.iter();
        let is_forwarded = forwarding.any(|name| origin.headers.contains_key(*name));
        let is_proxy = origin.client == origin.peer.to_canonical() || within(trusted_proxies);
        within(&self.allow) && !(is_forwarded && is_proxy)
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;
    use crate::client_address::client_address;

    const TOKEN: &str = "f0e1d2c3b4a5968778695a4b3c2d1e0f";

    fn admitted(
        (token, allow, trusted): (Option<&str>, &[&str], &[&str]),
        peer: &str,
        headers: &[(&'static str, &str)],
    ) -> bool {
        let networks = |texts: &[&str]| texts.iter().map(|it| it.parse().unwrap()).collect();
        let trusted: Vec<IpNet> = networks(trusted);
        let access = MetricsAccess {
            token: token.map(Into::into),
            allow: networks(allow),
        };
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            let value = HeaderValue::from_str(value).unwrap();
            map.append(HeaderName::from_static(name), value);
        }
        let peer = peer.parse().unwrap();
        let origin = Origin {
            peer,
            client: client_address(peer, &map, &trusted),
            headers: &map,
        };
        access.admits(origin, &trusted)
    }

    const LOOPBACK: &[&str] = &["127.0.0.0/8", "::1/128"];

    #[test]
    fn by_default_only_this_machine_reads() {
        let networks = MetricsAccess::this_machine();
        let expected: Vec<IpNet> = LOOPBACK.iter().map(|it| it.parse().unwrap()).collect();
        assert_eq!(networks, expected);
        for (peer, expected) in [
            ("127.0.0.1", true),
            ("::1", true),
            ("::ffff:127.0.0.1", true),
            ("10.0.0.1", false),
            ("203.0.113.9", false),
        ] {
            assert_eq!(
                admitted((None, LOOPBACK, &[]), peer, &[]),
                expected,
                "{peer}"
            );
        }
    }

    #[test]
    fn a_proxy_that_is_not_trusted_lends_its_address_to_nobody() {
        for header in FORWARDING {
            for value in ["203.0.113.9", "127.0.0.1", "for=127.0.0.1", ""] {
                let access = (None, LOOPBACK, &[][..]);
                let admitted = admitted(access, "127.0.0.1", &[(header, value)]);
                assert!(!admitted, "{header}: {value}");
            }
        }
    }

    #[test]
    fn behind_a_trusted_proxy_the_address_it_tells_counts() {
        let access = (
            None,
            &["10.0.0.0/8", "127.0.0.0/8"][..],
            &["127.0.0.1/32"][..],
        );
        for (forwarded, expected) in [
            ("10.1.2.3", true),
            ("203.0.113.9", false),
            ("10.1.2.3, 203.0.113.9", false),
            ("203.0.113.9, 10.1.2.3", true),
            // Nobody's address: the proxy's own is not the reader's.
            ("unknown", false),
            ("10.1.2.3, unknown", false),
            ("unknown, 127.0.0.1", false),
        ] {
            let headers = [("x-forwarded-for", forwarded)];
            assert_eq!(
                admitted(access, "127.0.0.1", &headers),
                expected,
                "{forwarded}"
            );
        }
        assert!(!admitted(
            access,
            "127.0.0.1",
            &[("forwarded", "for=10.1.2.3")]
        ));
    }

    #[test]
    fn the_token_reads_from_everywhere() {
        let access = (Some(TOKEN), LOOPBACK, &[][..]);
        let from_afar = |value: &str| {
            let headers = [("authorization", value), ("x-forwarded-for", "1.1.1.1")];
            admitted(access, "203.0.113.9", &headers)
        };
        assert!(from_afar(&format!("Bearer {TOKEN}")));
        assert!(from_afar(&format!("bearer  {TOKEN}")));
        for wrong in [
            TOKEN.to_owned(),
            format!("Basic {TOKEN}"),
            format!("ApiKey {TOKEN}"),
            format!("Bearer {TOKEN}0"),
            format!("Bearer {}", &TOKEN[1..]),
            "Bearer ".to_owned(),
        ] {
            assert!(!from_afar(&wrong), "{wrong}");
        }
        let twice = format!("Bearer {TOKEN}");
        let twice = [("authorization", twice.as_str()), ("authorization", &twice)];
        assert!(!admitted(access, "203.0.113.9", &twice));
        let none = (None, LOOPBACK, &[][..]);
        assert!(!admitted(
            none,
            "203.0.113.9",
            &[("authorization", "Bearer ")]
        ));
        assert!(
            admitted(access, "127.0.0.1", &[]),
            "the address is still enough"
        );
    }
}

//! Addresses that strangers may send us to: an axon is foreign input, and must not lead into our own network.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;

use crate::dial::DialMap;
use crate::net::{BoxIo, Dialer};

/// Tells whether anybody can have a server at an address: not so of loopback, private, link-local, shared, reserved,
/// documentation, multicast and unspecified ones, in IPv6 written as such or in a form that holds an IPv4 address.
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let is_special = address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_documentation()
        // This network (RFC 791), shared by carriers (RFC 6598), protocol assignments (RFC 6890), benchmarks (RFC 2544), and what
        // comes behind: multicast, reserved and broadcast.
        || a == 0
        || (a == 100 && (64..128).contains(&b))
        || (a == 192 && b == 0 && c == 0)
        || (a == 198 && (b == 18 || b == 19))
        || a >= 224;
    !is_special
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let segments = address.segments();
    let embedded = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        is_public_v4(Ipv4Addr::new(a, b, c, d))
    };
    match segments {
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => embedded(high, low),
        // 6to4 (RFC 3056).
        [0x2002, high, low, ..] => embedded(high, low),
        // Teredo and other assignments of protocols (RFC 2928), documentation (RFC 3849).
        [0x2001, second, ..] => second >= 0x200 && second != 0xdb8,
        // More documentation (RFC 9637).
        [0x3fff, second, ..] => second >= 0x1000,
        // Global unicast is all of 2000::/3 (RFC 4291).
        [first, ..] => first & 0xe000 == 0x2000,
    }
}

/// Nobody's (RFC 5737): where even this can be bound, anything can, and nothing is told by it.
const NOBODYS: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);

/// Tells whether an address is one of this machine's own, which alone can be bound.
pub fn is_ours(address: IpAddr) -> bool {
    let is_bound = |address: IpAddr| UdpSocket::bind((address, 0)).is_ok();
    is_bound(address.to_canonical()) && !is_bound(NOBODYS.into())
}

/// Dials addresses that are public and no own ones, and those that the operator has named.
#[derive(Clone, Debug)]
pub struct PublicDialer {
    map: DialMap,
    dialer: Arc<dyn Dialer>,
    besides: Option<SocketAddr>,
    is_ours: fn(IpAddr) -> bool,
}

impl PublicDialer {
    pub fn new(map: DialMap, dialer: Arc<dyn Dialer>) -> Self {
        Self { map, dialer, besides: None, is_ours }
    }

    /// Dials this one as well, whatever it is.
    pub fn besides(self, address: Option<SocketAddr>) -> Self {
        Self { besides: address, ..self }
    }
}

#[async_trait]
impl Dialer for PublicDialer {
    async fn dial(&self, to: SocketAddr) -> io::Result<BoxIo> {
        let mapped = self.map.resolve(to);
        // Where the map leads is the operator's own word.
        let is_named = mapped != to || self.besides == Some(to);
        let refused = |why: &str| Err(io::Error::new(io::ErrorKind::PermissionDenied, format!("{to} {why}")));
        if !is_named && !is_public(to.ip()) {
            return refused("is not a public address");
        }
        if !is_named && (self.is_ours)(to.ip()) {
            return refused("is this machine's own");
        }
        self.dialer.dial(mapped).await
    }

    async fn dial_unix(&self, path: &Path) -> io::Result<BoxIo> {
        self.dialer.dial_unix(path).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_anybody_can_have_is_public() {
        let public =
            ["8.8.8.8", "193.0.0.1", "100.128.0.1", "2a00:1450::1", "2002:808:808::1", "::ffff:8.8.8.8"];
        for address in public {
            assert!(is_public(address.parse().expect(address)), "{address}");
        }
        let special = [
            "127.0.0.1",
            "0.0.0.0",
            "0.1.2.3",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "192.0.0.8",
            "198.18.0.1",
            "192.0.2.1",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "fe80::1",
            "fc00::1",
            "fd12::1",
            "ff02::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "64:ff9b::7f00:1",
            "2002:7f00:1::",
            "2002:a00:1::",
            "2001:db8::1",
            "3fff:fff::1",
            "64:ff9b:1::808:808",
            "::ffff:169.254.169.254",
            "2001:0:1::1",
            "::127.0.0.1",
            "fec0::1",
        ];
        for address in special {
            assert!(!is_public(address.parse().expect(address)), "{address}");
        }
    }

    #[test]
    fn this_machines_addresses_are_told_from_others() {
        assert!(
            is_ours(Ipv4Addr::LOCALHOST.into()) && is_ours("::ffff:127.0.0.1".parse().expect("an address"))
        );
        assert!(!is_ours(NOBODYS.into()) && !is_ours("8.8.8.8".parse().expect("an address")));
    }

    #[derive(Debug)]
    struct Anywhere;

    #[async_trait]
    impl Dialer for Anywhere {
        async fn dial(&self, to: SocketAddr) -> io::Result<BoxIo> {
            Err(io::Error::other(to.to_string()))
        }
    }

    #[tokio::test]
    async fn an_operators_own_map_goes_before_the_rule() {
        let map: DialMap = "10.0.0.7=127.0.0.1".parse().expect("a map");
        let dialer = PublicDialer::new(map, Arc::new(Anywhere));
        let dialer = PublicDialer { is_ours: |address| address.to_string() == "9.9.9.9", ..dialer };
        let dialer = dialer.besides("127.0.0.1:7".parse().ok());
        for (to, dialled) in [
            ("127.0.0.1:7", "127.0.0.1:7"),
            ("127.0.0.1:8", "127.0.0.1:8 is not a public address"),
            ("[::ffff:127.0.0.1]:8", "[::ffff:127.0.0.1]:8 is not a public address"),
            ("9.9.9.9:90", "9.9.9.9:90 is this machine's own"),
            ("10.0.0.7:90", "127.0.0.1:90"),
            ("8.8.8.8:90", "8.8.8.8:90"),
            ("10.0.0.8:90", "10.0.0.8:90 is not a public address"),
        ] {
            let told =
                dialer.dial(to.parse().expect("an address")).await.map(drop).expect_err("nothing is dialled");
            assert_eq!(told.to_string(), dialled);
        }
    }
}

//! Egress rules: the hosts that `--allow-http` grants to an app, and the addresses that need a grant of their own.
//!
//! Every host is checked twice: first its name (or literal address) and port, then, before we connect, every address
//! that the name resolves to. So a name cannot point into the host's own network: an address that is not public must be
//! granted as an address.

use crate::config::limit_name;
use ipnet::IpNet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The hosts that an app may reach.
#[derive(Debug, Clone, Default)]
pub struct Grants(Vec<Grant>);

/// One `HOST[:PORT]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    host: Host,
    /// `None`: ports 80 and 443.
    port: Option<u16>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Host {
    /// Every public host.
    Any,
    Name(String),
    /// `.example.com`: every name that ends in it.
    Suffix(String),
    /// An address, or a range of them.
    Net(IpNet),
}

impl Grant {
    /// `api.example.com`, `*.example.com`, `*`, `127.0.0.1`, `10.0.0.0/8`, `[::1]`, each with or without `:PORT`.
    /// Errors are sentences for people.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong =
            || format!("{text:?} is not HOST[:PORT], like api.example.com:443, *.example.com or 10.0.0.0/8");
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) if !host.contains(':') || host.ends_with(']') => {
                (host, Some(port.parse().map_err(|_| wrong())?))
            }
            _ => (text, None),
        };
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        let host = host.to_ascii_lowercase();
        let net = host.parse::<IpAddr>().map(IpNet::from).or_else(|_| host.parse::<IpNet>());
        let host = if let Ok(net) = net {
            Host::Net(net)
        } else if host == "*" {
            Host::Any
        } else {
            let (name, suffix) = match host.strip_prefix("*.") {
                Some(rest) => (rest, true),
                None => (&*host, false),
            };
            let ok = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
            if name.is_empty() || !name.chars().all(ok) || name.starts_with('.') {
                return Err(wrong());
            }
            if suffix { Host::Suffix(format!(".{name}")) } else { Host::Name(name.to_owned()) }
        };
        Ok(Self { host, port })
    }

    fn has_port(&self, port: u16) -> bool {
        self.port.map_or(port == 80 || port == 443, |own| own == port)
    }

    fn has_host(&self, name: &str) -> bool {
        match &self.host {
            Host::Any => true,
            Host::Name(own) => own == name,
            Host::Suffix(end) => name.ends_with(&**end),
            Host::Net(_) => name.parse().is_ok_and(|address| self.has_address(address)),
        }
    }

    /// True when this grant names the address itself.
    fn has_address(&self, address: IpAddr) -> bool {
        matches!(&self.host, Host::Net(net) if net.contains(&address))
    }
}

impl Grants {
    pub fn new(grants: Vec<Grant>) -> Self {
        Self(grants)
    }

    /// The first check: may the app connect to this host? `host` is a name or a literal address, without brackets.
    /// Errors are sentences for people.
    pub fn check_host(&self, host: &str, port: u16) -> Result<(), String> {
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        if self.0.iter().any(|grant| grant.has_port(port) && grant.has_host(&host)) {
            return Ok(());
        }
        Err(format!("this app may not connect to {host}:{port}: allow it with {}", grant_of(&host, port)))
    }

    /// The second check: may the app connect to this address of `host`? Errors are sentences for people.
    pub fn check_address(&self, host: &str, address: IpAddr, port: u16) -> Result<(), String> {
        let address = address.to_canonical();
        let named = |grant: &Grant| grant.has_port(port) && grant.has_address(address);
        // A grant of the name `localhost` is explicit: it needs no second one. `*` is not.
        let names_localhost = |grant: &Grant| {
            grant.has_port(port) && matches!(&grant.host, Host::Name(name) if name == "localhost")
        };
        let is_localhost = address.is_loopback() && host.eq_ignore_ascii_case("localhost");
        let local = is_localhost && self.0.iter().any(names_localhost);
        if is_public(address) || local || self.0.iter().any(named) {
            return Ok(());
        }
        Err(format!(
            "{host} is at {address}, which is not a public address: allow it with {}",
            grant_of(&address.to_string(), port)
        ))
    }
}

/// What grants a host, as the reader of the message writes it.
fn grant_of(host: &str, port: u16) -> String {
    let target = if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") };
    limit_name::pick(
        &format!("--allow-http {target}"),
        &format!("[app.NAME.http] allow = [\"{target}\"]"),
        &format!("Grant::parse(\"{target}\")"),
    )
}

/// True for addresses of the public internet: not loopback, private, link-local, shared, reserved or multicast, and
/// not an IPv6 form of one of these.
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => is_public_v4(v4),
        IpAddr::V6(v6) => is_public_v6(v6),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    !matches!(
        (a, b, c),
        (0 | 10 | 127 | 224.., ..)
            | (100, 64..=127, _)
            | (169, 254, _)
            | (172, 16..=31, _)
            | (192, 168, _)
            | (192, 0, 0 | 2)
            | (192, 88, 99)
            | (198, 18..=19, _)
            | (198, 51, 100)
            | (203, 0, 113)
    )
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let s = address.segments();
    let embedded = |high: u16, low: u16| is_public_v4(Ipv4Addr::from(u32::from(high) << 16 | u32::from(low)));
    match s {
        [0, 0, 0, 0, 0, 0xffff, high, low] => embedded(high, low),
        // NAT64 and 6to4 embed IPv4 addresses.
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => embedded(high, low),
        [0x2002, high, low, ..] => embedded(high, low),
        // Teredo, documentation, and the rest of the reserved range 2001::/23.
        [0x2001, second, ..] => second >= 0x200 && second != 0xdb8,
        // Global unicast is 2000::/3; 3fff::/20 is for documentation as well.
        [0x3fff, second, ..] => second >= 0x1000,
        [first, ..] => first & 0xe000 == 0x2000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grants(all: &[&str]) -> Grants {
        Grants::new(all.iter().map(|text| Grant::parse(text).unwrap()).collect())
    }

    #[test]
    fn nothing_is_granted_unless_it_is_named() {
        assert!(grants(&[]).check_host("example.com", 80).is_err());
        let some = grants(&["api.example.com", "*.cdn.example:8080", "10.1.0.0/16:9000", "[::1]:1"]);
        for (host, port) in [
            ("api.example.com", 80),
            ("API.example.com.", 443),
            ("a.b.cdn.example", 8080),
            ("10.1.2.3", 9000),
            ("::1", 1),
        ] {
            assert_eq!(some.check_host(host, port), Ok(()), "{host}:{port}");
        }
        for (host, port) in [
            ("api.example.com", 8080),
            ("example.com", 80),
            ("xapi.example.com", 80),
            ("cdn.example", 8080),
            ("10.2.2.3", 9000),
            ("10.1.2.3", 80),
        ] {
            assert!(some.check_host(host, port).is_err(), "{host}:{port}");
        }
    }

    #[test]
    fn a_name_that_leads_inside_is_refused_unless_the_address_is_named() {
        let any = grants(&["*"]);
        for inside in [
            "127.0.0.1",
            "10.0.0.1",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "224.0.0.1",
            "255.255.255.255",
            "198.18.0.1",
            "::1",
            "::",
            "fe80::1",
            "fd00::1",
            "ff02::1",
            "::ffff:127.0.0.1",
            "64:ff9b::a00:1",
            "2002:7f00:1::",
            "2001:db8::1",
            "2001::1",
        ] {
            assert!(any.check_address("evil.example", inside.parse().unwrap(), 80).is_err(), "{inside}");
            assert!(any.check_address("localhost", inside.parse().unwrap(), 80).is_err(), "{inside}");
        }
        for public in ["93.184.216.34", "1.1.1.1", "2606:4700::1111", "64:ff9b::101:101", "2001:4860::8888"] {
            assert_eq!(any.check_address("example.com", public.parse().unwrap(), 80), Ok(()), "{public}");
        }
        let named = grants(&["db.example", "10.0.0.0/8:80", "localhost"]);
        assert_eq!(named.check_address("db.example", "10.2.3.4".parse().unwrap(), 80), Ok(()));
        assert_eq!(named.check_address("db.example", "::ffff:10.2.3.4".parse().unwrap(), 80), Ok(()));
        assert!(named.check_address("db.example", "10.2.3.4".parse().unwrap(), 443).is_err());
        assert_eq!(named.check_address("localhost", "127.0.0.1".parse().unwrap(), 80), Ok(()));
        assert!(named.check_address("db.example", "127.0.0.1".parse().unwrap(), 80).is_err());
    }

    #[test]
    fn what_is_no_grant_is_refused_with_a_sentence() {
        for text in ["", ":80", "a b", "http://x", "x:99999", "10.0.0.0/33", "*.", "x/y", "[::1", "*.*.com"] {
            assert!(Grant::parse(text).is_err(), "{text:?}");
        }
        assert_eq!(Grant::parse("::1").unwrap().port, None);
    }
}

//! Egress rules: the hosts that `--allow-http` grants to an app, and the addresses that need a grant of their own.
//!
//! Every host is checked twice: first its name (or literal address) and port, then, before we connect, every address
//! that the name resolves to. So a name cannot point into the host's own network: an address that is not public must be
//! granted as an address. The same holds for every address of the machine itself, where the admin endpoint may listen.

use crate::config::limit_name;
use ipnet::IpNet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::OnceLock;

/// The hosts that an app may reach.
#[derive(Debug, Clone, Default)]
pub struct Grants(Vec<Grant>, Door);

/// What is granted, as messages name it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Door {
    #[default]
    Http,
    Tcp,
}

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

    /// As `parse`, with a port: those of HTTP mean nothing here.
    pub fn parse_tcp(text: &str) -> Result<Self, String> {
        let grant = Self::parse(text).map_err(|why| match why.split_once(" is not HOST[:PORT]") {
            Some((given, _)) => {
                format!("{given} is not HOST:PORT, like db.example:5432, *.example:5432 or 10.0.0.0/8:5432")
            }
            None => why,
        })?;
        match grant.port {
            Some(_) => Ok(grant),
            None => Err(format!("{text:?} has no port: write HOST:PORT, like db.example:5432")),
        }
    }

    fn has_port(&self, port: u16) -> bool {
        self.port.map_or(port == 80 || port == 443, |own| own == port)
    }

    fn has_host(&self, name: &str) -> bool {
        match &self.host {
            Host::Any => !means_this_machine(name),
            Host::Name(own) => own == name,
            Host::Suffix(end) => name.ends_with(&**end) && !means_this_machine(name),
            Host::Net(net) => name.parse::<IpAddr>().is_ok_and(|address| net.contains(&address)),
        }
    }

    /// True when this grant names the address itself. An address of this machine is not named by a range of others.
    fn has_address(&self, address: IpAddr, is_own: bool) -> bool {
        let Host::Net(net) = &self.host else { return false };
        let is_exact = net.prefix_len() == net.max_prefix_len();
        let of_loopback = net.network().is_loopback() && net.broadcast().is_loopback();
        net.contains(&address) && (!is_own || is_exact || of_loopback)
    }
}

impl Grants {
    /// For requests over HTTP.
    pub fn new(grants: Vec<Grant>) -> Self {
        Self(grants, Door::Http)
    }

    /// For TCP connections.
    pub fn tcp(grants: Vec<Grant>) -> Self {
        Self(grants, Door::Tcp)
    }

    /// The first check: may the app connect to this host? `host` is a name or a literal address, without brackets.
    /// Errors are sentences for people.
    pub fn check_host(&self, host: &str, port: u16) -> Result<(), String> {
        let host = plain(host);
        if self.0.iter().any(|grant| grant.has_port(port) && grant.has_host(&host)) {
            return Ok(());
        }
        Err(format!(
            "this app may not connect to {host}:{port}: allow it with {}",
            grant_of(self.1, &host, port)
        ))
    }

    /// The second check: may the app connect to this address of `host`? `is_own`: it is one of this machine's. Errors are
    /// sentences for people.
    pub fn check_address(&self, host: &str, address: IpAddr, port: u16, is_own: bool) -> Result<(), String> {
        let address = address.to_canonical();
        let is_own = is_own || address.is_loopback() || address.is_unspecified();
        let named = |grant: &Grant| grant.has_port(port) && grant.has_address(address, is_own);
        // A grant of the name `localhost` is explicit: it needs no second one. `*` is not.
        let names_localhost = |grant: &Grant| {
            grant.has_port(port) && matches!(&grant.host, Host::Name(name) if name == LOCALHOST)
        };
        let is_localhost = address.is_loopback() && plain(host) == LOCALHOST;
        let local = is_localhost && self.0.iter().any(names_localhost);
        if is_public(address) && !is_own || local || self.0.iter().any(named) {
            return Ok(());
        }
        let what = if is_own { "an address of this machine" } else { "not a public address" };
        Err(format!(
            "{host} is at {address}, which is {what}: allow it with {}",
            grant_of(self.1, &address.to_string(), port)
        ))
    }
}

const LOCALHOST: &str = "localhost";

/// A name as it is compared: in lower case, without the dot of the root.
fn plain(name: &str) -> String {
    name.trim_end_matches('.').to_ascii_lowercase()
}

/// Whether a name, in lower case, means this machine to most resolvers, whatever its address.
fn means_this_machine(name: &str) -> bool {
    static HOSTNAME: OnceLock<String> = OnceLock::new();
    let hostname = HOSTNAME.get_or_init(|| {
        let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        plain(name.trim())
    });
    let short = hostname.split('.').next().unwrap_or_default();
    let is_local = matches!(name, LOCALHOST | "localhost.localdomain" | "ip6-localhost" | "ip6-loopback");
    is_local || name.ends_with(".localhost") || !short.is_empty() && (name == hostname || name == short)
}

/// What grants a host, as the reader of the message writes it.
fn grant_of(door: Door, host: &str, port: u16) -> String {
    let target = if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") };
    let (door, parse) = match door {
        Door::Http => ("http", "parse"),
        Door::Tcp => ("tcp", "parse_tcp"),
    };
    limit_name::pick(
        &format!("--allow-{door} {target}"),
        &format!("[app.NAME.{door}] allow = [\"{target}\"]"),
        &format!("Grant::{parse}(\"{target}\")"),
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
            assert!(
                any.check_address("evil.example", inside.parse().unwrap(), 80, false).is_err(),
                "{inside}"
            );
            assert!(any.check_address("localhost", inside.parse().unwrap(), 80, false).is_err(), "{inside}");
        }
        for public in ["93.184.216.34", "1.1.1.1", "2606:4700::1111", "64:ff9b::101:101", "2001:4860::8888"] {
            assert_eq!(
                any.check_address("example.com", public.parse().unwrap(), 80, false),
                Ok(()),
                "{public}"
            );
        }
        let named = grants(&["db.example", "10.0.0.0/8:80", "localhost"]);
        assert_eq!(named.check_address("db.example", "10.2.3.4".parse().unwrap(), 80, false), Ok(()));
        assert_eq!(named.check_address("db.example", "::ffff:10.2.3.4".parse().unwrap(), 80, false), Ok(()));
        assert!(named.check_address("db.example", "10.2.3.4".parse().unwrap(), 443, false).is_err());
        assert_eq!(named.check_address("localhost", "127.0.0.1".parse().unwrap(), 80, false), Ok(()));
        assert!(named.check_address("db.example", "127.0.0.1".parse().unwrap(), 80, false).is_err());
    }

    #[test]
    fn no_star_and_no_range_means_this_machine() {
        let hostname = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
        let names = [
            "localhost",
            "LOCALHOST.",
            "a.localhost",
            "localhost.localdomain",
            "ip6-localhost",
            hostname.trim(),
        ];
        for star in ["*", "*:9000", "0.0.0.0/0:9000", "::/0", "8.0.0.0/6:9000"] {
            for name in names {
                assert!(grants(&[star]).check_host(name, 9000).is_err(), "{star}: {name}");
            }
        }
        assert!(grants(&["*.localhost:9000", "*.localdomain:9000"]).check_host("x.localhost", 9000).is_err());
        assert!(
            grants(&["*.localhost:9000", "*.localdomain:9000"])
                .check_host("localhost.localdomain", 9000)
                .is_err()
        );
        // An address, whether it is one of this machine's, and the grants of it.
        for (address, is_own, grant) in [
            ("127.0.0.1", false, "127.0.0.1:9000"),
            ("127.0.0.1", false, "127.0.0.0/8:9000"),
            ("127.0.0.1", false, "localhost:9000"),
            ("::1", false, "localhost:9000"),
            ("::1", false, "[::1]:9000"),
            ("::ffff:127.0.0.1", false, "127.0.0.1:9000"),
            ("0.0.0.0", false, "0.0.0.0:9000"),
            ("::", false, "[::]:9000"),
            ("9.9.9.9", true, "9.9.9.9:9000"),
            ("::ffff:9.9.9.9", true, "9.9.9.9:9000"),
            ("10.0.0.5", true, "10.0.0.5:9000"),
            ("2606:4700::1111", true, "[2606:4700::1111]:9000"),
            ("fe80::1", true, "[fe80::1]:9000"),
        ] {
            let check = |grant: &str, port| {
                let address = address.parse().unwrap();
                let host = if grant.starts_with("localhost") { "Localhost." } else { "any.example" };
                grants(&[grant]).check_address(host, address, port, is_own)
            };
            for star in [
                "*:9000",
                "0.0.0.0/0:9000",
                "[::/0]:9000",
                "8.0.0.0/6:9000",
                "10.0.0.0/8:9000",
                "any.example:9000",
            ] {
                let refused = check(star, 9000).unwrap_err();
                assert!(refused.contains("an address of this machine: allow it with"), "{star}: {refused}");
            }
            assert_eq!(check(grant, 9000), Ok(()), "{address} {grant}");
            assert!(check(grant, 9001).is_err(), "{address} {grant}");
        }
        for (address, grant) in
            [("9.9.9.9", "*:9000"), ("10.0.0.5", "10.0.0.0/8:9000"), ("10.0.0.5", "0.0.0.0/0:9000")]
        {
            assert_eq!(
                grants(&[grant]).check_address("a.example", address.parse().unwrap(), 9000, false),
                Ok(())
            );
        }
    }

    #[test]
    fn what_is_no_grant_is_refused_with_a_sentence() {
        for text in ["", ":80", "a b", "http://x", "x:99999", "10.0.0.0/33", "*.", "x/y", "[::1", "*.*.com"] {
            assert!(Grant::parse(text).is_err(), "{text:?}");
        }
        assert_eq!(Grant::parse("::1").unwrap().port, None);
    }
}

//! Whether an address is one of this machine's own: of an interface, or one that its routes lead back to it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

/// Whether a connection to `address` would reach this machine. If that cannot be found out, it is taken for one that
/// would.
pub fn is_at(address: SocketAddr) -> bool {
    let ip = address.ip().to_canonical();
    if ip.is_loopback() || ip.is_unspecified() {
        return true;
    }
    let Ok(interfaces) = if_addrs::get_if_addrs() else { return true };
    interfaces.iter().any(|interface| interface.ip().to_canonical() == ip) || is_routed_back(address)
}

/// Addresses of load balancers are often routes without an interface. The kernel answers from such an address under that
/// address itself. To connect a datagram socket sends nothing.
fn is_routed_back(address: SocketAddr) -> bool {
    let from = match address {
        SocketAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        SocketAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    };
    let Ok(socket) = UdpSocket::bind((from, 0)) else { return true };
    if socket.connect(address).is_err() {
        // There is no way to it, for streams neither.
        return false;
    }
    socket.local_addr().is_ok_and(|local| local.ip() == address.ip())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_addresses_of_interfaces_are_own_and_others_are_not() {
        let at = |ip: IpAddr| SocketAddr::new(ip, 9000);
        for interface in if_addrs::get_if_addrs().unwrap() {
            assert!(is_at(at(interface.ip())), "{interface:?}");
        }
        for own in ["127.0.0.1", "127.9.9.9", "::1", "0.0.0.0", "::", "::ffff:127.0.0.1"] {
            assert!(is_at(at(own.parse().unwrap())), "{own}");
        }
        // The whole range is routed to the machine, and only its first address is one of an interface.
        assert!(is_routed_back(at("127.0.0.1".parse().unwrap())));
        for other in ["1.1.1.1", "192.0.2.1", "2606:4700::1111", "255.255.255.255"] {
            assert!(!is_at(at(other.parse().unwrap())), "{other}");
        }
    }
}

use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net};

/// The network that a text such as `10.0.0.0/8` or `2001:db8::/32` names, without the bits beyond its length. One of
/// IPv4 addresses inside IPv6 is that of the IPv4 addresses, as events have them.
pub(crate) fn network(text: &str) -> Option<IpNet> {
    const MAPPED_BITS: u8 = 96;
    let network = text.parse::<IpNet>().ok()?.trunc();
    let IpNet::V6(wide) = network else {
        return Some(network);
    };
    let mapped = wide
        .addr()
        .to_ipv4_mapped()
        .zip(wide.prefix_len().checked_sub(MAPPED_BITS));
    let narrow = mapped.and_then(|(address, length)| Ipv4Net::new(address, length).ok());
    Some(narrow.map_or(network, IpNet::V4))
}

/// Whether it is meant as a network: an address, a slash and a number.
pub(crate) fn is_network_like(text: &str) -> bool {
    let Some((address, length)) = text.split_once('/') else {
        return false;
    };
    address.parse::<IpAddr>().is_ok() && !length.is_empty() && length.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_are_read_and_written_in_one_way() {
        let cases = [
            ("10.1.2.3/8", "10.0.0.0/8"),
            ("0.0.0.0/0", "0.0.0.0/0"),
            ("203.0.113.9/32", "203.0.113.9/32"),
            ("2001:DB8:0::1/32", "2001:db8::/32"),
            ("::ffff:10.1.2.3/104", "10.0.0.0/8"),
            ("::/0", "::/0"),
        ];
        for (written, expected) in cases {
            assert_eq!(
                network(written).map(|network| network.to_string()).as_deref(),
                Some(expected)
            );
        }
        for none in [
            "10.0.0.0",
            "10.0.0.0/33",
            "10.0.0/8",
            "::1/129",
            "/8",
            "10.0.0.0/",
            "a/8",
            "10.0.0.0/8/8",
        ] {
            assert_eq!(network(none), None, "{none}");
        }
        assert!(is_network_like("10.0.0.0/33") && !is_network_like("a/8") && !is_network_like("10.0.0.0/"));
    }
}

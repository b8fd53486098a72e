//! Which addresses may be called: public ones, and those the operator lists.
//!
//! Source: the IANA special-purpose address registries for IPv4 and IPv6. For IPv6 the rule is
//! inverted (only global unicast `2000::/3`, minus its special blocks), so that a block assigned
//! tomorrow is refused until somebody looks at it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

/// Whether `ip` may be called: it is in `allow`, or it is public and `public` ones are wanted.
pub(super) fn admitted(ip: IpAddr, allow: &[IpNet], public: bool) -> bool {
    let ip = canonical(ip);
    allow.iter().any(|net| net.contains(&ip)) || (public && is_public(ip))
}

/// An IPv4 address in IPv6 clothes is judged as what it is.
fn canonical(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V6(v6) => v6.to_ipv4_mapped().map_or(ip, IpAddr::V4),
        IpAddr::V4(_) => ip,
    }
}

fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => is_public_v4(ip),
        IpAddr::V6(ip) => is_public_v6(ip),
    }
}

fn is_public_v4(ip: Ipv4Addr) -> bool {
    let [a, b, c, _] = ip.octets();
    !matches!(
        (a, b, c),
        (0 | 10 | 127 | 224..=255, _, _)        // this network, private, loopback, multicast, reserved
            | (100, 64..=127, _)                // carrier-grade NAT
            | (169, 254, _)                     // link-local, cloud metadata
            | (172, 16..=31, _)                 // private
            | (192, 0, 0 | 2)                   // protocol assignments, documentation
            | (192, 31, 196)                    // AS112
            | (192, 52, 193)                    // AMT
            | (192, 88, 99)                     // 6to4 relay
            | (192, 168, _)                     // private
            | (192, 175, 48)                    // AS112
            | (198, 18 | 19, _)                 // benchmarking
            | (198, 51, 100)                    // documentation
            | (203, 0, 113) // documentation
    )
}

fn is_public_v6(ip: Ipv6Addr) -> bool {
    let [a, b, c, ..] = ip.segments();
    let global_unicast = a & 0xe000 == 0x2000;
    let special = matches!(
        (a, b, c),
        (0x2001, 0..=0x1ff | 0xdb8, _)        // protocol assignments, Teredo, ORCHID, documentation
            | (0x2002, _, _)                // 6to4: an IPv4 address inside
            | (0x2620, 0x4f, 0x8000)        // AS112
            | (0x3fff, 0..=0x0fff, _) // documentation
    );
    global_unicast && !special
}

//! `sourceIPs`: which addresses the server records for a request.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Headers by which a client or a proxy claims addresses.
#[derive(Debug, Clone, Copy, Default)]
pub struct Forwarded<'a> {
    /// The first `X-Forwarded-For` line.
    pub forwarded_for: Option<&'a str>,
    /// The first `X-Real-Ip` line.
    pub real_ip: Option<&'a str>,
}

/// The `sourceIPs` of a request from `peer` (`host:port`). Everything but a last entry that is the peer is the
/// client's claim; a peer that does not parse, such as an IPv6 address with a zone, is left out.
pub fn source_ips(headers: Forwarded<'_>, peer: &str) -> Vec<IpAddr> {
    let forwarded = headers.forwarded_for.unwrap_or_default().split(',');
    let mut found: Vec<IpAddr> = forwarded.filter_map(|part| parse(part.trim())).collect();
    if let Some(real) = headers.real_ip.and_then(parse)
        && !found.contains(&real)
    {
        found.push(real);
    }
    let peer = host(peer).and_then(parse).or_else(|| parse(peer));
    if let Some(peer) = peer
        && found.last() != Some(&peer)
    {
        found.push(peer);
    }
    found
}

/// The host of `host:port` or `[host]:port`.
fn host(peer: &str) -> Option<&str> {
    let (host, port) = peer.rsplit_once(':')?;
    if let Some(inner) = host.strip_prefix('[') {
        return inner.strip_suffix(']').filter(|inner| !inner.contains(['[', ']'])).filter(|_| !port.contains(']'));
    }
    (!host.contains([':', '[', ']']) && !port.contains(['[', ']'])).then_some(host)
}

/// An address, leading zeros read as decimal; IPv4-mapped IPv6 counts as IPv4.
fn parse(text: &str) -> Option<IpAddr> {
    match text.find(['.', ':']) {
        Some(at) if text.as_bytes()[at] == b'.' => parse_v4(text).map(IpAddr::V4),
        Some(_) => parse_v6(text).map(|address| IpAddr::V6(address).to_canonical()),
        None => None,
    }
}

fn parse_v4(text: &str) -> Option<Ipv4Addr> {
    let mut octets = [0u8; 4];
    let mut parts = text.split('.');
    for octet in &mut octets {
        *octet = decimal_octet(parts.next()?)?;
    }
    parts.next().is_none().then(|| octets.into())
}

fn decimal_octet(text: &str) -> Option<u8> {
    let mut value = 0u32;
    for byte in text.bytes() {
        value = value * 10 + char::from(byte).to_digit(10)?;
        if value > 255 {
            return None;
        }
    }
    (!text.is_empty()).then_some(value as u8)
}

fn parse_v6(text: &str) -> Option<Ipv6Addr> {
    let (front, back) = match text.split_once("::") {
        Some((front, back)) => (front, Some(back)),
        None => (text, None),
    };
    let front = groups(front, back.is_none())?;
    let back = match back {
        Some(back) => Some(groups(back, true)?),
        None => None,
    };
    let mut all = [0u16; 8];
    match back {
        None if front.len() == 8 => all.copy_from_slice(&front),
        Some(back) if front.len() + back.len() < 8 => {
            all[..front.len()].copy_from_slice(&front);
            all[8 - back.len()..].copy_from_slice(&back);
        }
        _ => return None,
    }
    Some(all.into())
}

/// Groups between colons; the last may be an IPv4 address where it `may_end` the whole.
fn groups(text: &str, may_end: bool) -> Option<Vec<u16>> {
    let mut groups = Vec::new();
    if text.is_empty() {
        return Some(groups);
    }
    let mut parts = text.split(':').peekable();
    while let Some(part) = parts.next() {
        if part.contains('.') && may_end && parts.peek().is_none() {
            let [a, b, c, d] = parse_v4(part)?.octets();
            groups.extend([u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d])]);
        } else {
            groups.push(hex_group(part)?);
        }
    }
    Some(groups)
}

/// Hexadecimal of any length whose value fits: leading zeros are allowed.
fn hex_group(text: &str) -> Option<u16> {
    let mut value = 0u32;
    for byte in text.bytes() {
        value = value * 16 + char::from(byte).to_digit(16)?;
        if value > 0xFFFF {
            return None;
        }
    }
    (!text.is_empty()).then_some(value as u16)
}

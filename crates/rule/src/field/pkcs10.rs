//! The subject of a certificate signing request: just enough DER to read it.

use audit::{Event, Json};
use base64::Engine;

/// Longest request that is decoded, in bytes of base64.
const REQUEST_BYTES_MAX: usize = 64 << 10;

const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const INTEGER: u8 = 0x02;
const OBJECT_ID: u8 = 0x06;

/// Subject in `spec.request` of a CertificateSigningRequest, as `O=…,CN=…` in the order of the request.
pub(crate) fn subject_of(event: &Event<'_>) -> Option<String> {
    let request = event.request_object?.path(&["spec", "request"]).and_then(Json::text)?;
    if request.len() > REQUEST_BYTES_MAX {
        return None;
    }
    let standard = base64::engine::general_purpose::STANDARD;
    let pem = standard.decode(request.as_bytes()).ok()?;
    let body: String = std::str::from_utf8(&pem).ok()?.lines().filter(|line| !line.starts_with("-----")).collect();
    subject(&standard.decode(body.trim()).ok()?)
}

fn subject(der: &[u8]) -> Option<String> {
    let (request, _) = element(der, SEQUENCE)?;
    let (info, _) = element(request, SEQUENCE)?;
    let (_version, rest) = element(info, INTEGER)?;
    let (mut names, _) = element(rest, SEQUENCE)?;
    let mut parts = Vec::new();
    while !names.is_empty() {
        let (mut set, rest) = element(names, SET)?;
        while !set.is_empty() {
            let (pair, others) = element(set, SEQUENCE)?;
            let (id, value) = element(pair, OBJECT_ID)?;
            let (text, _) = element(value, *value.first()?)?;
            parts.push(format!("{}={}", attribute(id), String::from_utf8_lossy(text)));
            set = others;
        }
        names = rest;
    }
    Some(parts.join(","))
}

/// Short names of the attributes that Kubernetes reads and of their usual company.
fn attribute(id: &[u8]) -> String {
    match id {
        [0x55, 0x04, 0x03] => "CN".to_owned(),
        [0x55, 0x04, 0x06] => "C".to_owned(),
        [0x55, 0x04, 0x07] => "L".to_owned(),
        [0x55, 0x04, 0x08] => "ST".to_owned(),
        [0x55, 0x04, 0x0a] => "O".to_owned(),
        [0x55, 0x04, 0x0b] => "OU".to_owned(),
        other => other.iter().map(|byte| format!("{byte:02x}")).collect(),
    }
}

/// Content of the element at the start of `der`, which must have `tag`, and what follows it.
fn element(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&found, rest) = der.split_first()?;
    let (&first, rest) = rest.split_first()?;
    if found != tag {
        return None;
    }
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        0x81..=0x84 => {
            let (bytes, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            (bytes.iter().fold(0usize, |length, byte| length << 8 | usize::from(*byte)), rest)
        }
        _ => return None,
    };
    rest.split_at_checked(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subject_is_read_from_the_request() {
        // SEQUENCE { SEQUENCE { INTEGER 0, SEQUENCE { SET { SEQUENCE { 2.5.4.10, "a" } } SET { SEQUENCE { 2.5.4.3, "b" } } } } }
        let name = |id: u8, text: u8| vec![0x31, 0x0a, 0x30, 0x08, 0x06, 0x03, 0x55, 0x04, id, 0x13, 0x01, text];
        let names = [name(0x0a, b'a'), name(0x03, b'b')].concat();
        let info = [vec![0x02, 0x01, 0x00, 0x30, 24], names].concat();
        let der = [vec![0x30, 31, 0x30, 29], info].concat();
        assert_eq!(subject(&der).unwrap(), "O=a,CN=b");
        for end in 0..der.len() {
            let _ = subject(&der[..end]);
        }
    }
}

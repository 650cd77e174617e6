//! Request lines and addresses are understood as in the API server.

mod vectors;

use policy::{Forwarded, Request, Target, TargetError, source_ips};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RequestLine {
    method: String,
    uri: String,
    attrs: Option<Request<'static>>,
    #[serde(rename = "requestURI")]
    request_uri: Option<String>,
    long_running: Option<bool>,
    error: Option<String>,
    url_error: Option<String>,
}

#[test]
fn request_lines_are_resolved_as_in_the_server() {
    let lines: Vec<RequestLine> = vectors::read("requestinfo.jsonl.zst");
    assert!(lines.len() > 400);
    for line in lines {
        let shown = format!("{} {}", line.method, line.uri);
        let target = Target::parse(&line.uri);
        if line.url_error.is_some() {
            assert!(target.is_err(), "{shown}");
            continue;
        }
        let target = target.expect(&shown);
        match (target.request(&line.method), line.attrs) {
            (Ok(found), Some(wanted)) => {
                assert_eq!(wanted, found, "{shown}");
                assert_eq!(line.long_running, Some(found.is_long_running()), "{shown}");
                assert_eq!(line.request_uri.as_deref(), Some(target.request_uri.as_str()), "{shown}");
            }
            (Err(TargetError::Kind(_)), None) if line.error.is_some() => {}
            (found, wanted) => panic!("{shown}: wanted {wanted:?}, found {found:?}"),
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Connection {
    #[serde(default)]
    x_forwarded_for: Vec<String>,
    #[serde(default)]
    x_real_ip: Vec<String>,
    remote_addr: String,
    #[serde(rename = "sourceIPs")]
    source_ips: Option<Vec<String>>,
}

#[test]
fn source_addresses_are_those_of_the_server() {
    let connections: Vec<Connection> = vectors::read("sourceips.jsonl.zst");
    assert!(connections.len() > 300);
    for connection in connections {
        let headers = Forwarded {
            forwarded_for: connection.x_forwarded_for.first().map(String::as_str),
            real_ip: connection.x_real_ip.first().map(String::as_str),
        };
        let found: Vec<String> = source_ips(headers, &connection.remote_addr).iter().map(ToString::to_string).collect();
        let shown = format!("{headers:?} {}", connection.remote_addr);
        assert_eq!(connection.source_ips.unwrap_or_default(), found, "{shown}");
    }
}

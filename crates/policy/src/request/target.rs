//! Method and URI to attributes.

use std::borrow::Cow;

use super::selector::{field_selector_name, label_selector_is_valid};
use super::{Request, User};

/// A request line as the server understands it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Decoded path.
    pub path: String,
    /// What the event shows: escaped path and raw query.
    pub request_uri: String,
    query: Vec<(String, String)>,
}

/// Why a request line has no attributes; no event is written for such a request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// Not a URI.
    #[error("invalid request URI {0:?}")]
    Uri(String),
    /// A special verb without a resource: the server answers 500.
    #[error("unable to determine kind and namespace from url, {0}")]
    Kind(String),
}

impl Target {
    /// Parses the target of a request line: an absolute path with an optional query, or an absolute URI.
    pub fn parse(uri: &str) -> Result<Self, TargetError> {
        let invalid = || TargetError::Uri(uri.to_owned());
        if uri.is_empty() || uri.bytes().any(|b| b < 0x20 || b == 0x7F) {
            return Err(invalid());
        }
        if uri == "*" {
            let query = Vec::new();
            return Ok(Self { path: "*".to_owned(), request_uri: "*".to_owned(), query });
        }
        let rest = strip_origin(uri).ok_or_else(invalid)?;
        let (raw_path, raw_query) = match rest.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (rest, None),
        };
        let path = unescape(raw_path, Plus::Stays).ok_or_else(invalid)?;
        let escaped = if is_valid_encoding(raw_path) { raw_path.to_owned() } else { escape(&path) };
        let mut request_uri = if escaped.is_empty() { "/".to_owned() } else { escaped };
        if let Some(query) = raw_query {
            request_uri.push('?');
            request_uri.push_str(query);
        }
        let path = String::from_utf8_lossy(&path).into_owned();
        Ok(Self { path, request_uri, query: parse_query(raw_query.unwrap_or_default()) })
    }

    /// The attributes that a policy decides on, with no user.
    pub fn request(&self, method: &str) -> Result<Request<'static>, TargetError> {
        let mut request = Request {
            verb: Cow::Owned(method.to_lowercase()),
            path: Cow::Owned(self.path.clone()),
            ..Request::default()
        };
        let trimmed = self.path.trim_matches('/');
        let parts: Vec<&str> = trimmed.split('/').collect();
        let rest = match parts[..] {
            ["api", ref rest @ ..] if rest.len() >= 2 => rest,
            ["apis", group, ref rest @ ..] if rest.len() >= 2 => {
                request.api_group = Cow::Owned(group.to_owned());
                rest
            }
            _ => return Ok(request),
        };
        request.resource_request = true;
        request.api_version = Cow::Owned(rest[0].to_owned());
        self.resource(method, &rest[1..], &mut request)?;
        Ok(request)
    }

    /// Fills in verb, namespace, resource, name and subresource.
    fn resource(&self, method: &str, parts: &[&str], request: &mut Request<'_>) -> Result<(), TargetError> {
        let mut parts = parts;
        let verb = match (parts, method) {
            (["watch" | "proxy"], _) => return Err(TargetError::Kind(self.request_uri.clone())),
            ([verb @ ("watch" | "proxy"), rest @ ..], _) => {
                parts = rest;
                verb
            }
            (_, "POST") => "create",
            (_, "GET" | "HEAD") => "get",
            (_, "PUT") => "update",
            (_, "PATCH") => "patch",
            (_, "DELETE") => "delete",
            _ => "",
        };
        let owned = |text: &str| Cow::Owned(text.to_owned());
        request.verb = owned(verb);
        if let ["namespaces", namespace, rest @ ..] = parts {
            request.namespace = owned(namespace);
            if rest.first().is_some_and(|part| !matches!(*part, "status" | "finalize")) {
                parts = rest;
            }
        }
        request.resource = owned(parts.first().unwrap_or(&""));
        request.name = owned(parts.get(1).unwrap_or(&""));
        if verb != "proxy" {
            request.subresource = owned(parts.get(2).unwrap_or(&""));
        }
        if request.name.is_empty() && verb == "get" {
            self.list(request);
        } else if request.name.is_empty() && verb == "delete" {
            request.verb = owned("deletecollection");
        }
        Ok(())
    }

    /// A get without a name is a list or a watch, of one object if the field selector says so.
    fn list(&self, request: &mut Request<'_>) {
        let is_watch = self.first("watch").is_some_and(is_true);
        request.verb = Cow::Borrowed(if is_watch { "watch" } else { "list" });
        if let Some(name) = self.selected_name()
            && !matches!(name.as_str(), "." | "..")
            && !name.contains(['/', '%'])
        {
            request.name = Cow::Owned(name);
        }
    }

    /// The name in the field selector; list options that do not parse count as none given.
    fn selected_name(&self) -> Option<String> {
        let is_number = |key| self.first(key).is_none_or(|value| value.parse::<i64>().is_ok());
        let options_parse = is_number("limit")
            && is_number("timeoutSeconds")
            && label_selector_is_valid(self.first("labelSelector").unwrap_or_default());
        if !options_parse {
            return None;
        }
        field_selector_name(self.first("fieldSelector").unwrap_or_default()).ok().flatten()
    }

    fn first(&self, key: &str) -> Option<&str> {
        self.query.iter().find(|(k, _)| k == key).map(|(_, value)| value.as_str())
    }
}

fn is_true(value: &str) -> bool {
    value != "0" && !value.eq_ignore_ascii_case("false")
}

/// Reads `NAME[GROUP,…] METHOD URI`, as a person writes a request: `alice GET /api/v1/pods`. The user `-` stands
/// for a request that was not authenticated.
pub fn parse_request_line(line: &str) -> Option<(Option<User<'static>>, &str, &str)> {
    let (user, rest) = line.trim().split_once(char::is_whitespace)?;
    let (method, uri) = rest.trim_start().split_once(char::is_whitespace)?;
    let (name, groups) = match user.strip_suffix(']').and_then(|user| user.split_once('[')) {
        Some((name, groups)) => (name, groups),
        None => (user, ""),
    };
    let groups = groups.split(',').filter(|g| !g.is_empty()).map(|g| Cow::Owned(g.to_owned())).collect();
    let user = (name != "-").then(|| User { name: Cow::Owned(name.to_owned()), groups });
    Some((user, method, uri.trim()))
}

/// What follows scheme and host; a target without them must be an absolute path.
fn strip_origin(uri: &str) -> Option<&str> {
    if uri.starts_with('/') {
        return Some(uri);
    }
    let (scheme, rest) = uri.split_once(':')?;
    let is_scheme = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'));
    if !is_scheme {
        return None;
    }
    let Some(authority) = rest.strip_prefix("//") else {
        return rest.starts_with('/').then_some(rest);
    };
    let end = authority.find(['/', '?']).unwrap_or(authority.len());
    let host_ok = is_host(&authority[..end]);
    host_ok.then(|| &authority[end..])
}

/// `host`, `host:port` or `[address]:port`, with an optional user in front.
fn is_host(authority: &str) -> bool {
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let (name, port) = match host.strip_prefix('[') {
        Some(bracketed) => match bracketed.split_once(']') {
            Some((name, port)) => (name, port),
            None => return false,
        },
        None => host.split_at(host.rfind(':').unwrap_or(host.len())),
    };
    let port_ok = port.is_empty() || port.strip_prefix(':').is_some_and(|p| p.bytes().all(|b| b.is_ascii_digit()));
    port_ok && !name.contains([' ', '#', '%', '\\', '^', '`', '{', '|', '}', '[', ']'])
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Plus {
    Stays,
    IsBlank,
}

fn unescape(text: &str, plus: Plus) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        out.push(match byte {
            b'%' => {
                let mut digit = || bytes.next().and_then(|b| char::from(b).to_digit(16));
                let (high, low) = (digit()?, digit()?);
                (high << 4 | low) as u8
            }
            b'+' if plus == Plus::IsBlank => b' ',
            byte => byte,
        });
    }
    Some(out)
}

/// Whether an escaped path can be shown as it was sent.
fn is_valid_encoding(path: &str) -> bool {
    path.bytes().all(|b| b == b'%' || matches!(b, b'[' | b']' | b'!' | b'\'' | b'(' | b')' | b'*') || stays(b))
}

/// Bytes that a path shows without escaping.
fn stays(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-_.~$&+,/:;=@".contains(&byte)
}

fn escape(path: &[u8]) -> String {
    let mut out = String::with_capacity(path.len());
    for &byte in path {
        if stays(byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// Pairs of a query; what does not decode is dropped, as the server does.
fn parse_query(query: &str) -> Vec<(String, String)> {
    let decode = |text: &str| unescape(text, Plus::IsBlank).map(|b| String::from_utf8_lossy(&b).into_owned());
    let pair = |part: &str| {
        let (key, value) = part.split_once('=').unwrap_or((part, ""));
        Some((decode(key)?, decode(value)?))
    };
    query.split('&').filter(|part| !part.is_empty() && !part.contains(';')).filter_map(pair).collect()
}

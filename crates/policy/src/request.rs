//! What a policy sees of a request, and how the server derives it from method and URI.

mod address;
mod selector;
mod target;

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

pub use address::{Forwarded, source_ips};
pub use target::{Target, TargetError, parse_request_line};

/// The attributes a policy decides on. Missing strings are empty.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Request<'a> {
    /// The authenticated user; none for a failed authentication.
    pub user: Option<User<'a>>,
    /// Request verb: `get`, `list`, `create` … or the lower-case method for non-resource requests.
    pub verb: Cow<'a, str>,
    /// Namespace in the URL.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub namespace: Cow<'a, str>,
    /// API group without version; empty for core.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub api_group: Cow<'a, str>,
    /// API version; no rule looks at it.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub api_version: Cow<'a, str>,
    /// Resource, plural.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub resource: Cow<'a, str>,
    /// Subresource.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub subresource: Cow<'a, str>,
    /// Object name.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub name: Cow<'a, str>,
    /// Decoded path without the query.
    pub path: Cow<'a, str>,
    /// Whether the request is for a resource.
    pub resource_request: bool,
}

/// An authenticated user.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct User<'a> {
    /// User name.
    pub name: Cow<'a, str>,
    /// Groups the user is in.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<Cow<'a, str>>,
}

impl Request<'_> {
    /// Whether the server treats the request as long-running: only those have the stage `ResponseStarted`.
    pub fn is_long_running(&self) -> bool {
        if matches!(&*self.verb, "watch" | "proxy") {
            return true;
        }
        if self.resource_request {
            return matches!(&*self.subresource, "attach" | "exec" | "proxy" | "log" | "portforward");
        }
        self.path.starts_with("/debug/pprof/")
    }

    /// Resource with its subresource, as policies write it.
    pub fn combined_resource(&self) -> Cow<'_, str> {
        if self.subresource.is_empty() {
            Cow::Borrowed(&self.resource)
        } else {
            Cow::Owned(format!("{}/{}", self.resource, self.subresource))
        }
    }
}

//! The one table of fields: names, aliases, kinds, columns.

/// What a query can ask of a row by a short name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(missing_docs, reason = "each is described in `TABLE`")]
pub enum Field {
    Time,
    Received,
    Cluster,
    User,
    Groups,
    Uid,
    Verb,
    Resource,
    Subresource,
    Namespace,
    Name,
    ApiGroup,
    ApiVersion,
    ObjectUid,
    ResourceVersion,
    Code,
    Status,
    Error,
    Message,
    Decision,
    Reason,
    Ip,
    Peer,
    Agent,
    Uri,
    Latency,
    Stage,
    Level,
    AuditId,
    Impersonated,
    ImpersonatedGroups,
    ImpersonatedUid,
    Size,
    RequestSize,
    ResponseSize,
    Index,
    Format,
    Defect,
    Trust,
}

/// How values of a field are written and compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The whole value, letter case aside; `*` and `?` stand for any text and any character.
    Keyword,
    /// Words anywhere in the value, as in free text.
    Words,
    /// An integer.
    Integer,
    /// Bytes, written `4096` or `64KiB`.
    Size,
    /// Microseconds, written `500ms` or `2h30m`.
    Duration,
    /// Microseconds since 1970 in UTC, written as a date, an RFC 3339 time or `now-2h`.
    Time,
    /// An address or a network, or text with wildcards.
    Address,
}

impl Kind {
    /// How a value is written, for error messages and the reference page.
    pub fn expected(self) -> &'static str {
        match self {
            Self::Keyword => "a word, with `*` and `?` as wildcards",
            Self::Words => "words or a phrase in quotes",
            Self::Integer => "a whole number",
            Self::Size => "a number of bytes such as `4096` or `64KiB`",
            Self::Duration => "a duration such as `500ms`, `2s` or `1h30m`",
            Self::Time => "a time such as `now-2h`, `2026-11-21` or `2026-11-21T23:00:00Z`",
            Self::Address => "an address, a network such as `10.0.0.0/8`, or a wildcard such as `10.1.*`",
        }
    }

    /// Whether comparisons and ranges make sense.
    pub fn is_ordered(self) -> bool {
        matches!(self, Self::Integer | Self::Size | Self::Duration | Self::Time)
    }
}

struct Entry {
    field: Field,
    name: &'static str,
    /// Other names, and the path in the event's own JSON.
    aliases: &'static [&'static str],
    kind: Kind,
    column: &'static str,
    about: &'static str,
}

const fn entry(
    field: Field,
    name: &'static str,
    aliases: &'static [&'static str],
    kind: Kind,
    column: &'static str,
    about: &'static str,
) -> Entry {
    Entry { field, name, aliases, kind, column, about }
}

const TABLE: [Entry; Field::COUNT] = {
    use Field as F;
    use Kind as K;
    [
        entry(
            F::Time,
            "time",
            &["t", "timestamp", "stageTimestamp", "@timestamp"],
            K::Time,
            "time",
            "when the event was made: its stage, else its request, else its receipt",
        ),
        entry(F::Received, "received", &["arrived"], K::Time, "received", "when KubeWitness took the event"),
        entry(F::Cluster, "cluster", &[], K::Keyword, "cluster", "where the event comes from"),
        entry(
            F::User,
            "user",
            &["username", "user.username"],
            K::Keyword,
            "user",
            "the authenticated user; absent when there was none",
        ),
        entry(F::Groups, "group", &["groups", "user.groups"], K::Keyword, "groups", "the user's groups; any of them"),
        entry(F::Uid, "uid", &["userUID", "user.uid"], K::Keyword, "uid", "the user's uid"),
        entry(F::Verb, "verb", &["v"], K::Keyword, "verb", "`get`, `list`, `create`, `delete`, `patch`, …"),
        entry(
            F::Resource,
            "resource",
            &["res", "objectRef.resource"],
            K::Keyword,
            "resource",
            "resource, plural and lower case; `resource:pods/exec` asks for the subresource as well",
        ),
        entry(
            F::Subresource,
            "subresource",
            &["sub", "objectRef.subresource"],
            K::Keyword,
            "subresource",
            "`exec`, `log`, `status`, `scale`, `token`, …",
        ),
        entry(
            F::Namespace,
            "namespace",
            &["ns", "objectRef.namespace"],
            K::Keyword,
            "namespace",
            "namespace of the object",
        ),
        entry(
            F::Name,
            "name",
            &["objectRef.name"],
            K::Keyword,
            "name",
            "name of the object; absent in lists and some creations",
        ),
        entry(F::ApiGroup, "apiGroup", &["objectRef.apiGroup"], K::Keyword, "api_group", "API group; absent for core"),
        entry(
            F::ApiVersion,
            "apiVersion",
            &["objectRef.apiVersion"],
            K::Keyword,
            "api_version",
            "version of the API of the object",
        ),
        entry(F::ObjectUid, "objectUID", &["objectRef.uid"], K::Keyword, "object_uid", "uid of the object"),
        entry(
            F::ResourceVersion,
            "resourceVersion",
            &["objectRef.resourceVersion"],
            K::Keyword,
            "resource_version",
            "resource version of the object",
        ),
        entry(
            F::Code,
            "code",
            &["responseStatus.code"],
            K::Integer,
            "code",
            "HTTP status; `4xx` is short for `400..499`",
        ),
        entry(
            F::Status,
            "status",
            &["responseStatus.status"],
            K::Keyword,
            "status",
            "`Success` or `Failure`, where the answer said so",
        ),
        entry(
            F::Error,
            "error",
            &["statusReason", "responseStatus.reason"],
            K::Keyword,
            "status_reason",
            "why the request failed, in one word: `NotFound`, `Forbidden`, …",
        ),
        entry(
            F::Message,
            "message",
            &["msg", "responseStatus.message"],
            K::Words,
            "status_message",
            "why the request failed, in a sentence",
        ),
        entry(
            F::Decision,
            "decision",
            &["annotations.\"authorization.k8s.io/decision\""],
            K::Keyword,
            "decision",
            "`allow` or `forbid`; absent if authorisation was not reached",
        ),
        entry(
            F::Reason,
            "reason",
            &["annotations.\"authorization.k8s.io/reason\""],
            K::Words,
            "reason",
            "which role binding allowed it, as the authoriser says",
        ),
        entry(
            F::Ip,
            "ip",
            &["ips", "sourceIP", "sourceIPs"],
            K::Address,
            "ips",
            "any source address; all but the last are the client's claim",
        ),
        entry(F::Peer, "peer", &[], K::Address, "peer", "the last source address: the one the API server saw itself"),
        entry(F::Agent, "agent", &["userAgent", "ua"], K::Words, "agent", "user agent, as the client names itself"),
        entry(F::Uri, "uri", &["url", "requestURI"], K::Words, "uri", "request URI with its query"),
        entry(F::Latency, "latency", &["duration"], K::Duration, "latency_us", "from request to stage"),
        entry(
            F::Stage,
            "stage",
            &[],
            K::Keyword,
            "stage",
            "`RequestReceived`, `ResponseStarted`, `ResponseComplete`, `Panic`",
        ),
        entry(F::Level, "level", &[], K::Keyword, "level", "`Metadata`, `Request`, `RequestResponse`"),
        entry(F::AuditId, "auditID", &["id"], K::Keyword, "audit_id", "audit id; chosen by the client, so not a key"),
        entry(
            F::Impersonated,
            "impersonated",
            &["as", "impersonatedUser.username"],
            K::Keyword,
            "impersonated_user",
            "whom the request was made as",
        ),
        entry(
            F::ImpersonatedGroups,
            "impersonatedGroup",
            &["impersonatedGroups", "asGroup", "impersonatedUser.groups"],
            K::Keyword,
            "impersonated_groups",
            "groups of whom the request was made as; any of them",
        ),
        entry(
            F::ImpersonatedUid,
            "impersonatedUID",
            &["impersonatedUser.uid"],
            K::Keyword,
            "impersonated_uid",
            "uid of whom the request was made as",
        ),
        entry(F::Size, "size", &["bytes"], K::Size, "size", "bytes of the entry"),
        entry(F::RequestSize, "requestSize", &[], K::Size, "request_size", "bytes of the request body"),
        entry(F::ResponseSize, "responseSize", &[], K::Size, "response_size", "bytes of the response body"),
        entry(F::Index, "index", &["place"], K::Integer, "index", "place in the log, from zero"),
        entry(
            F::Format,
            "format",
            &[],
            K::Keyword,
            "format",
            "form in which the entry arrived; `quarantine` if it could not be read",
        ),
        entry(F::Defect, "defect", &[], K::Words, "defect", "why an entry is in quarantine"),
        entry(
            F::Trust,
            "trust",
            &[],
            K::Keyword,
            "",
            "`ok`, or where the event can be forged: `claimed-ip`, `chosen-audit-id`, `time-order`, `unread`; any of them",
        ),
    ]
};

impl Field {
    /// Number of fields.
    pub const COUNT: usize = Field::Trust as usize + 1;

    /// Every field, in the order of the reference page.
    pub fn all() -> impl ExactSizeIterator<Item = Field> + Clone {
        TABLE.iter().map(|entry| entry.field)
    }

    /// The short name.
    pub fn name(self) -> &'static str {
        self.entry().name
    }

    /// Other names of the field, and its path in the event's own JSON.
    pub fn aliases(self) -> &'static [&'static str] {
        self.entry().aliases
    }

    /// How values are written and compared.
    pub fn kind(self) -> Kind {
        self.entry().kind
    }

    /// Column of the store's segments; empty if the value is computed from others.
    pub fn column(self) -> &'static str {
        self.entry().column
    }

    /// What the field says, in one line.
    pub fn about(self) -> &'static str {
        self.entry().about
    }

    /// The field of a name or alias. Letter case, `_` and `-` do not matter.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::names().find(|(known, _)| same_name(known, name)).map(|(_, field)| field)
    }

    /// Every name and alias with its field.
    pub fn names() -> impl Iterator<Item = (&'static str, Field)> {
        TABLE.iter().flat_map(|entry| {
            std::iter::once(entry.name).chain(entry.aliases.iter().copied()).map(|name| (name, entry.field))
        })
    }

    fn entry(self) -> &'static Entry {
        &TABLE[self as usize]
    }
}

fn same_name(known: &str, typed: &str) -> bool {
    // Paths into the JSON are compared as they are: keys there are case-sensitive.
    if known.contains('.') {
        return known == typed;
    }
    let typed = typed.bytes().filter(|byte| !matches!(byte, b'_' | b'-'));
    known.bytes().map(|byte| byte.to_ascii_lowercase()).eq(typed.map(|byte| byte.to_ascii_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table_is_in_the_order_of_the_enum_and_names_are_unique() {
        for (number, field) in Field::all().enumerate() {
            assert_eq!(field as usize, number, "{}", field.name());
        }
        for (name, field) in Field::names() {
            assert_eq!(Field::from_name(name), Some(field), "{name}");
        }
    }

    #[test]
    fn spelling_is_forgiven() {
        for name in ["auditid", "audit_id", "AUDIT-ID", "id"] {
            assert_eq!(Field::from_name(name), Some(Field::AuditId), "{name}");
        }
        assert_eq!(Field::from_name("objectref.resource"), None);
    }
}

//! The columns of a segment: names, kinds, and the order in which files keep them.

/// One column of the store. The numbers are part of the residual's format and never change meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
#[expect(missing_docs, reason = "each is described in `TABLE`")]
pub enum Column {
    Index,
    Received,
    Time,
    LatencyUs,
    Code,
    Size,
    RequestSize,
    ResponseSize,
    AuditId,
    Cluster,
    Format,
    Level,
    Stage,
    Verb,
    User,
    Uid,
    Groups,
    Extra,
    ImpersonatedUser,
    ImpersonatedUid,
    ImpersonatedGroups,
    ImpersonatedExtra,
    Ips,
    Peer,
    Agent,
    Resource,
    Subresource,
    Namespace,
    Name,
    ObjectUid,
    ApiGroup,
    ApiVersion,
    ResourceVersion,
    Status,
    StatusReason,
    StatusMessage,
    StatusDetails,
    Decision,
    Reason,
    Uri,
    Annotations,
    AuditIdText,
    Defect,
    RequestObject,
    ResponseObject,
    Residual,
    Raw,
}

/// How values of a column are held in memory and on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// 64-bit integer.
    Integer,
    /// Microseconds since 1970 in UTC.
    Time,
    /// Sixteen bytes.
    Uuid,
    /// Text, held once per distinct value.
    Text,
    /// JSON exactly as it stood in the event, held once per distinct value.
    Json,
    /// Bytes of any content, held once per distinct value.
    Binary,
    /// JSON exactly as it stood in the event, held row by row.
    Body,
    /// Bytes of any content, held row by row.
    Blob,
}

struct Entry(Column, &'static str, Kind, &'static str);

const TABLE: [Entry; Column::COUNT] = {
    use Column as C;
    use Kind as K;
    [
        Entry(C::Index, "index", K::Integer, "place in the ledger, from zero"),
        Entry(C::Received, "received", K::Time, "when the ledger took the entry"),
        Entry(C::Time, "time", K::Time, "when the event was made: stage, else request, else receipt"),
        Entry(C::LatencyUs, "latency_us", K::Integer, "stage time minus request time"),
        Entry(C::Code, "code", K::Integer, "HTTP status"),
        Entry(C::Size, "size", K::Integer, "bytes of the entry"),
        Entry(C::RequestSize, "request_size", K::Integer, "bytes of the request object"),
        Entry(C::ResponseSize, "response_size", K::Integer, "bytes of the response object"),
        Entry(C::AuditId, "audit_id", K::Uuid, "audit id when it is a canonical UUID"),
        Entry(C::Cluster, "cluster", K::Text, "origin of the event"),
        Entry(
            C::Format,
            "format",
            K::Text,
            "form in which the entry arrived; `quarantine` if it could not be read; a number if this version has no name for it",
        ),
        Entry(C::Level, "level", K::Text, "audit level"),
        Entry(C::Stage, "stage", K::Text, "audit stage"),
        Entry(C::Verb, "verb", K::Text, "verb"),
        Entry(C::User, "user", K::Text, "user name"),
        Entry(C::Uid, "uid", K::Text, "user uid"),
        Entry(C::Groups, "groups", K::Json, "array of the user's groups"),
        Entry(C::Extra, "extra", K::Json, "object of the user's extra values"),
        Entry(C::ImpersonatedUser, "impersonated_user", K::Text, "impersonated user name"),
        Entry(C::ImpersonatedUid, "impersonated_uid", K::Text, "impersonated uid"),
        Entry(C::ImpersonatedGroups, "impersonated_groups", K::Json, "array of the impersonated user's groups"),
        Entry(C::ImpersonatedExtra, "impersonated_extra", K::Json, "object of the impersonated user's extra values"),
        Entry(C::Ips, "ips", K::Json, "array of source addresses as sent"),
        Entry(C::Peer, "peer", K::Text, "last source address: the one the API server saw itself"),
        Entry(C::Agent, "agent", K::Text, "user agent"),
        Entry(C::Resource, "resource", K::Text, "resource, plural"),
        Entry(C::Subresource, "subresource", K::Text, "subresource"),
        Entry(C::Namespace, "namespace", K::Text, "namespace"),
        Entry(C::Name, "name", K::Text, "object name"),
        Entry(C::ObjectUid, "object_uid", K::Text, "uid in the object reference"),
        Entry(C::ApiGroup, "api_group", K::Text, "API group"),
        Entry(C::ApiVersion, "api_version", K::Text, "API version of the object reference"),
        Entry(C::ResourceVersion, "resource_version", K::Text, "resource version in the object reference"),
        Entry(C::Status, "status", K::Text, "response status: Success or Failure"),
        Entry(C::StatusReason, "status_reason", K::Text, "response reason, such as NotFound"),
        Entry(C::StatusMessage, "status_message", K::Text, "response message"),
        Entry(C::StatusDetails, "status_details", K::Json, "response details"),
        Entry(C::Decision, "decision", K::Text, "authoriser's decision: allow or forbid"),
        Entry(C::Reason, "reason", K::Text, "authoriser's reason"),
        Entry(C::Uri, "uri", K::Text, "request URI with its query"),
        Entry(C::Annotations, "annotations", K::Json, "object of annotations"),
        Entry(C::AuditIdText, "audit_id_text", K::Text, "audit id when it is not a canonical UUID"),
        Entry(C::Defect, "defect", K::Text, "why the entry is in quarantine"),
        Entry(C::RequestObject, "request_object", K::Body, "request body"),
        Entry(C::ResponseObject, "response_object", K::Body, "response body"),
        Entry(C::Residual, "residual", K::Binary, "the entry's text with the values of columns cut out"),
        Entry(C::Raw, "raw", K::Blob, "the entry's text when it is not kept as residual and columns"),
    ]
};

impl Column {
    /// Number of columns.
    pub const COUNT: usize = Column::Raw as usize + 1;

    /// Every column, in file order.
    pub fn all() -> impl ExactSizeIterator<Item = Column> + Clone {
        TABLE.iter().map(|entry| entry.0)
    }

    /// Name in the file.
    pub fn name(self) -> &'static str {
        TABLE[self as usize].1
    }

    /// How values are held.
    pub fn kind(self) -> Kind {
        TABLE[self as usize].2
    }

    /// What the column says, in one line.
    pub fn about(self) -> &'static str {
        TABLE[self as usize].3
    }

    /// The column of a name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::all().find(|column| column.name() == name)
    }

    /// The column with a number, as residuals name it.
    pub(crate) fn from_number(number: u8) -> Option<Self> {
        TABLE.get(usize::from(number)).map(|entry| entry.0)
    }

    /// Whether the file carries a bloom filter for it.
    pub(crate) fn has_bloom(self) -> bool {
        matches!(self, Self::AuditId)
    }
}

impl Kind {
    /// Whether values are held once per distinct value.
    pub(crate) fn is_coded(self) -> bool {
        matches!(self, Self::Text | Self::Json | Self::Binary)
    }

    /// Whether values are integers in memory.
    pub(crate) fn is_integer(self) -> bool {
        matches!(self, Self::Integer | Self::Time)
    }

    /// Whether values are held row by row as bytes.
    pub(crate) fn is_bytes(self) -> bool {
        matches!(self, Self::Body | Self::Blob)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table_is_in_the_order_of_the_numbers() {
        for (number, column) in Column::all().enumerate() {
            assert_eq!(column as usize, number, "{}", column.name());
            assert_eq!(Column::from_name(column.name()), Some(column));
        }
    }
}

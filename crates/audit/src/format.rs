//! The forms in which audit events travel.

/// Form of one entry's bytes. The codes are part of the ledger's format: they never change meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Format {
    /// An audit event as the API server writes it (any version of the audit API).
    Audit = 1,
    /// A CloudWatch log event whose `message` is the audit event (EKS).
    CloudWatch = 2,
    /// A Cloud Logging `LogEntry` of the Kubernetes API (GKE).
    Gke = 3,
    /// An Azure diagnostic record with the event in `properties.log` (AKS).
    Aks = 4,
    /// A ViaQ record of OpenShift logging: the event's fields beside the collector's.
    ViaQ = 5,
    /// A Splunk search result: the event in `result` or `_raw`.
    Splunk = 6,
    /// An OpenSearch or Elasticsearch hit: the event in `_source`.
    Source = 7,
    /// A line with the event behind a prefix, such as a CloudWatch export's timestamp.
    Prefixed = 8,
    /// An OpenTelemetry log record with the event in its body or attributes.
    Otlp = 9,
    /// A log collector's record with the event as text in `log`, `message` or `event.original`.
    Collected = 10,
    /// Not an audit event; kept as evidence.
    Quarantine = 255,
}

impl Format {
    /// All formats.
    pub const ALL: [Format; 11] = [
        Self::Audit,
        Self::CloudWatch,
        Self::Gke,
        Self::Aks,
        Self::ViaQ,
        Self::Splunk,
        Self::Source,
        Self::Prefixed,
        Self::Otlp,
        Self::Collected,
        Self::Quarantine,
    ];

    /// The number kept in the ledger.
    pub fn code(self) -> u8 {
        self as u8
    }

    /// The format of a code; `None` for a code of a newer version.
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.code() == code)
    }

    /// Stable name, as shown and documented.
    pub fn name(self) -> &'static str {
        match self {
            Self::Audit => "audit",
            Self::CloudWatch => "cloudwatch",
            Self::Gke => "gke",
            Self::Aks => "aks",
            Self::ViaQ => "viaq",
            Self::Splunk => "splunk",
            Self::Source => "source",
            Self::Prefixed => "prefixed",
            Self::Otlp => "otlp",
            Self::Collected => "collected",
            Self::Quarantine => "quarantine",
        }
    }
}

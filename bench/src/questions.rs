//! Ten questions that people ask, in everybody's language. All must give the same answer.

/// How we are asked.
pub(crate) enum Ours {
    /// Matching events: the query, what to show of each, and how many of the newest; all, if none is given.
    Events { query: &'static str, show: &'static [Show], newest: Option<u32> },
    /// Groups of matching events: the query, the keys, what is counted besides rows, and how many groups of the
    /// largest.
    Groups { query: &'static str, by: &'static [&'static str], count: Count, largest: Option<u32> },
}

/// A field of an event.
#[derive(Clone, Copy)]
pub(crate) enum Show {
    /// Microseconds since 1970.
    Time,
    Field(&'static str),
}

impl Show {
    /// Its name in a row.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Time => "time",
            Self::Field(name) => name,
        }
    }
}

/// What is counted in a group.
#[derive(Clone, Copy)]
pub(crate) enum Count {
    Rows,
    Distinct(&'static str),
}

/// One question.
pub(crate) struct Question {
    pub(crate) title: &'static str,
    pub(crate) ours: Ours,
    pub(crate) clickhouse: &'static str,
    pub(crate) duckdb: &'static str,
}

/// Stands for the audit id that is looked for.
pub(crate) const AUDIT_ID: &str = "AUDIT_ID";

pub(crate) const QUESTIONS: &[Question] = &[
    Question {
        title: "one audit id",
        ours: Ours::Events {
            query: "auditID:AUDIT_ID",
            show: &[Show::Time, Show::Field("user"), Show::Field("verb")],
            newest: None,
        },
        clickhouse: "SELECT toUnixTimestamp64Micro(time), user, verb FROM events WHERE audit_id = 'AUDIT_ID'",
        duckdb: "SELECT epoch_us(time), \"user\", verb FROM events WHERE audit_id = 'AUDIT_ID'",
    },
    Question {
        title: "who deleted deployments",
        ours: Ours::Events {
            query: "verb:delete resource:deployments",
            show: &[Show::Time, Show::Field("user"), Show::Field("namespace"), Show::Field("name")],
            newest: None,
        },
        clickhouse: "SELECT toUnixTimestamp64Micro(time), user, namespace, name FROM events WHERE verb = 'delete' AND resource = 'deployments'",
        duckdb: "SELECT epoch_us(time), \"user\", namespace, name FROM events WHERE verb = 'delete' AND resource = 'deployments'",
    },
    Question {
        title: "one user's count",
        ours: Ours::Groups { query: "user:alice@example.com", by: &[], count: Count::Rows, largest: None },
        clickhouse: "SELECT count() FROM events WHERE user = 'alice@example.com'",
        duckdb: "SELECT count(*) FROM events WHERE \"user\" = 'alice@example.com'",
    },
    Question {
        title: "top users",
        ours: Ours::Groups { query: "user:*", by: &["user"], count: Count::Rows, largest: Some(10) },
        clickhouse: "SELECT user, count() AS n FROM events WHERE user != '' GROUP BY user ORDER BY n DESC, user LIMIT 10",
        duckdb: "SELECT \"user\", count(*) AS n FROM events WHERE \"user\" IS NOT NULL GROUP BY 1 ORDER BY n DESC, 1 LIMIT 10",
    },
    Question {
        title: "403s per minute by verb",
        ours: Ours::Groups { query: "code:403", by: &["time:1m", "verb"], count: Count::Rows, largest: None },
        clickhouse: "SELECT intDiv(toUnixTimestamp64Micro(time), 60000000) * 60000000 AS minute, verb, count() FROM events WHERE code = 403 GROUP BY minute, verb",
        duckdb: "SELECT epoch_us(time) // 60000000 * 60000000 AS minute, verb, count(*) FROM events WHERE code = 403 GROUP BY minute, verb",
    },
    Question {
        title: "who outside system: read secrets",
        ours: Ours::Groups {
            query: "resource:secrets verb:get,list,watch user:* -user:system:*",
            by: &["user"],
            count: Count::Rows,
            largest: None,
        },
        clickhouse: "SELECT user, count() FROM events WHERE resource = 'secrets' AND verb IN ('get', 'list', 'watch') AND user != '' AND NOT startsWith(user, 'system:') GROUP BY user",
        duckdb: "SELECT \"user\", count(*) FROM events WHERE resource = 'secrets' AND verb IN ('get', 'list', 'watch') AND NOT starts_with(\"user\", 'system:') GROUP BY 1",
    },
    Question {
        title: "a word in a request body",
        ours: Ours::Groups { query: "request:xmrig", by: &[], count: Count::Rows, largest: None },
        clickhouse: "SELECT count() FROM events WHERE request LIKE '%xmrig%'",
        duckdb: "SELECT count(*) FROM events WHERE contains(CAST(request_object AS VARCHAR), 'xmrig')",
    },
    Question {
        title: "distinct addresses per user",
        ours: Ours::Groups { query: "user:*", by: &["user"], count: Count::Distinct("peer"), largest: None },
        clickhouse: "SELECT user, uniqExact(ips[-1]) FROM events WHERE user != '' GROUP BY user",
        duckdb: "SELECT \"user\", count(DISTINCT peer) FROM events WHERE \"user\" IS NOT NULL GROUP BY 1",
    },
    Question {
        title: "newest 100 of a user",
        ours: Ours::Events {
            query: "user:alice@example.com",
            show: &[
                Show::Time,
                Show::Field("verb"),
                Show::Field("resource"),
                Show::Field("namespace"),
                Show::Field("name"),
                Show::Field("code"),
            ],
            newest: Some(100),
        },
        clickhouse: "SELECT toUnixTimestamp64Micro(time), verb, resource, namespace, name, code FROM events WHERE user = 'alice@example.com' ORDER BY time DESC LIMIT 100",
        duckdb: "SELECT epoch_us(time), verb, resource, namespace, name, code FROM events WHERE \"user\" = 'alice@example.com' ORDER BY time DESC LIMIT 100",
    },
    Question {
        title: "one object's history",
        ours: Ours::Events {
            query: "resource:deployments ns:web name:cache -verb:get,list,watch",
            show: &[Show::Time, Show::Field("verb"), Show::Field("user")],
            newest: None,
        },
        clickhouse: "SELECT toUnixTimestamp64Micro(time), verb, user FROM events WHERE resource = 'deployments' AND namespace = 'web' AND name = 'cache' AND verb NOT IN ('get', 'list', 'watch') ORDER BY time",
        duckdb: "SELECT epoch_us(time), verb, \"user\" FROM events WHERE resource = 'deployments' AND namespace = 'web' AND name = 'cache' AND verb NOT IN ('get', 'list', 'watch') ORDER BY time",
    },
];

/// What an engine said: rows of texts, in no order.
#[derive(Debug, Clone, serde::Deserialize)]
#[serde(untagged)]
pub(crate) enum Answer {
    Given { rows: Vec<Vec<String>>, seconds: f64 },
    Refused { error: String },
}

impl Answer {
    /// The rows in an order of their own, so that answers can be compared.
    pub(crate) fn sorted(&self) -> Option<Vec<Vec<String>>> {
        let Self::Given { rows, .. } = self else { return None };
        let mut rows = rows.clone();
        rows.sort();
        Some(rows)
    }

    /// Median time, in milliseconds.
    pub(crate) fn milliseconds(&self) -> Option<f64> {
        match self {
            Self::Given { seconds, .. } => Some(seconds * 1e3),
            Self::Refused { .. } => None,
        }
    }
}

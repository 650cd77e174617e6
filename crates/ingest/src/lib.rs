//! Inbound edges: audit webhook, log tail, standard input, import.
//!
//! Everything takes the same way: bytes are split into entries ([`Intake`]), entries go to the ledger in batches, and only
//! a commit of the ledger makes an acknowledgement: a `200`, a saved place in a log, a finished import.
//!
//! Does not know what an event means, how it is stored or searched, or what is detected in it. [`Server`] serves any
//! router, because what makes a listener safe is the same for the webhook and the API.

mod budget;
mod certificate;
mod cluster;
mod encoding;
mod feeder;
mod import;
mod intake;
mod metrics;
mod pipe;
mod sender;
mod server;
mod tail;
mod tls;
mod unpack;
mod webhook;

pub use budget::{Exhausted, MemoryBudget, Share};
pub use certificate::{GenerateError, Generated};
pub use cluster::{ClusterName, NotAClusterName};
pub use feeder::{Feeder, StopFlag};
pub use import::{Files, ImportError, Input, expand};
pub use intake::{BATCH_BYTES, Deliver, Intake, Naming, Origin, Tally, Undelivered};
pub use metrics::{CLUSTERS_LABELLED_MAX, IngestMetrics};
pub use pipe::follow_pipe;
pub use sender::{Admission, Openness, Refusal, TOKEN_BYTES_MIN, TokenFileError, Tokens};
pub use server::{Peer, Server, ServerLimits, ServerMetrics, Transport};
pub use tail::{Progress, Tail, TailOptions, drain, positions_file};
pub use tls::{Fingerprint, Reload, Tls, TlsError, TlsFiles};
pub use unpack::unpack_any;
pub use webhook::{Webhook, WebhookLimits};

/// An error with its causes, for a log line.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |error| error.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

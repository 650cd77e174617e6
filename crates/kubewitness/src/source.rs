//! Arguments that say which events are asked about, and where they are.

use std::path::PathBuf;

use audit::Micros;
use host::Host;
use query::{Context, Expr, Field, Pattern, Query, Range, Test};

use crate::backend::Backend;
use crate::exit::Usage;
use crate::local::Local;
use crate::output::Zone;
use crate::remote::Remote;

/// Where the events are.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Source")]
pub(crate) struct SourceArgs {
    /// Data directory to read; a server may be writing it
    #[arg(long, env = "KUBEWITNESS_DATA_DIR", default_value = "kubewitness-data", value_name = "DIR")]
    data_dir: PathBuf,
    /// Ask a running server instead: `https://host:port`
    #[arg(long, env = "KUBEWITNESS_SERVER", value_name = "URL")]
    server: Option<String>,
    /// Token for the server (the contents of its keys/api.token)
    #[arg(long, env = "KUBEWITNESS_TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// File of certificates to trust for the server, in PEM
    #[arg(long, env = "KUBEWITNESS_CA_CERT", value_name = "FILE")]
    ca_cert: Option<PathBuf>,
}

/// A data directory on this machine, for what needs the bytes themselves.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct DataDir {
    /// Data directory to read; a server may be writing it
    #[arg(long, env = "KUBEWITNESS_DATA_DIR", default_value = "kubewitness-data", value_name = "DIR")]
    data_dir: PathBuf,
}

impl DataDir {
    /// Opens the log and the store.
    pub(crate) fn open(&self) -> anyhow::Result<Local> {
        Local::open(&Host::system(), &self.data_dir)
    }

    /// Where the store's segments are.
    pub(crate) fn segments(&self) -> PathBuf {
        self.data_dir.join(crate::local::STORE)
    }
}

/// Which events are asked about.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Filter")]
pub(crate) struct FilterArgs {
    /// Only events since then: `2h`, `7d` (ago), `2026-11-21`, `2026-11-21T23:00`, RFC 3339
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<String>,
    /// Only events until then
    #[arg(long, value_name = "TIME")]
    pub(crate) until: Option<String>,
    /// Only objects in this namespace; `*` and `?` are wildcards
    #[arg(short, long)]
    pub(crate) namespace: Option<String>,
    /// Only events of this cluster
    #[arg(long)]
    pub(crate) cluster: Option<String>,
}

impl SourceArgs {
    /// Opens the source to read.
    pub(crate) fn open(&self) -> anyhow::Result<Box<dyn Backend>> {
        if let Some(url) = &self.server {
            return Ok(Box::new(Remote::new(url, self.token.clone(), self.ca_cert.as_deref())?));
        }
        Ok(Box::new(Local::open(&Host::system(), &self.data_dir)?))
    }
}

/// Where and when this command reads queries.
pub(crate) fn context(zone: &Zone) -> Context {
    let now = Host::system().clock.now().0;
    Context { now, utc_offset_seconds: zone.offset_seconds(now) }
}

impl FilterArgs {
    /// Whether any flag is given.
    pub(crate) fn is_given(&self) -> bool {
        [&self.since, &self.until, &self.namespace, &self.cluster].iter().any(|flag| flag.is_some())
    }

    /// The query of `text` and the flags.
    pub(crate) fn query(&self, text: &str, zone: &Zone) -> anyhow::Result<Query> {
        let context = context(zone);
        let query = Query::parse(text, &context)
            .map_err(|error| Usage(format!("the query cannot be read\n{}", error.render(text))))?;
        Ok(query.and(self.rows(&context)?))
    }

    /// The time that `--since` names.
    pub(crate) fn since(&self, context: &Context) -> anyhow::Result<Option<Micros>> {
        let time = self.since.as_deref().map(|text| query::parse_since(text, context)).transpose();
        Ok(time.map_err(|error| Usage(error.to_string()))?)
    }

    /// The query of the flags alone.
    pub(crate) fn rows(&self, context: &Context) -> anyhow::Result<Query> {
        let low = self.since(context)?;
        let high = self.until.as_deref().map(|text| query::parse_until(text, context)).transpose();
        let high = high.map_err(|error| Usage(error.to_string()))?;
        let named = |field, name: &Option<String>| name.as_deref().map(|name| Expr::field(field, glob(name)));
        let flags = [named(Field::Namespace, &self.namespace), named(Field::Cluster, &self.cluster)];
        Ok(Query { expr: Expr::and(flags.into_iter().flatten()) }.and(Query::within(Range { low, high })))
    }
}

/// The test for a name given on the command line.
pub(crate) fn glob(name: &str) -> Test {
    let pattern = Pattern::with_wildcards(name);
    if pattern.is_any() { Test::Exists } else { Test::Is(pattern) }
}

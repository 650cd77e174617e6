//! Configuration: what was typed ([`RawConfig`]) becomes what it means ([`Config`]). Parsing does nothing else.
//!
//! A flag or variable outweighs the file, the file outweighs the default. Every setting is in the table of `settings.rs`.

mod raw;
mod settings;

use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use audit::ByteSize;
use clap::{Args, Subcommand};
use ingest::{ClusterName, Openness, ServerLimits, TlsFiles, WebhookLimits};
use store::{Limits, Retention};

pub(crate) use raw::{RawConfig, RawRetention, RawTail};
pub(crate) use settings::reference;
use settings::{SETTINGS, schema};

/// What the server does. Every value is checked; nothing has been opened.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    pub(crate) data_dir: PathBuf,
    pub(crate) cluster: ClusterName,
    pub(crate) webhook: WebhookConfig,
    pub(crate) api: ApiConfig,
    pub(crate) tails: Vec<TailConfig>,
    pub(crate) retention: Retention,
    pub(crate) ledger: ledger::Options,
    pub(crate) store: store::Options,
    pub(crate) log: LogConfig,
}

#[derive(Debug, Clone)]
pub(crate) struct WebhookConfig {
    pub(crate) listen: SocketAddr,
    pub(crate) certificates: Certificates,
    pub(crate) client_authorities: Option<PathBuf>,
    pub(crate) openness: Openness,
    pub(crate) tokens: Option<PathBuf>,
    pub(crate) limits: WebhookLimits,
    pub(crate) server: ServerLimits,
    pub(crate) memory_max: usize,
    pub(crate) memory_wait_max: Duration,
}

/// Where the server's certificate comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Certificates {
    /// No TLS.
    Plain,
    /// Made by us, for these further names.
    Generated(Vec<String>),
    /// Given.
    Files(TlsFiles),
}

#[derive(Debug, Clone)]
pub(crate) struct ApiConfig {
    pub(crate) listen: SocketAddr,
    pub(crate) server: ServerLimits,
}

#[derive(Debug, Clone)]
pub(crate) struct TailConfig {
    pub(crate) path: PathBuf,
    pub(crate) cluster: ClusterName,
}

#[derive(Debug, Clone)]
pub(crate) struct LogConfig {
    pub(crate) format: LogFormat,
    pub(crate) filter: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LogFormat {
    Auto,
    Text,
    Json,
}

impl Config {
    /// What a configuration means.
    ///
    /// # Errors
    /// Names the setting, what is wrong with it, and what would be right.
    pub(crate) fn from_raw(raw: RawConfig) -> anyhow::Result<Self> {
        let cluster = or_default(raw.cluster, "cluster").parse().context("cluster")?;
        let tails = raw.tail.into_iter().map(|tail| TailConfig::from_raw(tail, &cluster)).collect::<Result<_, _>>()?;
        let defaults = ledger::Options::default();
        let ledger = ledger::Options {
            pending_bytes_max: size("ledger.pending_bytes_max", raw.ledger.pending_bytes_max)? as usize,
            group_wait_max: duration("ledger.group_wait_max", raw.ledger.group_wait_max)?,
            free_bytes_min: size("ledger.free_bytes_min", raw.ledger.free_bytes_min)?,
            ..defaults
        };
        let seal_after = duration("store.seal_after", raw.store.seal_after)?;
        let store = store::Options { head_age_max: seal_after.as_micros() as i64, ..store::Options::default() };
        Ok(Self {
            data_dir: or_default(raw.data_dir, "data_dir").into(),
            cluster,
            webhook: WebhookConfig::from_raw(raw.webhook)?,
            api: ApiConfig {
                listen: address("api.listen", raw.api.listen)?,
                server: server_limits("api.connections_max", raw.api.connections_max)?,
            },
            tails,
            retention: retention(raw.retention)?,
            ledger,
            store,
            log: LogConfig {
                format: match one_of("log.format", raw.log.format)?.as_str() {
                    "text" => LogFormat::Text,
                    "json" => LogFormat::Json,
                    _ => LogFormat::Auto,
                },
                filter: or_default(raw.log.filter, "log.filter"),
            },
        })
    }
}

impl WebhookConfig {
    fn from_raw(raw: raw::RawWebhook) -> anyhow::Result<Self> {
        let listen = address("webhook.listen", raw.listen)?;
        let client_authorities: Option<PathBuf> = raw.client_authorities.map(PathBuf::from);
        let certificates = match (one_of("webhook.transport", raw.transport)?.as_str(), raw.certificate, raw.key) {
            ("plain", _, _) if !listen.ip().is_loopback() => {
                bail!("webhook.transport: plain is taken on loopback only, and webhook.listen is {listen}; use tls")
            }
            ("plain", _, _) => Certificates::Plain,
            (_, Some(certificate), Some(key)) => Certificates::Files(TlsFiles {
                certificate: certificate.into(),
                key: key.into(),
                client_authorities: client_authorities.clone(),
            }),
            (_, None, None) => Certificates::Generated(raw.names),
            _ => bail!("webhook.certificate and webhook.key belong together: give both, or neither to have one made"),
        };
        let openness = match one_of("webhook.credential", raw.credential)?.as_str() {
            "none" if !listen.ip().is_loopback() => {
                bail!("webhook.credential: none is taken on loopback only, and webhook.listen is {listen}")
            }
            "none" => Openness::Anyone,
            _ => Openness::Credential,
        };
        let body_bytes_max = size("webhook.body_bytes_max", raw.body_bytes_max)?;
        Ok(Self {
            listen,
            certificates,
            client_authorities,
            openness,
            tokens: raw.tokens.map(PathBuf::from),
            limits: WebhookLimits { body_bytes_max, ..WebhookLimits::default() },
            server: server_limits("webhook.connections_max", raw.connections_max)?,
            memory_max: size("webhook.memory_max", raw.memory_max)? as usize,
            memory_wait_max: duration("webhook.memory_wait_max", raw.memory_wait_max)?,
        })
    }
}

impl TailConfig {
    fn from_raw(raw: RawTail, cluster: &ClusterName) -> anyhow::Result<Self> {
        let named = raw.cluster.map(|name| name.parse()).transpose().context("tail.cluster")?;
        Ok(Self { path: raw.path.into(), cluster: named.unwrap_or_else(|| cluster.clone()) })
    }
}

/// Limits by cluster; the entry without one is for all others.
fn retention(raw: Vec<RawRetention>) -> anyhow::Result<Retention> {
    let mut retention = Retention::default();
    for RawRetention { cluster, age_max, bytes_max } in raw {
        let age_max = age_max.map(|text| duration("retention.age_max", Some(text))).transpose()?;
        let limits = Limits {
            age_max: age_max.map(|age| age.as_micros() as i64),
            bytes_max: bytes_max.map(|text| size("retention.bytes_max", Some(text))).transpose()?,
        };
        match cluster {
            None => retention.default = limits,
            Some(name) => {
                let name: ClusterName = name.parse().context("retention.cluster")?;
                retention.clusters.insert(name.to_string(), limits);
            }
        }
    }
    Ok(retention)
}

fn or_default(value: Option<String>, path: &str) -> String {
    value.unwrap_or_else(|| default(path).to_owned())
}

/// The default that the table of settings gives.
fn default(path: &str) -> &'static str {
    SETTINGS.iter().find(|setting| setting.path == path).map_or("", |setting| setting.default)
}

fn address(path: &str, value: Option<String>) -> anyhow::Result<SocketAddr> {
    let text = or_default(value, path);
    text.parse().map_err(|_| anyhow::anyhow!("{path}: `{text}` is not ADDRESS:PORT, such as {}", default(path)))
}

fn size(path: &str, value: Option<String>) -> anyhow::Result<u64> {
    let size: ByteSize = or_default(value, path).parse().with_context(|| path.to_owned())?;
    Ok(size.0)
}

fn duration(path: &str, value: Option<String>) -> anyhow::Result<Duration> {
    let text = or_default(value, path);
    let micros = query::parse_duration(&text).and_then(|micros| u64::try_from(micros).ok());
    let micros = micros.with_context(|| format!("{path}: `{text}` is not a duration such as 500ms, 2s or 10m"))?;
    Ok(Duration::from_micros(micros))
}

fn one_of(path: &str, value: Option<String>) -> anyhow::Result<String> {
    let text = or_default(value, path);
    let setting = SETTINGS.iter().find(|setting| setting.path == path);
    match setting.map(|setting| setting.kind) {
        Some(settings::Kind::OneOf(values)) if !values.contains(&text.as_str()) => {
            bail!("{path}: `{text}` is not one of {}", values.join(", "))
        }
        _ => Ok(text),
    }
}

fn server_limits(path: &str, connections_max: Option<usize>) -> anyhow::Result<ServerLimits> {
    let connections_max = match connections_max {
        Some(0) => bail!("{path}: at least 1"),
        Some(count) => count,
        None => default(path).parse()?,
    };
    Ok(ServerLimits { connections_max, ..ServerLimits::default() })
}

/// The configuration file and what outweighs it; the same for every command that reads a configuration.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct ConfigArgs {
    /// Configuration file (YAML)
    #[arg(long, value_name = "FILE", env = "KUBEWITNESS_CONFIG")]
    pub(crate) config: Option<PathBuf>,
    /// Directory that everything is kept in [default: kubewitness-data]
    #[arg(long, value_name = "DIR", env = "KUBEWITNESS_DATA_DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Cluster of senders that name none [default: default]
    #[arg(long, value_name = "NAME", env = "KUBEWITNESS_CLUSTER")]
    pub(crate) cluster: Option<String>,
    /// Address that API servers send to [default: 0.0.0.0:9443]
    #[arg(long, value_name = "ADDR", env = "KUBEWITNESS_WEBHOOK_LISTEN")]
    pub(crate) webhook_listen: Option<String>,
    /// Address of the API [default: 127.0.0.1:9444]
    #[arg(long, value_name = "ADDR", env = "KUBEWITNESS_API_LISTEN")]
    pub(crate) api_listen: Option<String>,
    /// Log file to follow, a pattern, or - for standard input, with its cluster before it if it has one; may be given several times
    #[arg(long = "tail", value_name = "[CLUSTER=]PATH")]
    pub(crate) tails: Vec<String>,
}

impl ConfigArgs {
    /// File, then flags and variables.
    pub(crate) fn raw(&self) -> anyhow::Result<RawConfig> {
        let mut raw = self.config.as_deref().map(RawConfig::read).transpose()?.unwrap_or_default();
        let outweigh = |setting: &mut Option<String>, flag: &Option<String>| {
            if flag.is_some() {
                setting.clone_from(flag);
            }
        };
        outweigh(&mut raw.data_dir, &self.data_dir.as_ref().map(|path| path.display().to_string()));
        outweigh(&mut raw.cluster, &self.cluster);
        outweigh(&mut raw.webhook.listen, &self.webhook_listen);
        outweigh(&mut raw.api.listen, &self.api_listen);
        raw.tail.extend(self.tails.iter().map(|text| tail_of_flag(text)));
        Ok(raw)
    }

    /// What file, flags and variables mean together.
    pub(crate) fn load(&self) -> anyhow::Result<Config> {
        Config::from_raw(self.raw()?)
    }
}

/// `CLUSTER=PATH`, or a path alone, which may also have a `=` in it.
fn tail_of_flag(text: &str) -> RawTail {
    match text.split_once('=') {
        Some((cluster, path)) if cluster.parse::<ClusterName>().is_ok() => {
            RawTail { path: path.to_owned(), cluster: Some(cluster.to_owned()) }
        }
        _ => RawTail { path: text.to_owned(), cluster: None },
    }
}

/// Check, show or describe the configuration.
#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Check the configuration and say what is wrong with it
    Check(ConfigArgs),
    /// Print every setting with the value that it has
    Show(ConfigArgs),
    /// Print the JSON Schema of the configuration file, for editors
    Schema,
    /// Print the reference page of the configuration
    #[command(hide = true)]
    Reference,
}

pub(crate) fn run(command: &ConfigCommand) -> anyhow::Result<ExitCode> {
    let mut out = anstream::stdout().lock();
    match command {
        ConfigCommand::Check(args) => {
            args.load()?;
            writeln!(out, "the configuration is right")?;
        }
        ConfigCommand::Show(args) => {
            args.load()?;
            write!(out, "{}", show(&args.raw()?)?)?;
        }
        ConfigCommand::Reference => write!(out, "{}", reference())?,
        ConfigCommand::Schema => writeln!(out, "{:#}", schema())?,
    }
    Ok(ExitCode::SUCCESS)
}

/// The configuration with its defaults filled in, as a file that means the same.
fn show(raw: &RawConfig) -> anyhow::Result<String> {
    let typed = serde_json::to_value(raw)?;
    let mut shown = String::new();
    let mut section = "";
    for setting in SETTINGS.iter().filter(|setting| !setting.path.contains("[]")) {
        let (group, name) = setting.path.split_once('.').unwrap_or(("", setting.path));
        if group != section {
            shown.push_str(&format!("{group}:\n"));
            section = group;
        }
        let value = typed.pointer(&format!("/{}", setting.path.replace('.', "/")));
        let value = match value {
            Some(value) if !value.is_null() && value != &serde_json::json!([]) => value.to_string(),
            _ if setting.default.is_empty() => "null".to_owned(),
            _ if setting.kind == settings::Kind::Count => setting.default.to_owned(),
            _ => serde_json::json!(setting.default).to_string(),
        };
        let value = if value == "null" && setting.kind == settings::Kind::Texts { "[]".to_owned() } else { value };
        let indent = if group.is_empty() { "" } else { "  " };
        shown.push_str(&format!("{indent}{name}: {value}  # {}\n", setting.about));
    }
    let retention = &typed["retention"];
    shown.push_str(&format!("retention: {retention}  # what is kept: a list of cluster, age_max and bytes_max\n"));
    shown.push_str(&format!("tail: {}  # log files to follow: a list of path and cluster\n", typed["tail"]));
    Ok(shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(text: &str) -> String {
        let raw = match RawConfig::parse(text) {
            Ok(raw) => raw,
            Err(error) => return error,
        };
        format!("{:#}", Config::from_raw(raw).unwrap_err())
    }

    #[test]
    fn nothing_is_a_configuration() {
        let config = Config::from_raw(RawConfig::parse("# nothing\n").unwrap()).unwrap();
        assert_eq!(config.webhook.listen, "0.0.0.0:9443".parse().unwrap());
        assert_eq!(config.webhook.openness, Openness::Credential);
        assert!(config.api.listen.ip().is_loopback());
        assert_eq!(config.webhook.limits.body_bytes_max, 256 << 20);
    }

    #[test]
    fn mistakes_are_named_with_what_would_be_right() {
        for (text, expected) in [
            ("webhok: {}", "there is no setting `webhok`; did you mean `webhook`?"),
            ("webhook:\n  body_byte_max: 1MiB", "there is no setting `body_byte_max`; did you mean `body_bytes_max`?"),
            ("webhook: {listen: here}", "webhook.listen: `here` is not ADDRESS:PORT, such as 0.0.0.0:9443"),
            (
                "webhook: {transport: plain}",
                "webhook.transport: plain is taken on loopback only, and webhook.listen is 0.0.0.0:9443; use tls",
            ),
            (
                "webhook: {credential: none}",
                "webhook.credential: none is taken on loopback only, and webhook.listen is 0.0.0.0:9443",
            ),
            (
                "webhook: {key: a.pem}",
                "webhook.certificate and webhook.key belong together: give both, or neither to have one made",
            ),
            ("webhook: {connections_max: 0}", "webhook.connections_max: at least 1"),
            ("store: {seal_after: soon}", "store.seal_after: `soon` is not a duration such as 500ms, 2s or 10m"),
            ("log: {format: xml}", "log.format: `xml` is not one of auto, text, json"),
        ] {
            let found = problem(text);
            let found =
                found.split(" at line").next().unwrap().to_owned() + found.split_once("; did").map_or("", |_| "");
            let expected_start = expected.split(';').next().unwrap();
            assert!(found.starts_with(expected_start), "{text}: {found}");
        }
        assert!(problem("webhok: {}").ends_with("did you mean `webhook`?"));
        assert!(problem("cluster: a b").contains("is not a cluster name"));
    }

    #[test]
    fn retention_is_by_cluster() {
        let text = "retention:\n- {age_max: 90d}\n- {cluster: eu, age_max: 1d, bytes_max: 2GiB}\n";
        let retention = Config::from_raw(RawConfig::parse(text).unwrap()).unwrap().retention;
        let day = 86_400_000_000;
        assert_eq!(retention.default, Limits { age_max: Some(90 * day), bytes_max: None });
        assert_eq!(retention.clusters["eu"], Limits { age_max: Some(day), bytes_max: Some(2 << 30) });
        assert!(problem("retention: [{age_max: never}]").contains("retention.age_max"));
    }

    #[test]
    fn a_flag_names_the_cluster_of_a_log() {
        let read = |text| (tail_of_flag(text).cluster.unwrap_or_default(), tail_of_flag(text).path);
        assert_eq!(read("eu=/var/log/a.log"), ("eu".to_owned(), "/var/log/a.log".to_owned()));
        assert_eq!(read("/var/log/a=b.log"), (String::new(), "/var/log/a=b.log".to_owned()));
    }

    #[test]
    fn what_is_shown_means_the_same() {
        let raw = RawConfig::parse("cluster: eu\nwebhook: {names: [a.example]}\ntail: [{path: /x.log}]\n").unwrap();
        let again = RawConfig::parse(&show(&raw).unwrap()).unwrap();
        assert_eq!(again.cluster.as_deref(), Some("eu"));
        assert_eq!((again.webhook.names, again.tail), (raw.webhook.names, raw.tail));
        assert_eq!(again.store.seal_after.as_deref(), Some("10m"));
    }

    #[test]
    fn the_table_has_every_setting_and_no_other() {
        let mut typed = serde_json::to_value(RawConfig::default()).unwrap();
        typed["tail"] =
            serde_json::json!([serde_json::to_value(RawTail { path: String::new(), cluster: None }).unwrap()]);
        typed["retention"] = serde_json::json!([serde_json::to_value(RawRetention::default()).unwrap()]);
        let mut paths = Vec::new();
        for (name, value) in typed.as_object().unwrap() {
            let (prefix, inside) = match value {
                serde_json::Value::Array(items) => (format!("{name}[]."), items[0].as_object()),
                value => (format!("{name}."), value.as_object()),
            };
            match inside {
                Some(inside) => paths.extend(inside.keys().map(|key| format!("{prefix}{key}"))),
                None => paths.push(name.clone()),
            }
        }
        assert_eq!(paths, SETTINGS.iter().map(|setting| setting.path).collect::<Vec<_>>());
        assert!(schema()["properties"]["tail"]["items"]["properties"]["path"].is_object());
    }
}

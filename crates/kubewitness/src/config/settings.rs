//! The table of settings: names, kinds, defaults, meaning. The schema and the suggestions are made from it.

use serde_json::{Value, json};

/// One setting of the configuration file.
pub(crate) struct Setting {
    /// Path in the file; `[]` stands for a list.
    pub(crate) path: &'static str,
    pub(crate) kind: Kind,
    /// As it would be written in the file; empty for none.
    pub(crate) default: &'static str,
    pub(crate) about: &'static str,
}

/// How a value is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    Texts,
    Address,
    Size,
    Duration,
    Count,
    OneOf(&'static [&'static str]),
}

use Kind::{Address, Count, Duration, OneOf, Size, Text, Texts};

const fn setting(path: &'static str, kind: Kind, default: &'static str, about: &'static str) -> Setting {
    Setting { path, kind, default, about }
}

/// Every setting, in the order in which they are shown.
pub(crate) const SETTINGS: &[Setting] = &[
    setting("data_dir", Text, "kubewitness-data", "directory that everything is kept in"),
    setting("cluster", Text, "default", "cluster of senders that name none"),
    setting("webhook.listen", Address, "0.0.0.0:9443", "address that API servers send to"),
    setting("webhook.transport", OneOf(&["tls", "plain"]), "tls", "plain is taken on loopback only"),
    setting("webhook.credential", OneOf(&["required", "none"]), "required", "none is taken on loopback only"),
    setting("webhook.names", Texts, "", "further names and addresses in the generated certificate"),
    setting("webhook.certificate", Text, "", "PEM certificate chain; generated when absent"),
    setting("webhook.key", Text, "", "PEM private key of the certificate"),
    setting("webhook.client_authorities", Text, "", "PEM authorities whose client certificates name clusters"),
    setting("webhook.tokens", Text, "", "file of `TOKEN CLUSTER` lines; read again when it changes"),
    setting("webhook.body_bytes_max", Size, "256MiB", "a larger request body is answered with 413"),
    setting("webhook.memory_max", Size, "256MiB", "memory for all requests; beyond it they wait, then get 503"),
    setting("webhook.memory_wait_max", Duration, "5s", "longest wait for that memory"),
    setting("webhook.connections_max", Count, "1024", "open connections; further ones are closed"),
    setting("api.listen", Address, "127.0.0.1:9444", "address of the API; TLS and the token are on except on loopback"),
    setting("api.connections_max", Count, "1024", "open connections; further ones are closed"),
    setting("tail[].path", Text, "", "log file to follow, a pattern with * and ?, or - for standard input"),
    setting("tail[].cluster", Text, "", "its cluster; the setting `cluster` when absent"),
    setting("retention[].cluster", Text, "", "cluster that the limits are for; all others when absent"),
    setting("retention[].age_max", Duration, "", "age at which events go; no limit when absent"),
    setting("retention[].bytes_max", Size, "", "bytes on disk beyond which the oldest go; no limit when absent"),
    setting("ledger.pending_bytes_max", Size, "64MiB", "bytes that wait for the disk; beyond it senders get 503"),
    setting("ledger.group_wait_max", Duration, "2ms", "longest wait of a batch for company before it is synced"),
    setting("ledger.free_bytes_min", Size, "128MiB", "room that is left on the disk; below it senders get 503"),
    setting("store.seal_after", Duration, "10m", "age at which fresh rows become a file"),
    setting("log.format", OneOf(&["auto", "text", "json"]), "auto", "auto is text on a terminal and JSON elsewhere"),
    setting("log.filter", Text, "info", "level, or targets with levels: info,ingest=debug"),
];

/// The reference page of the configuration, in Markdown.
pub(crate) fn reference() -> String {
    let mut page = String::from(
        "# Configuration\n\n\
         One YAML file, given with `--config` or `KUBEWITNESS_CONFIG`. Flags and variables outweigh it. Nothing has to be set.\n\
         `kubewitness config check` says what is wrong, `config show` what is in force, `config schema` helps an editor.\n\n\
         | setting | value | default | meaning |\n|---|---|---|---|\n",
    );
    for Setting { path, kind, default, about } in SETTINGS {
        let default = if default.is_empty() { "–".to_owned() } else { format!("`{default}`") };
        page.push_str(&format!("| `{path}` | {} | {default} | {about} |\n", kind.name()));
    }
    page
}

impl Kind {
    fn name(self) -> String {
        match self {
            Text => "text".to_owned(),
            Texts => "list of texts".to_owned(),
            Address => "ADDRESS:PORT".to_owned(),
            Size => "size: `64MiB`, `2GB`".to_owned(),
            Duration => "duration: `500ms`, `2h30m`, `7d`".to_owned(),
            Count => "number".to_owned(),
            OneOf(values) => values.iter().map(|value| format!("`{value}`")).collect::<Vec<_>>().join(", "),
        }
    }
}

/// JSON Schema of the configuration file, for editors.
pub(crate) fn schema() -> Value {
    let mut root = object();
    root["$schema"] = "https://json-schema.org/draft/2020-12/schema".into();
    root["title"] = "KubeWitness configuration".into();
    for setting in SETTINGS {
        let mut place = &mut root;
        let mut steps = setting.path.split('.').peekable();
        while let Some(step) = steps.next() {
            let properties = &mut place["properties"];
            if steps.peek().is_none() {
                properties[step] = leaf(setting);
                break;
            }
            let (name, is_list) = step.strip_suffix("[]").map_or((step, false), |name| (name, true));
            if properties[name].is_null() {
                properties[name] = if is_list { json!({ "type": "array", "items": object() }) } else { object() };
            }
            place = if is_list { &mut properties[name]["items"] } else { &mut properties[name] };
        }
    }
    root
}

fn object() -> Value {
    json!({ "type": "object", "properties": {}, "additionalProperties": false })
}

fn leaf(setting: &Setting) -> Value {
    let mut leaf = match setting.kind {
        Text | Address | Size | Duration => json!({ "type": "string" }),
        Texts => json!({ "type": "array", "items": { "type": "string" } }),
        Count => json!({ "type": "integer", "minimum": 1 }),
        OneOf(values) => json!({ "enum": values }),
    };
    leaf["description"] = setting.about.into();
    if !setting.default.is_empty() {
        leaf["default"] = match setting.kind {
            Count => setting.default.parse::<u64>().map_or(Value::Null, Value::from),
            _ => setting.default.into(),
        };
    }
    leaf
}

/// The setting whose name is nearest to `name`, among those that stand beside it.
pub(crate) fn nearest(name: &str, candidates: &[&str]) -> Option<String> {
    let distance = |candidate: &&str| strsim::damerau_levenshtein(name, candidate);
    let best = candidates.iter().min_by_key(|candidate| distance(candidate))?;
    (distance(best) <= 2.max(name.len() / 3)).then(|| (*best).to_owned())
}

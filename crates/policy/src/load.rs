//! Bytes to a policy, with the API server's own errors and warnings.

mod decode;
mod schema;
mod time;
mod validate;

pub(crate) use self::validate::is_subdomain;
use crate::json;
use crate::model::Policy;
use crate::version::ServerVersion;
use crate::yaml;

/// Largest document read; the server has no limit, but no policy comes near this.
pub const MAX_DOCUMENT_BYTES: usize = 64 << 20;

const GROUP: &str = "audit.k8s.io";

/// The outcome of loading a document: what the server would do with the same bytes.
#[derive(Debug)]
pub struct Loaded {
    /// The policy, or the reason why the server does not start.
    pub policy: Result<Policy, LoadError>,
    /// What the server logs once when strict decoding complains and it goes on leniently.
    pub warning: Option<String>,
}

/// Why a document is not a policy. `Display` is the server's text for the document bytes; loading from a file
/// appends `: from file <path>`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LoadError {
    /// Not YAML. `line` counts from one, as an editor does.
    #[error("failed decoding: {text}")]
    Yaml {
        /// The YAML library's text.
        text: String,
        /// Line of the problem.
        line: Option<usize>,
    },
    /// JSON syntax, a value of the wrong type, or a kind or version that the server does not know.
    #[error("failed decoding: {0}")]
    Decode(String),
    /// No usable `apiVersion`.
    #[error("unknown group version field {0} in policy")]
    GroupVersion(String),
    /// Field errors, each as `<path>: <type>: <detail>`.
    #[error("{}", aggregate(.0))]
    Validation(Vec<String>),
    /// A policy needs at least one rule.
    #[error("loaded illegal policy with 0 rules")]
    ZeroRules,
}

fn aggregate(errors: &[String]) -> String {
    match errors {
        [only] => only.clone(),
        several => format!("[{}]", several.join(", ")),
    }
}

/// Loads a document as the API server of this version does.
pub fn load(bytes: &[u8], server: ServerVersion) -> Loaded {
    match decode(bytes, server) {
        Ok(decoded) => Loaded { policy: finish(decoded.policy, server), warning: decoded.warning },
        Err(Failure { error, warning }) => Loaded { policy: Err(error), warning },
    }
}

struct Decoded {
    policy: decode::RawPolicy,
    warning: Option<String>,
}

struct Failure {
    error: LoadError,
    warning: Option<String>,
}

impl From<LoadError> for Failure {
    fn from(error: LoadError) -> Self {
        Self { error, warning: None }
    }
}

fn finish(raw: decode::RawPolicy, server: ServerVersion) -> Result<Policy, LoadError> {
    let errors = validate::policy(&raw, server);
    if !errors.is_empty() {
        return Err(LoadError::Validation(errors));
    }
    if raw.rules.is_empty() {
        return Err(LoadError::ZeroRules);
    }
    Ok(raw.into_policy())
}

/// What the front end hands to the typed decoder.
struct Source {
    document: json::Document,
    /// Duplicate keys that JSON no longer shows.
    yaml_duplicates: Vec<String>,
}

fn source(bytes: &[u8]) -> Result<Source, LoadError> {
    if bytes.len() > MAX_DOCUMENT_BYTES {
        let limit = MAX_DOCUMENT_BYTES >> 20;
        return Err(LoadError::Decode(format!("document is larger than {limit} MiB")));
    }
    if is_json(bytes) {
        return Ok(Source { document: parse_json(bytes)?, yaml_duplicates: Vec::new() });
    }
    let syntax = |e: &yaml::SyntaxError| LoadError::Yaml { text: e.to_string(), line: e.editor_line() };
    let tree = yaml::Tree::parse(bytes).map_err(|e| syntax(&e))?;
    let converted = yaml::to_json(&tree).map_err(|e| match e {
        yaml::ConvertError::Syntax(e) => syntax(&e),
        yaml::ConvertError::Unrepresentable(text) => LoadError::Decode(text),
    })?;
    drop(tree);
    Ok(Source { document: parse_json(converted.json.as_bytes())?, yaml_duplicates: converted.duplicates })
}

fn parse_json(bytes: &[u8]) -> Result<json::Document, LoadError> {
    json::Document::parse(bytes)
        .map_err(|e| LoadError::Decode(format!("couldn't get version/kind; json parse error: {e}")))
}

/// Whether the first character that is not white space is `{`.
pub(crate) fn is_json(bytes: &[u8]) -> bool {
    let mut rest = bytes;
    loop {
        rest = match rest {
            [b'{', ..] => return true,
            [b'\t'..=b'\r' | b' ', rest @ ..] => rest,
            [0xC2, 0x85 | 0xA0, rest @ ..]
            | [0xE1, 0x9A, 0x80, rest @ ..]
            | [0xE2, 0x80, 0x80..=0x8A | 0xA8 | 0xA9 | 0xAF, rest @ ..]
            | [0xE2, 0x81, 0x9F, rest @ ..]
            | [0xE3, 0x80, 0x80, rest @ ..] => rest,
            _ => return false,
        };
    }
}

fn decode(bytes: &[u8], server: ServerVersion) -> Result<Decoded, Failure> {
    let source = source(bytes)?;
    let meta = decode::type_meta(&source.document).map_err(LoadError::Decode)?;
    let kind = GroupVersionKind::new(&meta, bytes)?;
    let root = match kind.resolve(server)? {
        Root::V1 => &schema::POLICY,
        Root::Internal => &schema::INTERNAL_POLICY,
        Root::Foreign(go_type) => return Err(foreign(&go_type, &source.document).into()),
    };
    let (data, mut strict) = decode::decode(&source.document, root).map_err(LoadError::Decode)?;
    if !source.yaml_duplicates.is_empty() {
        let lines: String = source.yaml_duplicates.iter().map(|d| format!("\n  {d}")).collect();
        strict.insert(0, format!("yaml: unmarshal errors:{lines}"));
    }
    let complaint = (!strict.is_empty()).then(|| format!("strict decoding error: {}", strict.join(", ")));
    let warning = complaint.filter(|_| server.decodes_strictly());
    if std::ptr::eq(root, &schema::INTERNAL_POLICY) {
        let error = LoadError::GroupVersion(format!("{GROUP}/__internal, Kind=Policy"));
        return Err(Failure { error, warning });
    }
    Ok(Decoded { policy: decode::RawPolicy::from_data(data, &source.document), warning })
}

struct GroupVersionKind {
    group: String,
    version: String,
    kind: String,
}

/// The type that a document is decoded into.
enum Root {
    V1,
    Internal,
    /// Something else that the server knows, by its Go type.
    Foreign(String),
}

/// The server decodes other known kinds too before it finds that they are not policies.
fn foreign(go_type: &str, document: &json::Document) -> LoadError {
    let known = schema::FOREIGN.iter().find(|shape| shape.go_type == go_type);
    if let Some(Err(error)) = known.map(|shape| decode::decode(document, shape)) {
        return LoadError::Decode(error);
    }
    LoadError::Decode(format!("converting ({go_type}) to (audit.Policy): unknown conversion"))
}

impl GroupVersionKind {
    /// Reads `group/version` and fills what is missing from the policy type.
    fn new(meta: &decode::TypeMeta, bytes: &[u8]) -> Result<Self, LoadError> {
        let text = meta.api_version.as_str();
        let (group, version) = match text.matches('/').count() {
            _ if text == "/" => ("", ""),
            0 => ("", text),
            1 => text.split_once('/').unwrap_or(("", text)),
            _ => {
                return Err(LoadError::Decode(format!("unexpected GroupVersion string: {text}")));
            }
        };
        let kind = if meta.kind.is_empty() { "Policy" } else { &meta.kind };
        let (group, version) = match (group, version) {
            ("" | GROUP, "") => (GROUP, "__internal"),
            (_, "") => {
                let shown = String::from_utf8_lossy(bytes);
                let error = format!("Object 'apiVersion' is missing in '{shown}'");
                return Err(LoadError::Decode(error));
            }
            known => known,
        };
        Ok(Self { group: group.to_owned(), version: version.to_owned(), kind: kind.to_owned() })
    }

    /// Which type the document is decoded into.
    fn resolve(&self, server: ServerVersion) -> Result<Root, LoadError> {
        /// Known in every group and version.
        const UNVERSIONED: [&str; 5] = ["Status", "APIVersions", "APIGroupList", "APIGroup", "APIResourceList"];
        const OPTIONS: [&str; 7] = [
            "WatchEvent",
            "ListOptions",
            "GetOptions",
            "DeleteOptions",
            "CreateOptions",
            "UpdateOptions",
            "PatchOptions",
        ];
        const AUDIT: [&str; 3] = ["Event", "EventList", "PolicyList"];
        let kind = self.kind.as_str();
        let audit_v1 = self.group == GROUP && server.serves_audit(&self.version);
        let internal = self.version == "__internal";
        let audit_internal = self.group == GROUP && internal;
        let go_type = if UNVERSIONED.contains(&kind) {
            format!("v1.{kind}")
        } else if audit_v1 || audit_internal {
            match kind {
                "Policy" if audit_v1 => return Ok(Root::V1),
                "Policy" => return Ok(Root::Internal),
                "WatchEvent" if internal => "v1.InternalEvent".to_owned(),
                _ if AUDIT.contains(&kind) && internal => format!("audit.{kind}"),
                _ if AUDIT.contains(&kind) => format!("{}.{kind}", self.version),
                _ if OPTIONS.contains(&kind) && audit_v1 => format!("v1.{kind}"),
                _ => return Err(self.not_registered()),
            }
        } else if self.group.is_empty() && self.version == "v1" && OPTIONS.contains(&kind) {
            format!("v1.{kind}")
        } else if self.group.is_empty() && internal && kind == "WatchEvent" {
            "v1.InternalEvent".to_owned()
        } else {
            return Err(self.not_registered());
        };
        Ok(Root::Foreign(go_type))
    }

    fn not_registered(&self) -> LoadError {
        const SCHEME: &str = "in scheme \"k8s.io/apiserver/pkg/audit/scheme.go:30\"";
        let kind = &self.kind;
        LoadError::Decode(if self.version == "__internal" {
            let (kind, group) = (crate::golang::quote(kind), crate::golang::quote(&self.group));
            format!("no kind {kind} is registered for the internal version of group {group} {SCHEME}")
        } else {
            let slash = if self.group.is_empty() { "" } else { "/" };
            let version = format!("{}{slash}{}", self.group, self.version);
            let version = crate::golang::quote(&version);
            let kind = crate::golang::quote(kind);
            format!("no kind {kind} is registered for version {version} {SCHEME}")
        })
    }
}

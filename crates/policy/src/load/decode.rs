//! JSON to typed data as Go decodes it: wrong types are errors, unknown and duplicate fields complaints.

use std::collections::{BTreeMap, HashSet};

use super::schema::{self, Shape, Struct};
use super::time;
use crate::golang;
use crate::json::{Document, Value, ValueId};
use crate::model::{GroupResources, Level, Policy, Rule, Stage};

/// Complaints beyond this many are not collected.
const STRICT_ERRORS_MAX: usize = 100;

/// `apiVersion` and `kind`, read before anything else and without regard to case.
#[derive(Debug, Default)]
pub(super) struct TypeMeta {
    pub(super) api_version: String,
    pub(super) kind: String,
}

pub(super) fn type_meta(document: &Document) -> Result<TypeMeta, String> {
    const GO_TYPE: &str =
        r#"struct { APIVersion string "json:\"apiVersion,omitempty\""; Kind string "json:\"kind,omitempty\"" }"#;
    let prefix = "couldn't get version/kind; json parse error: json: cannot unmarshal";
    let mut meta = TypeMeta::default();
    let members = match document.value(document.root()) {
        Value::Object(members) => members,
        Value::Null => return Ok(meta),
        other => {
            return Err(format!("{prefix} {} into Go value of type {GO_TYPE}", json_type(other)));
        }
    };
    let mut error = None;
    for (key, value) in members {
        let (name, slot) = match fold(key).as_str() {
            "apiversion" => ("apiVersion", &mut meta.api_version),
            "kind" => ("kind", &mut meta.kind),
            _ => continue,
        };
        match document.value(*value) {
            Value::Text(text) => slot.clone_from(text),
            Value::Null => {}
            other => {
                let found = json_type(other);
                error.get_or_insert(format!("{prefix} {found} into Go struct field .{name} of type string"));
            }
        }
    }
    error.map_or(Ok(meta), Err)
}

/// Go's case folding as far as it can reach the letters of a field name.
fn fold(key: &str) -> String {
    let letter = |c| match c {
        'ſ' => 's',
        '\u{212A}' => 'k',
        c => c.to_ascii_lowercase(),
    };
    key.chars().map(letter).collect()
}

fn json_type(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::Text(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// A decoded value. Absent fields are `None` in their struct.
#[derive(Debug, Clone)]
pub(super) enum Data {
    Text(String),
    Bool(bool),
    Int(i64),
    Raw(ValueId),
    Labels(BTreeMap<String, String>),
    List(List),
    Struct(&'static Struct, Vec<Option<Data>>),
}

/// A Go slice: a duplicate field decodes into the items that are already there, also those beyond the length.
#[derive(Debug, Clone, Default)]
pub(super) struct List {
    items: Vec<Option<Data>>,
    len: usize,
}

/// Decodes a document, with the complaints of strict decoding. The error is Go's text.
pub(super) fn decode(document: &Document, root: &'static Struct) -> Result<(Data, Vec<String>), String> {
    let mut decoder = Decoder::new(document);
    let mut slot = Some(empty(root));
    let shape = Shape::Struct(root);
    decoder.value(document.root(), &shape, &mut slot).map_err(|Abort(text)| text)?;
    if let Some(error) = decoder.error {
        return Err(error);
    }
    Ok((slot.unwrap_or_else(|| empty(root)), decoder.complaints))
}

fn empty(shape: &'static Struct) -> Data {
    Data::Struct(shape, vec![None; shape.field_count()])
}

/// An error that ends decoding at once; others let it go on and the first of them is reported.
struct Abort(String);

struct Decoder<'d> {
    document: &'d Document,
    error: Option<String>,
    complaints: Vec<String>,
    seen: HashSet<String>,
    /// Struct and field names on the way to the current value.
    context: Option<&'static Struct>,
    fields: Vec<&'static str>,
    path: String,
}

impl<'d> Decoder<'d> {
    fn new(document: &'d Document) -> Self {
        Self {
            document,
            error: None,
            complaints: Vec::new(),
            seen: HashSet::new(),
            context: None,
            fields: Vec::new(),
            path: String::new(),
        }
    }

    fn type_error(&self, found: &str, go_type: &str) -> String {
        match self.context {
            Some(context) => {
                let (name, path) = (context.name, self.fields.join("."));
                format!("json: cannot unmarshal {found} into Go struct field {name}.{path} of type {go_type}")
            }
            None => format!("json: cannot unmarshal {found} into Go value of type {go_type}"),
        }
    }

    fn mismatch(&mut self, value: &Value, shape: &Shape) {
        let found = match (value, shape) {
            (Value::Number(literal), Shape::Int | Shape::OptionalInt) => {
                format!("number {literal}")
            }
            _ => json_type(value).to_owned(),
        };
        let error = self.type_error(&found, shape.go_type());
        self.error.get_or_insert(error);
    }

    fn complain(&mut self, what: &str, field: &str) {
        let dot = if self.path.is_empty() { "" } else { "." };
        let complaint = format!("{what} {}", golang::quote(&format!("{}{dot}{field}", self.path)));
        if self.complaints.len() < STRICT_ERRORS_MAX && self.seen.insert(complaint.clone()) {
            self.complaints.push(complaint);
        }
    }

    fn value(&mut self, id: ValueId, shape: &Shape, slot: &mut Option<Data>) -> Result<(), Abort> {
        let document = self.document;
        let value = document.value(id);
        match (shape, value) {
            (Shape::Raw, Value::Null) => *slot = None,
            (Shape::Raw, _) => *slot = Some(Data::Raw(id)),
            (Shape::Time | Shape::OptionalTime, _) => return self.time(value, slot),
            (Shape::Text(_) | Shape::Bool | Shape::Int | Shape::Struct(_), Value::Null) => {}
            (_, Value::Null) => *slot = None,
            (Shape::Text(_), Value::Text(text)) => *slot = Some(Data::Text(text.clone())),
            (Shape::Bool | Shape::OptionalBool, Value::Bool(b)) => *slot = Some(Data::Bool(*b)),
            (Shape::Int | Shape::OptionalInt, Value::Number(literal)) => match literal.parse() {
                Ok(n) => *slot = Some(Data::Int(n)),
                Err(_) => self.mismatch(value, shape),
            },
            (Shape::Labels, Value::Object(members)) => self.labels(members, slot),
            (Shape::List(_, item), Value::Array(items)) => return self.list(items, item, slot),
            (Shape::Struct(inner), Value::Object(members)) => {
                return self.object(members, inner, slot);
            }
            _ => self.mismatch(value, shape),
        }
        Ok(())
    }

    fn time(&mut self, value: &Value, slot: &mut Option<Data>) -> Result<(), Abort> {
        *slot = match value {
            Value::Null => None,
            Value::Text(text) => time::normalise(text).map_err(Abort)?.map(Data::Text),
            other => return Err(Abort(self.type_error(json_type(other), "string"))),
        };
        Ok(())
    }

    fn labels(&mut self, members: &[(String, ValueId)], slot: &mut Option<Data>) {
        if !matches!(slot, Some(Data::Labels(_))) {
            *slot = Some(Data::Labels(BTreeMap::new()));
        }
        let Some(Data::Labels(labels)) = slot else {
            return;
        };
        let mut seen = HashSet::new();
        for (key, value) in members {
            if !seen.insert(key) {
                self.complain("duplicate field", key);
            }
            let mut text = String::new();
            match self.document.value(*value) {
                Value::Text(found) => text.clone_from(found),
                Value::Null => {}
                other => self.mismatch(other, &Shape::Text("string")),
            }
            labels.insert(key.clone(), text);
        }
    }

    fn list(&mut self, items: &[ValueId], shape: &Shape, slot: &mut Option<Data>) -> Result<(), Abort> {
        let mut list = match slot.take() {
            Some(Data::List(list)) => list,
            _ => List::default(),
        };
        let base = self.path.len();
        for (i, &item) in items.iter().enumerate() {
            if i == list.items.len() {
                list.items.push(None);
            }
            self.path.push_str(&format!("[{i}]"));
            let result = self.value(item, shape, &mut list.items[i]);
            self.path.truncate(base);
            result?;
        }
        list.len = items.len();
        if items.is_empty() {
            list = List::default();
        }
        *slot = Some(Data::List(list));
        Ok(())
    }

    fn object(
        &mut self,
        members: &[(String, ValueId)],
        shape: &'static Struct,
        slot: &mut Option<Data>,
    ) -> Result<(), Abort> {
        if !matches!(slot, Some(Data::Struct(..))) {
            *slot = Some(empty(shape));
        }
        let Some(Data::Struct(_, values)) = slot else {
            return Ok(());
        };
        let (outer, depth, base) = (self.context, self.fields.len(), self.path.len());
        let mut seen = 0u64;
        for (key, value) in members {
            let known = shape.position(key).and_then(|index| Some((index, shape.field(index)?)));
            let Some((index, ((name, field), embedded))) = known else {
                self.complain("unknown field", key);
                continue;
            };
            if seen & (1 << index) != 0 {
                self.complain("duplicate field", key);
            }
            seen |= 1 << index;
            self.context = Some(shape);
            self.fields.extend(embedded);
            self.fields.push(name);
            self.path.push_str(if base == 0 { "" } else { "." });
            self.path.push_str(name);
            let result = self.value(*value, field, &mut values[index]);
            self.path.truncate(base);
            result?;
            self.fields.truncate(depth);
            self.context = outer;
        }
        Ok(())
    }
}

impl Data {
    fn field(&self, name: &str) -> Option<&Data> {
        match self {
            Self::Struct(shape, values) => values[shape.position(name)?].as_ref(),
            _ => None,
        }
    }

    fn text(&self, name: &str) -> String {
        match self.field(name) {
            Some(Self::Text(text)) => text.clone(),
            _ => String::new(),
        }
    }

    fn flag(&self, name: &str) -> Option<bool> {
        match self.field(name) {
            Some(Self::Bool(flag)) => Some(*flag),
            _ => None,
        }
    }

    fn items(&self, name: &str) -> &[Option<Data>] {
        match self.field(name) {
            Some(Self::List(list)) => &list.items[..list.len],
            _ => &[],
        }
    }

    fn texts(&self, name: &str) -> Vec<String> {
        let text = |item: &Option<Data>| match item {
            Some(Self::Text(text)) => text.clone(),
            _ => String::new(), // null in a list of strings
        };
        self.items(name).iter().map(text).collect()
    }
}

/// A policy that decoded but has not been validated: levels and stages are still text.
#[derive(Debug)]
pub(super) struct RawPolicy {
    pub(super) metadata: String,
    pub(super) rules: Vec<RawRule>,
    pub(super) omit_stages: Vec<String>,
    pub(super) omit_managed_fields: bool,
}

#[derive(Debug)]
pub(super) struct RawRule {
    pub(super) level: String,
    pub(super) omit_stages: Vec<String>,
    /// Everything else; level and stages are filled in once they are valid.
    pub(super) rule: Rule,
}

impl RawPolicy {
    pub(super) fn from_data(data: Data, document: &Document) -> Self {
        let metadata = match data.field("metadata") {
            Some(metadata) => write(metadata, document),
            None => "{}".to_owned(),
        };
        Self {
            metadata,
            rules: data.items("rules").iter().map(|rule| RawRule::from_data(rule.as_ref())).collect(),
            omit_stages: data.texts("omitStages"),
            omit_managed_fields: data.flag("omitManagedFields").unwrap_or(false),
        }
    }

    /// To be called once validation has found nothing.
    pub(super) fn into_policy(self) -> Policy {
        let stages = |texts: &[String]| texts.iter().filter_map(|s| Stage::from_name(s)).collect();
        let rule = |raw: RawRule| Rule {
            level: Level::from_name(&raw.level).unwrap_or(Level::None),
            omit_stages: stages(&raw.omit_stages),
            ..raw.rule
        };
        Policy {
            omit_stages: stages(&self.omit_stages),
            omit_managed_fields: self.omit_managed_fields,
            metadata: self.metadata,
            rules: self.rules.into_iter().map(rule).collect(),
        }
    }
}

impl RawRule {
    fn from_data(data: Option<&Data>) -> Self {
        let Some(data) = data else {
            return Self { level: String::new(), omit_stages: Vec::new(), rule: Rule::default() };
        };
        let group = |data: &Option<Data>| match data {
            Some(data) => GroupResources {
                group: data.text("group"),
                resources: data.texts("resources"),
                resource_names: data.texts("resourceNames"),
            },
            None => GroupResources::default(),
        };
        let rule = Rule {
            users: data.texts("users"),
            user_groups: data.texts("userGroups"),
            verbs: data.texts("verbs"),
            resources: data.items("resources").iter().map(group).collect(),
            namespaces: data.texts("namespaces"),
            non_resource_urls: data.texts("nonResourceURLs"),
            omit_managed_fields: data.flag("omitManagedFields"),
            ..Rule::default()
        };
        Self { level: data.text("level"), omit_stages: data.texts("omitStages"), rule }
    }
}

/// Object metadata as the server encodes it: empty fields left out, labels sorted. Its depth is the schema's.
fn write(data: &Data, document: &Document) -> String {
    match data {
        Data::Text(text) => golang::json_string(text),
        Data::Bool(flag) => flag.to_string(),
        Data::Int(n) => n.to_string(),
        Data::Raw(id) => document.write(*id),
        Data::Labels(labels) => {
            let pair = |(k, v): (&String, &String)| format!("{}:{}", golang::json_string(k), golang::json_string(v));
            let pairs: Vec<_> = labels.iter().map(pair).collect();
            format!("{{{}}}", pairs.join(","))
        }
        Data::List(list) => {
            let item = |item: &Option<Data>| item.as_ref().map_or("\"\"".to_owned(), |d| write(d, document));
            let items: Vec<_> = list.items[..list.len].iter().map(item).collect();
            format!("[{}]", items.join(","))
        }
        Data::Struct(shape, values) => {
            let field = |((name, shape_of), value): (&(&str, Shape), &Option<Data>)| {
                let written = match value {
                    Some(value) if !is_empty(value, shape_of) => write(value, document),
                    _ if schema::ALWAYS_WRITTEN.contains(&(shape.name, name)) => "\"\"".to_owned(),
                    _ => return None,
                };
                Some(format!("\"{name}\":{written}"))
            };
            let fields: Vec<_> = shape.fields.iter().zip(values).filter_map(field).collect();
            format!("{{{}}}", fields.join(","))
        }
    }
}

fn is_empty(data: &Data, shape: &Shape) -> bool {
    match (data, shape) {
        (Data::Bool(flag), Shape::Bool) => !flag,
        (Data::Int(n), Shape::Int) => *n == 0,
        (Data::Text(text), _) => text.is_empty(),
        (Data::Labels(labels), _) => labels.is_empty(),
        (Data::List(list), _) => list.len == 0,
        _ => false,
    }
}

//! The shape of the document as Go declares it: names matter, because errors print them.

#[derive(Debug)]
pub(super) enum Shape {
    /// A string type, by its Go name.
    Text(&'static str),
    Bool,
    /// `*bool`: null makes it absent again.
    OptionalBool,
    Int,
    OptionalInt,
    Time,
    OptionalTime,
    /// Any JSON.
    Raw,
    /// `map[string]string`.
    Labels,
    /// A list by its Go name and the shape of its items.
    List(&'static str, &'static Shape),
    Struct(&'static Struct),
}

#[derive(Debug)]
pub(super) struct Struct {
    /// Go's name without the package.
    pub(super) name: &'static str,
    /// Go's name with the package.
    pub(super) go_type: &'static str,
    pub(super) fields: &'static [(&'static str, Shape)],
    /// An embedded struct, by its Go name, whose fields are fields of this one too.
    pub(super) embedded: Option<(&'static str, &'static Struct)>,
}

impl Struct {
    /// Index of a field, counted through to those of the embedded struct.
    pub(super) fn position(&self, name: &str) -> Option<usize> {
        let own = self.fields.iter().position(|(field, _)| *field == name);
        own.or_else(|| Some(self.fields.len() + self.embedded?.1.position(name)?))
    }

    /// A field by its index, with the name of the struct that embeds it.
    pub(super) fn field(&self, index: usize) -> Option<(&'static (&'static str, Shape), Option<&'static str>)> {
        match (self.fields.get(index), self.embedded) {
            (Some(field), _) => Some((field, None)),
            (None, Some((name, inner))) => Some((inner.fields.get(index - self.fields.len())?, Some(name))),
            (None, None) => None,
        }
    }

    pub(super) fn field_count(&self) -> usize {
        self.fields.len() + self.embedded.map_or(0, |(_, inner)| inner.field_count())
    }
}

const STRING: Shape = Shape::Text("string");
const STRINGS: Shape = Shape::List("[]string", &STRING);
const STAGES: Shape = Shape::List("[]v1.Stage", &Shape::Text("v1.Stage"));

pub(super) static POLICY: Struct = Struct {
    name: "Policy",
    go_type: "v1.Policy",
    fields: &[
        ("kind", STRING),
        ("apiVersion", STRING),
        ("metadata", Shape::Struct(&OBJECT_META)),
        ("rules", Shape::List("[]v1.PolicyRule", &Shape::Struct(&POLICY_RULE))),
        ("omitStages", STAGES),
        ("omitManagedFields", Shape::Bool),
    ],
    embedded: None,
};

static POLICY_RULE: Struct = Struct {
    name: "PolicyRule",
    go_type: "v1.PolicyRule",
    fields: &[
        ("level", Shape::Text("v1.Level")),
        ("users", STRINGS),
        ("userGroups", STRINGS),
        ("verbs", STRINGS),
        ("resources", Shape::List("[]v1.GroupResources", &Shape::Struct(&GROUP_RESOURCES))),
        ("namespaces", STRINGS),
        ("nonResourceURLs", STRINGS),
        ("omitStages", STAGES),
        ("omitManagedFields", Shape::OptionalBool),
    ],
    embedded: None,
};

static GROUP_RESOURCES: Struct = Struct {
    name: "GroupResources",
    go_type: "v1.GroupResources",
    fields: &[("group", STRING), ("resources", STRINGS), ("resourceNames", STRINGS)],
    embedded: None,
};

pub(super) static OBJECT_META: Struct = Struct {
    name: "ObjectMeta",
    go_type: "v1.ObjectMeta",
    fields: &[
        ("name", STRING),
        ("generateName", STRING),
        ("namespace", STRING),
        ("selfLink", STRING),
        ("uid", Shape::Text("types.UID")),
        ("resourceVersion", STRING),
        ("generation", Shape::Int),
        ("creationTimestamp", Shape::Time),
        ("deletionTimestamp", Shape::OptionalTime),
        ("deletionGracePeriodSeconds", Shape::OptionalInt),
        ("labels", Shape::Labels),
        ("annotations", Shape::Labels),
        ("ownerReferences", Shape::List("[]v1.OwnerReference", &Shape::Struct(&OWNER_REFERENCE))),
        ("finalizers", STRINGS),
        ("managedFields", Shape::List("[]v1.ManagedFieldsEntry", &Shape::Struct(&MANAGED_FIELDS))),
    ],
    embedded: None,
};

/// Fields that are written even when empty.
pub(super) const ALWAYS_WRITTEN: [(&str, &str); 4] = [
    ("OwnerReference", "apiVersion"),
    ("OwnerReference", "kind"),
    ("OwnerReference", "name"),
    ("OwnerReference", "uid"),
];

static OWNER_REFERENCE: Struct = Struct {
    name: "OwnerReference",
    go_type: "v1.OwnerReference",
    fields: &[
        ("apiVersion", STRING),
        ("kind", STRING),
        ("name", STRING),
        ("uid", Shape::Text("types.UID")),
        ("controller", Shape::OptionalBool),
        ("blockOwnerDeletion", Shape::OptionalBool),
    ],
    embedded: None,
};

static MANAGED_FIELDS: Struct = Struct {
    name: "ManagedFieldsEntry",
    go_type: "v1.ManagedFieldsEntry",
    fields: &[
        ("manager", STRING),
        ("operation", Shape::Text("v1.ManagedFieldsOperationType")),
        ("apiVersion", STRING),
        ("time", Shape::OptionalTime),
        ("fieldsType", STRING),
        ("fieldsV1", Shape::Raw),
        ("subresource", STRING),
    ],
    embedded: None,
};

/// Kinds that are decoded although they are not policies, as far as they share fields with them.
pub(super) static FOREIGN: [Struct; 3] = [
    Struct {
        name: "PolicyList",
        go_type: "v1.PolicyList",
        fields: &[("items", Shape::List("[]v1.Policy", &Shape::Struct(&POLICY)))],
        embedded: None,
    },
    Struct { name: "Event", go_type: "v1.Event", fields: &EVENT_FIELDS, embedded: None },
    Struct {
        name: "EventList",
        go_type: "v1.EventList",
        fields: &[("items", Shape::List("[]v1.Event", &Shape::Struct(&EVENT)))],
        embedded: None,
    },
];

static EVENT: Struct = Struct { name: "Event", go_type: "v1.Event", fields: &EVENT_FIELDS, embedded: None };

const EVENT_FIELDS: [(&str, Shape); 8] = [
    ("level", Shape::Text("v1.Level")),
    ("auditID", Shape::Text("types.UID")),
    ("stage", Shape::Text("v1.Stage")),
    ("requestURI", STRING),
    ("verb", STRING),
    ("sourceIPs", STRINGS),
    ("userAgent", STRING),
    ("annotations", Shape::Labels),
];

/// Without `apiVersion` the server decodes into its internal type, whose fields have their Go names; metadata
/// is not nested there.
pub(super) static INTERNAL_POLICY: Struct = Struct {
    name: "Policy",
    go_type: "audit.Policy",
    fields: &[
        ("kind", STRING),
        ("apiVersion", STRING),
        ("Rules", Shape::List("[]audit.PolicyRule", &Shape::Struct(&INTERNAL_RULE))),
        ("OmitStages", INTERNAL_STAGES),
        ("OmitManagedFields", Shape::Bool),
    ],
    embedded: Some(("ObjectMeta", &OBJECT_META)),
};

const INTERNAL_STAGES: Shape = Shape::List("[]audit.Stage", &Shape::Text("audit.Stage"));

static INTERNAL_RULE: Struct = Struct {
    name: "PolicyRule",
    go_type: "audit.PolicyRule",
    fields: &[
        ("Level", Shape::Text("audit.Level")),
        ("Users", STRINGS),
        ("UserGroups", STRINGS),
        ("Verbs", STRINGS),
        ("Resources", Shape::List("[]audit.GroupResources", &Shape::Struct(&INTERNAL_RESOURCES))),
        ("Namespaces", STRINGS),
        ("NonResourceURLs", STRINGS),
        ("OmitStages", INTERNAL_STAGES),
        ("OmitManagedFields", Shape::OptionalBool),
    ],
    embedded: None,
};

static INTERNAL_RESOURCES: Struct = Struct {
    name: "GroupResources",
    go_type: "audit.GroupResources",
    fields: &[("Group", STRING), ("Resources", STRINGS), ("ResourceNames", STRINGS)],
    embedded: None,
};

impl Shape {
    pub(super) fn go_type(&self) -> &'static str {
        match self {
            Self::Text(name) | Self::List(name, _) => name,
            Self::Bool | Self::OptionalBool => "bool",
            Self::Int | Self::OptionalInt => "int64",
            Self::Time | Self::OptionalTime => "v1.Time",
            Self::Raw => "v1.FieldsV1",
            Self::Labels => "map[string]string",
            Self::Struct(shape) => shape.go_type,
        }
    }
}

//! What people do to objects: as a question in the past tense, as a query, as a sentence.

use query::{Expr, Field, Pattern, Test};

use crate::record::{Outcome, Record};
use crate::resource_name::singular;

/// Something that can have been done to an object.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Deed {
    /// Words that ask for it; the first is the one to suggest.
    pub(crate) words: &'static [&'static str],
    /// Verbs of the API; empty for any.
    verbs: &'static [&'static str],
    subresource: Subresource,
}

#[derive(Debug, PartialEq, Eq)]
enum Subresource {
    /// Any or none, but not `status`, which controllers write all day.
    NotStatus,
    None,
    /// One of these.
    OneOf(&'static [&'static str]),
    Any,
}

const fn deed(words: &'static [&'static str], verbs: &'static [&'static str], subresource: Subresource) -> Deed {
    Deed { words, verbs, subresource }
}

const CHANGES: &[&str] = &["update", "patch"];

/// Everything that can be asked for.
pub(crate) const DEEDS: [Deed; 20] = {
    use Subresource as S;
    [
        deed(&["deleted", "removed", "killed", "destroyed", "delete"], &["delete", "deletecollection"], S::None),
        deed(&["created", "made", "started", "create"], &["create"], S::None),
        deed(&["updated", "changed", "modified", "edited", "update", "change"], CHANGES, S::NotStatus),
        deed(&["replaced"], &["update"], S::NotStatus),
        deed(&["patched", "applied", "patch"], &["patch"], S::NotStatus),
        deed(&["read", "got", "viewed", "saw", "accessed", "fetched", "get"], &["get", "list", "watch"], S::None),
        deed(&["listed", "list"], &["list"], S::None),
        deed(&["watched", "watch"], &["watch"], S::None),
        deed(&["exec'd", "execed", "exec", "executed", "shelled"], &[], S::OneOf(&["exec"])),
        deed(&["attached", "attach"], &[], S::OneOf(&["attach"])),
        deed(&["port-forwarded", "forwarded"], &[], S::OneOf(&["portforward"])),
        deed(&["proxied"], &[], S::OneOf(&["proxy"])),
        deed(&["debugged"], CHANGES, S::OneOf(&["ephemeralcontainers"])),
        deed(&["logged", "logs"], &[], S::OneOf(&["log"])),
        deed(&["scaled", "scale"], CHANGES, S::OneOf(&["scale"])),
        deed(&["evicted"], &["create"], S::OneOf(&["eviction"])),
        deed(&["bound", "scheduled"], &["create"], S::OneOf(&["binding"])),
        deed(&["approved"], CHANGES, S::OneOf(&["approval"])),
        deed(&["minted"], &["create"], S::OneOf(&["token"])),
        deed(&["touched", "used"], &[], S::Any),
    ]
};

impl Deed {
    /// The deed of a word.
    pub(crate) fn of_word(word: &str) -> Option<&'static Deed> {
        let word = word.to_lowercase().replace('’', "'");
        DEEDS.iter().find(|deed| deed.words.contains(&word.as_str()))
    }

    /// The word that is most like one that is not known.
    pub(crate) fn nearest_word(word: &str) -> Option<&'static str> {
        let words = DEEDS.iter().flat_map(|deed| deed.words.iter().copied());
        words.max_by(|a, b| strsim::jaro_winkler(a, word).total_cmp(&strsim::jaro_winkler(b, word)))
    }

    /// Whether objects may come into being by it.
    pub(crate) fn creates(&self) -> bool {
        self.subresource != Subresource::Any && self.verbs == ["create"]
            || self.verbs.is_empty() && self.subresource == Subresource::Any
    }

    /// Requests of this deed.
    pub(crate) fn expr(&self) -> Expr {
        let any_of = |field, names: &[&str]| Expr::or(names.iter().map(|name| Expr::field_is(field, *name)));
        let verbs = if self.verbs.is_empty() { Expr::All } else { any_of(Field::Verb, self.verbs) };
        let subresource = match &self.subresource {
            Subresource::Any => Expr::All,
            Subresource::None => Expr::field(Field::Subresource, Test::Exists).negate(),
            Subresource::NotStatus => Expr::field(Field::Subresource, Test::Is(Pattern::literal("status"))).negate(),
            Subresource::OneOf(names) => any_of(Field::Subresource, names),
        };
        Expr::and([verbs, subresource])
    }
}

/// What a row says was done, in the past tense and with the object: `deleted deployment frontend in namespace web`;
/// and how it ended, for the end of the sentence: `, and was refused`.
pub(crate) fn sentence(row: Record<'_>) -> (String, &'static str) {
    let (verb, subresource) = (row.text("verb"), row.text("subresource"));
    let (past, plain) = words(&verb, &subresource);
    let object = object(row);
    match row.outcome() {
        Outcome::Done => (format!("{past} {object}"), ""),
        Outcome::Refused => (format!("tried to {plain} {object}"), ", and was refused"),
        Outcome::Failed => (format!("tried to {plain} {object}"), ", which failed"),
        Outcome::Unknown => (format!("asked to {plain} {object}"), ", with an outcome that is not recorded"),
    }
}

/// Past tense, plain form.
fn words(verb: &str, subresource: &str) -> (String, String) {
    let (past, plain) = match (subresource, verb) {
        ("exec", _) => ("ran a command in", "run a command in"),
        ("attach", _) => ("attached to", "attach to"),
        ("portforward", _) => ("forwarded ports of", "forward ports of"),
        ("proxy", _) => ("sent a request through", "send a request through"),
        ("log", _) => ("read the logs of", "read the logs of"),
        ("status", "update" | "patch") => ("updated the status of", "update the status of"),
        ("scale", "update" | "patch") => ("scaled", "scale"),
        ("eviction", _) => ("evicted", "evict"),
        ("binding", _) => ("scheduled", "schedule"),
        ("token", _) => ("made a token for", "make a token for"),
        ("ephemeralcontainers", _) => ("added a debug container to", "add a debug container to"),
        ("", "delete") => ("deleted", "delete"),
        ("", "deletecollection") => ("deleted all", "delete all"),
        ("", "create") => ("created", "create"),
        ("", "update") => ("updated", "update"),
        ("", "patch") => ("patched", "patch"),
        ("", "get") => ("read", "read"),
        ("", "list") => ("listed", "list"),
        ("", "watch") => ("watched", "watch"),
        ("", other) => return (format!("did `{other}` on"), format!("do `{other}` on")),
        (sub, other) => return (format!("did `{other}` on {sub} of"), format!("do `{other}` on {sub} of")),
    };
    (past.to_owned(), plain.to_owned())
}

fn object(row: Record<'_>) -> String {
    let (resource, namespace, name) = (row.text("resource"), row.text("namespace"), row.text("name"));
    let what = match name.as_str() {
        "" => resource,
        name => format!("{} {name}", singular(&resource)),
    };
    match namespace.as_str() {
        "" => what,
        // The request for a namespace names itself as its namespace.
        namespace if namespace == name => what,
        namespace => format!("{what} in namespace {namespace}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_word_asks_for_two_deeds() {
        let mut words: Vec<&str> = DEEDS.iter().flat_map(|deed| deed.words.iter().copied()).collect();
        let count = words.len();
        words.sort_unstable();
        words.dedup();
        assert_eq!(words.len(), count);
        assert_eq!(Deed::nearest_word("deleetd"), Some("deleted"));
    }

    #[test]
    fn sentences() {
        for (row, wanted) in [
            (
                r#"{"verb":"delete","resource":"deployments","namespace":"web","name":"frontend","code":200}"#,
                "deleted deployment frontend in namespace web",
            ),
            (
                r#"{"verb":"get","resource":"pods","subresource":"exec","namespace":"web","name":"a","code":101}"#,
                "ran a command in pod a in namespace web",
            ),
            (r#"{"verb":"list","resource":"secrets","code":403}"#, "tried to list secrets, and was refused"),
            (
                r#"{"verb":"delete","resource":"namespaces","namespace":"web","name":"web","code":200}"#,
                "deleted namespace web",
            ),
        ] {
            let (deed, ending) = sentence(Record::parse(row.as_bytes()).unwrap());
            assert_eq!(deed + ending, wanted);
        }
    }
}

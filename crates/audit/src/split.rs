//! Any input → items with their exact bytes.
//!
//! The input may be lines, pretty-printed or concatenated JSON, an array, an `EventList`, or an export that keeps
//! its records in an array (CloudWatch, Azure, OpenSearch, OTLP). Wrappers are entered, their own bytes are not kept;
//! each record comes out as it stands in the text. What is no event comes out too, as [`Format::Quarantine`].
//!
//! A broken record costs only itself: in lines the next one begins at the next line that opens a bracket, in an
//! array at the next object that reads as an audit event.

use std::borrow::Cow;

use memchr::memmem;

use crate::event::{Event, NotAnEvent};
use crate::format::Format;
use crate::json::{Fault, Json, scan, scan_key, skip_blanks};
use crate::normalise::{cluster_of, recognise};

/// Longest item that is kept whole; a longer one is quarantined in pieces of this size.
pub const ITEM_MAX: usize = 64 << 20;

/// Wrappers inside wrappers that are entered; a deeper one is one item.
const WRAPPER_DEPTH_MAX: usize = 8;

/// Places at which reading is taken up again after a broken record of an array, before the rest is quarantined.
const RESUME_TRIES_MAX: usize = 64;

/// Keys under which wrappers keep their records as an array.
const RECORDS: [&[u8]; 9] =
    [b"items", b"Items", b"events", b"logEvents", b"records", b"hits", b"resourceLogs", b"scopeLogs", b"logRecords"];

/// One record of the input.
#[derive(Debug, Clone)]
pub struct Item<'a> {
    /// The form it travels in.
    pub format: Format,
    /// Its exact bytes.
    pub bytes: &'a [u8],
    /// Its fields, if it is an event as it stands ([`Format::Audit`]): cutting it out has found them.
    pub event: Option<Event<'a>>,
    /// The cluster that the record or its wrapper names, if it names one.
    pub cluster: Option<String>,
}

/// Whether more input may follow the buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// An unfinished item waits for the rest.
    More,
    /// An unfinished item is broken.
    Last,
}

/// Why a quarantined item is no audit event. A function of its bytes alone, so that replay says the same.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// It is not JSON.
    #[error("not JSON: {0}")]
    NotJson(Fault),
    /// It ends before it is complete.
    #[error("cut off: the text ends before the JSON value does")]
    CutOff,
    /// It is JSON of another kind.
    #[error("not an audit event: {0}")]
    OtherKind(String),
}

impl Reason {
    /// Stable name for counting and searching.
    pub fn name(&self) -> &'static str {
        match self {
            Self::NotJson(_) => "not-json",
            Self::CutOff => "cut-off",
            Self::OtherKind(_) => "other-kind",
        }
    }
}

/// Says why `bytes` are no audit event, in any format; `None` if they are one.
pub fn diagnose(bytes: &[u8]) -> Option<Reason> {
    match Json::whole(bytes) {
        Err(fault) if fault.at >= bytes.len() => Some(Reason::CutOff),
        Err(fault) => prefixed(bytes).is_none().then_some(Reason::NotJson(fault)),
        Ok(json) => recognise(json).is_none().then(|| Reason::OtherKind(kind_of(json))),
    }
}

fn kind_of(json: Json<'_>) -> String {
    let kind = json.get("kind").and_then(Json::text).unwrap_or(Cow::Borrowed(""));
    match Event::from_json(json) {
        Err(NotAnEvent::NotAnObject) => "a value that is no object".to_owned(),
        _ if json.get("protoPayload").is_some() => "a cloud log entry of another service".to_owned(),
        _ if kind.is_empty() => "an object without the fields of one".to_owned(),
        _ => format!("an object of kind {}", kind.chars().take(64).collect::<String>()),
    }
}

/// Splits a whole text at once.
pub fn split(text: &[u8]) -> Vec<Item<'_>> {
    let mut items = Vec::new();
    Splitter::new().split(text, End::Last, &mut |item| items.push(item));
    items
}

/// Splits a stream of any length, buffer by buffer.
///
/// The caller keeps the buffer: it hands over what it has, drops as many bytes from the front as [`Splitter::split`]
/// says it consumed, and appends what comes next. An unfinished item stays in the buffer, which grows to
/// [`ITEM_MAX`] and no further.
#[derive(Debug, Default)]
pub struct Splitter {
    /// Wrappers that were entered and not left.
    open: Vec<Wrapper>,
    /// A record of an array was broken and the next one is sought.
    lost: bool,
    /// Buffers shorter than this cannot finish the item that waits, or would be scanned too often.
    patience: usize,
    /// Cluster named by the wrapper.
    cluster: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wrapper {
    Array,
    Object,
}

enum Step {
    /// Go on at this offset.
    At(usize),
    /// The buffer ends inside an item.
    Starved,
}

impl Splitter {
    /// A splitter at the start of an input.
    pub fn new() -> Self {
        Self::default()
    }

    /// Hands the items of `buffer` to `sink` and returns how many bytes were consumed. With [`End::Last`] all are.
    pub fn split<'b>(&mut self, buffer: &'b [u8], end: End, sink: &mut dyn FnMut(Item<'b>)) -> usize {
        if end == End::More && buffer.len() < self.patience {
            return 0;
        }
        let mut at = 0;
        while let Step::At(next) = self.step(Input { buffer, end }, at, sink) {
            at = next;
        }
        // An item that did not fit is tried again when the buffer has doubled, so that no byte is scanned often.
        self.patience = if at == 0 { (buffer.len() * 2).min(ITEM_MAX) } else { 0 };
        if end == End::Last { buffer.len() } else { at }
    }

    fn step<'b>(&mut self, input: Input<'b>, at: usize, sink: &mut dyn FnMut(Item<'b>)) -> Step {
        match self.open.last() {
            _ if self.lost => self.resume(input, at, sink),
            None => self.top(input, at, sink),
            Some(Wrapper::Array) => self.element(input, at, sink),
            Some(Wrapper::Object) => self.member(input, at, sink),
        }
    }

    /// Outside any wrapper: an object, an array, or a line of something else.
    fn top<'b>(&mut self, input: Input<'b>, at: usize, sink: &mut dyn FnMut(Item<'b>)) -> Step {
        let start = skip_gap(input.buffer, at);
        match input.buffer.get(start) {
            None => Step::Starved,
            Some(b'[') if looks_like_array(&input.buffer[start..]) => self.enter(Wrapper::Array, start + 1),
            Some(b'{') => match self.object(input, start, sink) {
                Ok(step) => step,
                Err(_) => broken_lines(input, start, sink),
            },
            Some(_) => line(input, start, sink),
        }
    }

    /// In an array of records.
    fn element<'b>(&mut self, input: Input<'b>, at: usize, sink: &mut dyn FnMut(Item<'b>)) -> Step {
        let start = skip_commas(input.buffer, at);
        let read = match input.buffer.get(start) {
            None => return Step::Starved,
            Some(b']') => return self.leave(start + 1),
            Some(b'{') => self.object(input, start, sink),
            Some(b'[') if self.open.len() < WRAPPER_DEPTH_MAX => return self.enter(Wrapper::Array, start + 1),
            Some(_) => scan(input.buffer, start).map(|end| self.emit(&input.buffer[start..end], sink, end)),
        };
        read.unwrap_or_else(|fault| match input.starves(fault) {
            true => Step::Starved,
            false => {
                self.lost = true;
                Step::At(start)
            }
        })
    }

    /// In a wrapper object, before or after its records.
    fn member<'b>(&mut self, input: Input<'b>, at: usize, sink: &mut dyn FnMut(Item<'b>)) -> Step {
        let start = skip_commas(input.buffer, at);
        match input.buffer.get(start) {
            None => return Step::Starved,
            Some(b'}') => return self.leave(start + 1),
            Some(_) => {}
        }
        let read = scan_key(input.buffer, start).and_then(|(key_end, value)| {
            match self.record_wrapper(input.buffer, &input.buffer[start + 1..key_end - 1], value) {
                Some(wrapper) => Ok(self.enter(wrapper, value + 1)),
                None => scan(input.buffer, value).map(Step::At),
            }
        });
        read.unwrap_or_else(|fault| match input.starves(fault) {
            true => Step::Starved,
            false => {
                self.open.clear();
                broken_lines(input, start, sink)
            }
        })
    }

    /// An object: a wrapper is entered, anything else is one item. The fields of an event are found on the way.
    fn object<'b>(&mut self, input: Input<'b>, start: usize, sink: &mut dyn FnMut(Item<'b>)) -> Result<Step, Fault> {
        let text = input.buffer;
        let mut event = Event::empty(Json::checked(&[]));
        let mut renamed_level = false;
        let mut at = skip_blanks(text, start + 1);
        if text.get(at) == Some(&b'}') {
            return Ok(self.emit(&text[start..=at], sink, at + 1));
        }
        loop {
            let (key_end, value) = scan_key(text, at)?;
            let key = &text[at + 1..key_end - 1];
            if let Some(wrapper) = self.record_wrapper(text, key, value)
                && !event.is_audit_event()
            {
                self.open.push(Wrapper::Object);
                return Ok(self.enter(wrapper, value + 1));
            }
            let value_end = event.scan(text, key, value)?;
            match key {
                b"logGroup" if !event.is_audit_event() => self.note_cluster(&text[value..value_end]),
                b"k8s_audit_level" => renamed_level = true,
                _ => {}
            }
            at = skip_blanks(text, value_end);
            match text.get(at) {
                Some(b',') => at = skip_blanks(text, at + 1),
                Some(b'}') => break,
                _ => return Err(Fault { at, expected: "`,` or `}`" }),
            }
        }
        let bytes = &text[start..=at];
        if renamed_level || !event.is_audit_event() {
            return Ok(self.emit(bytes, sink, at + 1));
        }
        event.json = Json::checked(bytes);
        sink(Item { format: Format::Audit, bytes, event: Some(event), cluster: self.cluster.clone() });
        Ok(Step::At(at + 1))
    }

    /// Hands over a complete JSON value, recognised or quarantined.
    fn emit<'b>(&mut self, bytes: &'b [u8], sink: &mut dyn FnMut(Item<'b>), next: usize) -> Step {
        let recognised = Json::whole(bytes).ok().and_then(|json| Some((recognise(json)?.0, cluster_of(json))));
        let (format, named) = recognised.unwrap_or((Format::Quarantine, None));
        sink(Item { format, bytes, event: None, cluster: named.or_else(|| self.cluster.clone()) });
        Step::At(next)
    }

    /// Whether a member holds records, and as what; its value starts at `value`.
    fn record_wrapper(&self, text: &[u8], key: &[u8], value: usize) -> Option<Wrapper> {
        let may_enter = || RECORDS.contains(&key) && self.open.len() + 2 <= WRAPPER_DEPTH_MAX;
        match text.get(value) {
            Some(b'[') if may_enter() => Some(Wrapper::Array),
            Some(b'{') if key == b"hits" && may_enter() => Some(Wrapper::Object),
            _ => None,
        }
    }

    /// A CloudWatch subscription names the cluster in its log group: `/aws/eks/NAME/cluster`.
    fn note_cluster(&mut self, log_group: &[u8]) {
        let group = Json::checked(log_group).text().unwrap_or_default();
        let name = group.strip_prefix("/aws/eks/").and_then(|rest| rest.split('/').next());
        self.cluster = name.map(str::to_owned);
    }

    /// After a broken record of an array: quarantines up to the next object that reads as an audit event.
    fn resume<'b>(&mut self, input: Input<'b>, at: usize, sink: &mut dyn FnMut(Item<'b>)) -> Step {
        for comma in memmem::find_iter(&input.buffer[at..], b",{\"").take(RESUME_TRIES_MAX) {
            let start = at + comma + 1;
            let found = match scan(input.buffer, start) {
                Ok(end) => Event::parse(&input.buffer[start..end]).is_ok(),
                Err(fault) => input.starves(fault),
            };
            if found {
                self.lost = false;
                quarantine(&input.buffer[at..start - 1], sink);
                return Step::At(start);
            }
        }
        if input.waits(at) {
            return Step::Starved;
        }
        if input.end == End::Last {
            self.lost = false;
            self.open.clear();
        }
        quarantine(&input.buffer[at..], sink);
        Step::At(input.buffer.len())
    }

    fn enter(&mut self, wrapper: Wrapper, at: usize) -> Step {
        self.open.push(wrapper);
        Step::At(at)
    }

    fn leave(&mut self, at: usize) -> Step {
        self.open.pop();
        if self.open.is_empty() {
            self.cluster = None;
        }
        Step::At(at)
    }
}

/// The buffer, and whether more may follow.
#[derive(Clone, Copy)]
struct Input<'b> {
    buffer: &'b [u8],
    end: End,
}

impl Input<'_> {
    /// Whether what starts at `start` may still be finished by more input.
    fn waits(&self, start: usize) -> bool {
        self.end == End::More && self.buffer.len() - start < ITEM_MAX
    }

    /// Whether `fault` only says that the buffer ended too early.
    fn starves(&self, fault: Fault) -> bool {
        fault.at >= self.buffer.len() && self.waits(0)
    }
}

/// A top-level `[` opens records unless the line is plain text such as `[INFO] started`.
fn looks_like_array(text: &[u8]) -> bool {
    let next = skip_blanks(text, 1);
    matches!(text.get(next), None | Some(b'{' | b'[' | b']' | b'"'))
}

/// Skips what may stand between records: blanks, byte-order marks, record separators, the zeros of a sparse file.
fn skip_gap(text: &[u8], mut at: usize) -> usize {
    loop {
        at = skip_blanks(text, at);
        match &text[at.min(text.len())..] {
            [0 | 0x1E, ..] => at += 1,
            [0xEF, 0xBB, 0xBF, ..] => at += 3,
            _ => return at,
        }
    }
}

fn skip_commas(text: &[u8], mut at: usize) -> usize {
    loop {
        at = skip_blanks(text, at);
        match text.get(at) {
            Some(b',') => at += 1,
            _ => return at,
        }
    }
}

/// A line that does not start as JSON: an event behind a prefix, or quarantine.
fn line<'b>(input: Input<'b>, start: usize, sink: &mut dyn FnMut(Item<'b>)) -> Step {
    let rest = &input.buffer[start..];
    let length = match memchr::memchr(b'\n', rest) {
        Some(length) => length,
        None if input.waits(start) => return Step::Starved,
        None => rest.len(),
    };
    let bytes = rest[..length].strip_suffix(b"\r").unwrap_or(&rest[..length]);
    match prefixed(bytes) {
        Some(cluster) => sink(Item { format: Format::Prefixed, bytes, event: None, cluster }),
        None => quarantine(bytes, sink),
    }
    Step::At(start + length)
}

/// Whether a line ends in an audit event behind a prefix; if so, the cluster it names.
fn prefixed(line: &[u8]) -> Option<Option<String>> {
    let json = Json::whole(&line[memchr::memchr(b'{', line)?..]).ok()?;
    recognise(json).map(|_| cluster_of(json))
}

/// An object that does not read: everything up to the next line that opens one.
fn broken_lines<'b>(input: Input<'b>, start: usize, sink: &mut dyn FnMut(Item<'b>)) -> Step {
    let rest = &input.buffer[start..];
    let length = match memmem::find(rest, b"\n{") {
        Some(length) if !input.may_be_unfinished(start) || input.end == End::Last => length,
        _ if input.waits(start) => return Step::Starved,
        Some(length) => length,
        None => rest.len(),
    };
    quarantine(&rest[..length], sink);
    Step::At(start + length)
}

impl Input<'_> {
    /// Whether the object at `start` only lacks its end.
    fn may_be_unfinished(&self, start: usize) -> bool {
        matches!(scan(self.buffer, start), Err(fault) if fault.at >= self.buffer.len())
    }
}

fn quarantine<'b>(bytes: &'b [u8], sink: &mut dyn FnMut(Item<'b>)) {
    let bytes = bytes.trim_ascii_end();
    if !bytes.is_empty() {
        sink(Item { format: Format::Quarantine, bytes, event: None, cluster: None });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};
    use proptest::prelude::*;

    fn show(items: &[Item<'_>]) -> String {
        items
            .iter()
            .map(|item| {
                let cluster = item.cluster.as_deref().map(|c| format!(" @{c}")).unwrap_or_default();
                let reason = match item.format {
                    Format::Quarantine => format!(" ({})", diagnose(item.bytes).map_or("none", |reason| reason.name())),
                    _ => String::new(),
                };
                let text = String::from_utf8_lossy(item.bytes);
                format!("{}{cluster}{reason} {}\n", item.format.name(), text.chars().take(50).collect::<String>())
            })
            .collect()
    }

    fn check(text: &str, want: Expect) {
        want.assert_eq(&show(&split(text.as_bytes())));
    }

    const A: &str = r#"{"auditID":"a","stage":"Panic"}"#;
    const B: &str = r#"{"kind":"Event","apiVersion":"audit.k8s.io/v1","auditID":"b"}"#;

    #[test]
    fn lines_lists_arrays_and_concatenation_are_one() {
        for text in [
            format!("{A}\n{B}\n"),
            format!("{A}{B}"),
            format!("\u{feff}\n [{A} , {B}]"),
            format!(r#"{{"kind":"EventList","apiVersion":"audit.k8s.io/v1","metadata":{{}},"items":[{A},{B}]}}"#),
            format!(r#"{{"items":[{A},{B}],"kind":"EventList","more":{{"items":[]}}}}"#),
            format!(r#"{{"took":1,"hits":{{"total":2,"hits":[{A},{B}]}}}}"#),
            format!(r#"[{{"items":[{A}]}},{{"items":[{B}]}}]"#),
        ] {
            assert_eq!(show(&split(text.as_bytes())), format!("audit {A}\naudit {}\n", &B[..50]), "{text}");
        }
    }

    #[test]
    fn a_broken_line_costs_only_itself() {
        check(
            &format!("{A}\n{{\"auditID\":\"x\"y\"}}\n{B}\nplain text\n{{\"open\":\n{A}"),
            expect![[r#"
                audit {"auditID":"a","stage":"Panic"}
                quarantine (not-json) {"auditID":"x"y"}
                audit {"kind":"Event","apiVersion":"audit.k8s.io/v1","au
                quarantine (not-json) plain text
                quarantine (cut-off) {"open":
                audit {"auditID":"a","stage":"Panic"}
            "#]],
        );
    }

    #[test]
    fn a_broken_item_costs_only_itself() {
        check(
            &format!(r#"{{"items":[{A},{{"auditID":nope}},{B},5,{{}},{A}"#),
            expect![[r#"
                audit {"auditID":"a","stage":"Panic"}
                quarantine (not-json) {"auditID":nope}
                audit {"kind":"Event","apiVersion":"audit.k8s.io/v1","au
                quarantine (other-kind) 5
                quarantine (other-kind) {}
                audit {"auditID":"a","stage":"Panic"}
            "#]],
        );
    }

    #[test]
    fn wrappers_are_recognised() {
        let quoted = |text: &str| {
            let mut out = Vec::new();
            crate::json::quote(text, &mut out);
            String::from_utf8(out).unwrap()
        };
        check(
            &[
                format!(r#"{{"logGroup":"/aws/eks/prod/cluster","logEvents":[{{"id":"1","timestamp":1,"message":{}}}]}}"#, quoted(A)),
                format!(r#"{{"category":"kube-audit","resourceId":"/X/MANAGEDCLUSTERS/AKS1","properties":{{"log":{}}}}}"#, quoted(A)),
                format!(r#"{{"_index":"i","_source":{A}}}"#),
                format!(r#"{{"preview":false,"result":{{"_raw":{}}}}}"#, quoted(A)),
                format!("2026-01-02T03:04:05.000Z {A}"),
                r#"{"protoPayload":{"methodName":"io.k8s.core.v1.pods.create","resourceName":"core/v1/namespaces/web/pods/x"},"resource":{"labels":{"cluster_name":"gke1"}}}"#.to_owned(),
                r#"{"protoPayload":{"methodName":"google.container.v1.SetLabels"}}"#.to_owned(),
                r#"{"kind":"Event","apiVersion":"audit.k8s.io/v1","auditID":"v","k8s_audit_level":"Metadata","level":"default"}"#.to_owned(),
            ]
            .join("\n"),
            expect![[r#"
                cloudwatch @prod {"id":"1","timestamp":1,"message":"{\"auditID\":\"
                aks @aks1 {"category":"kube-audit","resourceId":"/X/MANAGEDC
                source {"_index":"i","_source":{"auditID":"a","stage":"Pa
                splunk {"preview":false,"result":{"_raw":"{\"auditID\":\"
                prefixed 2026-01-02T03:04:05.000Z {"auditID":"a","stage":"P
                gke @gke1 {"protoPayload":{"methodName":"io.k8s.core.v1.pods
                quarantine (other-kind) {"protoPayload":{"methodName":"google.container.v1
                viaq {"kind":"Event","apiVersion":"audit.k8s.io/v1","au
            "#]],
        );
    }

    /// Feeds `text` in chunks as a reader would and copies the items out.
    fn split_in_chunks(text: &[u8], chunk: usize) -> Vec<(Format, Vec<u8>)> {
        let (mut splitter, mut buffer, mut items) = (Splitter::new(), Vec::new(), Vec::new());
        let mut chunks = text.chunks(chunk.max(1)).peekable();
        loop {
            buffer.extend_from_slice(chunks.next().unwrap_or_default());
            let end = if chunks.peek().is_none() { End::Last } else { End::More };
            let used = splitter.split(&buffer, end, &mut |item| items.push((item.format, item.bytes.to_vec())));
            buffer.drain(..used);
            if end == End::Last {
                assert!(buffer.is_empty());
                return items;
            }
        }
    }

    fn piece() -> impl Strategy<Value = String> {
        prop_oneof![
            5 => Just(A.to_owned()),
            3 => Just(B.to_owned()),
            1 => Just(r#"{"kind":"EventList","items":["#.to_owned()),
            1 => Just("]}".to_owned()),
            1 => Just("[".to_owned()),
            1 => Just("]".to_owned()),
            1 => Just("{\"a\":\"".to_owned()),
            2 => Just(",".to_owned()),
            4 => Just("\n".to_owned()),
            1 => "[ -~]{0,6}",
        ]
    }

    proptest! {
        #[test]
        fn hostile_text_neither_panics_nor_loses_whole_lines(pieces in prop::collection::vec(piece(), 0..24), chunk in 1usize..40) {
            let text = pieces.concat();
            for item in split(text.as_bytes()).iter().filter(|item| item.format == Format::Audit) {
                let parsed = Event::parse(item.bytes).ok();
                prop_assert_eq!(format!("{:?}", item.event), format!("{parsed:?}"));
                let mut outline = Vec::new();
                item.event.iter().for_each(|event| event.outline(&mut outline));
                prop_assert_eq!(format!("{:?}", Event::recall(item.bytes, &outline)), format!("{parsed:?}"));
            }
            let whole: Vec<_> = split(text.as_bytes()).into_iter().map(|i| (i.format, i.bytes.to_vec())).collect();
            let events = |items: &[(Format, Vec<u8>)]| items.iter().filter(|(f, _)| *f == Format::Audit).count();
            let chunked = split_in_chunks(text.as_bytes(), chunk);
            prop_assert!(events(&whole) <= text.matches("auditID").count());
            prop_assert!(events(&chunked) <= text.matches("auditID").count());
        }

        #[test]
        fn chunks_do_not_matter(kinds in prop::collection::vec(0usize..6, 0..20), chunk in 1usize..80) {
            let lines = [A, B, "", "plain text", r#"{"kind":"Pod"}"#, r#"{"items":[{"auditID":"c","verb":"get"},7]}"#];
            let text: String = kinds.iter().map(|kind| format!("{}\n", lines[*kind])).collect();
            let whole: Vec<_> = split(text.as_bytes()).into_iter().map(|i| (i.format, i.bytes.to_vec())).collect();
            prop_assert_eq!(split_in_chunks(text.as_bytes(), chunk), whole);
        }

        #[test]
        fn never_panics(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            let _ = split(&bytes);
            let _ = diagnose(&bytes);
        }
    }
}

//! An entry → the values of its row and its residual.

use std::borrow::Cow;

use audit::{Event, Format, Json, Micros, User, parse_rfc3339};

use crate::column::Column;
use crate::draft::{BlockBuilder, Draft};
use crate::entry::Arrival;
use crate::residual::{Cut, VERBATIM};
use crate::snapshot::format_text;
use crate::spelling;

/// Takes entries apart. Keeps its scratch space between entries.
#[derive(Debug, Default)]
pub(crate) struct Extractor {
    cuts: Vec<Cut>,
    residual: Vec<u8>,
}

impl Extractor {
    /// Adds `entry` as one row of `block`. Every entry becomes a row, whatever its bytes.
    pub(crate) fn append(&mut self, block: &mut BlockBuilder, arrival: &Arrival<'_>) {
        let entry = &arrival.entry;
        // Columns hold UTF-8; an entry that does not is kept as it is, beside columns of what can be read of it.
        let clean = clean(entry.payload);
        let format = Format::from_code(entry.format).unwrap_or(Format::Quarantine);
        let text = audit::normalise(format, &clean);
        let mut draft = Draft::default();
        draft.set_integer(Column::Index, entry.index as i64);
        draft.set_integer(Column::Received, entry.received);
        draft.set_integer(Column::Time, entry.received);
        draft.set_integer(Column::Size, entry.payload.len() as i64);
        block.set_text(&mut draft, Column::Cluster, entry.cluster.as_bytes());
        block.set_text(&mut draft, Column::Format, format_text(entry.format).as_bytes());
        let whole = matches!(clean, Cow::Borrowed(_)) && format == Format::Audit;
        let outline = if whole { arrival.outline } else { &[] };
        let exact = match &text {
            Ok(text) => self.append_event(block, &mut draft, text, outline) && whole,
            Err(defect) => {
                block.set_text(&mut draft, Column::Defect, defect.to_string().as_bytes());
                false
            }
        };
        if !exact {
            draft.clear_text(Column::Residual);
            draft.set_bytes(Column::Raw, entry.payload);
        }
        block.push(&draft);
    }

    /// Sets the columns of an event; whether residual and columns give `text` back.
    fn append_event<'a>(
        &mut self,
        block: &mut BlockBuilder,
        draft: &mut Draft<'a>,
        text: &'a [u8],
        outline: &[u8],
    ) -> bool {
        let event = match Event::recall(text, outline).map_or_else(|| Event::parse(text), Ok) {
            Ok(event) => event,
            Err(defect) => {
                block.set_text(draft, Column::Defect, defect.to_string().as_bytes());
                return false;
            }
        };
        self.cuts.clear();
        Fields { text, block, draft, cuts: &mut self.cuts }.set_event(&event);
        // Checked here, while the bytes are at hand: what does not come back exactly is kept as it is.
        block.set_residual(draft, text, &mut self.cuts, &mut self.residual)
    }
}

/// The fields of one event on their way into a draft.
struct Fields<'b, 'a> {
    text: &'a [u8],
    block: &'b mut BlockBuilder,
    draft: &'b mut Draft<'a>,
    cuts: &'b mut Vec<Cut>,
}

impl<'a> Fields<'_, 'a> {
    fn set_event(&mut self, event: &Event<'a>) {
        use Column as C;
        self.string(C::Level, event.level);
        self.audit_id(event.audit_id);
        self.string(C::Stage, event.stage);
        self.string(C::Uri, event.request_uri);
        self.string(C::Verb, event.verb);
        self.user(&event.user, [C::User, C::Uid, C::Groups, C::Extra]);
        if let Some(user) = &event.impersonated_user {
            self.user(user, [C::ImpersonatedUser, C::ImpersonatedUid, C::ImpersonatedGroups, C::ImpersonatedExtra]);
        }
        self.addresses(event);
        self.string(C::Agent, event.user_agent);
        self.object(event);
        self.status(event);
        self.body(C::RequestObject, C::RequestSize, event.request_object);
        self.body(C::ResponseObject, C::ResponseSize, event.response_object);
        self.times(event);
        self.annotations(event);
    }

    fn user(&mut self, user: &User<'a>, [name, uid, groups, extra]: [Column; 4]) {
        self.string(name, user.username);
        self.string(uid, user.uid);
        self.json(groups, user.groups);
        self.json(extra, user.extra);
    }

    fn addresses(&mut self, event: &Event<'a>) {
        self.json(Column::Ips, event.source_ips);
        self.block.derive(self.draft, Column::Ips, [Column::Peer], |block, draft| {
            if let Some(peer) = event.source_ips().last() {
                block.set_text(draft, Column::Peer, peer.as_bytes());
            }
        });
    }

    fn object(&mut self, event: &Event<'a>) {
        use Column as C;
        let Some(object) = &event.object_ref else { return };
        self.string(C::Resource, object.resource);
        self.string(C::Namespace, object.namespace);
        self.string(C::Name, object.name);
        self.string(C::ObjectUid, object.uid);
        self.string(C::ApiGroup, object.api_group);
        self.string(C::ApiVersion, object.api_version);
        self.string(C::ResourceVersion, object.resource_version);
        self.string(C::Subresource, object.subresource);
    }

    fn status(&mut self, event: &Event<'a>) {
        let Some(status) = &event.response_status else { return };
        self.string(Column::Status, status.status);
        self.string(Column::StatusMessage, status.message);
        self.string(Column::StatusReason, status.reason);
        self.json(Column::StatusDetails, status.details);
        if let Some(code) = status.code
            && let Some(value) = code.integer()
        {
            self.draft.set_integer(Column::Code, value);
            // `+5`, `-0` and `007` stay where they are.
            let canonical = !matches!(code.bytes(), [b'-' | b'+', ..] | [b'0', _, ..]);
            if canonical {
                self.cut(Column::Code, VERBATIM, code.bytes());
            }
        }
    }

    fn times(&mut self, event: &Event<'a>) {
        let request = self.time(Column::LatencyUs, event.request_received_timestamp);
        let stage = self.time(Column::Time, event.stage_timestamp);
        if let Some(time) = stage.or(request) {
            self.draft.set_integer(Column::Time, time);
        }
        if let (Some(request), Some(stage)) = (request, stage) {
            self.draft.set_integer(Column::LatencyUs, stage - request);
        }
    }

    /// Reads a time, and cuts it out if it is written as it will be put back.
    fn time(&mut self, column: Column, json: Option<Json<'a>>) -> Option<Micros> {
        let inner = json?.inner()?;
        let Some(time) = self.block.read_time(inner) else { return parse_rfc3339(&json?.text()?) };
        self.cut(column, VERBATIM, inner);
        Some(time)
    }

    fn annotations(&mut self, event: &Event<'a>) {
        use Column as C;
        let Some(annotations) = event.annotations else { return };
        self.json(C::Annotations, event.annotations);
        self.block.derive(self.draft, C::Annotations, [C::Decision, C::Reason], |block, draft| {
            set_authorisation(block, draft, annotations);
        });
    }

    fn audit_id(&mut self, json: Option<Json<'a>>) {
        match json.and_then(Json::inner).and_then(|inner| Some((inner, spelling::parse_uuid(inner)?))) {
            Some((inner, uuid)) => {
                self.draft.set_uuid(uuid);
                self.cut(Column::AuditId, VERBATIM, inner);
            }
            None => self.string(Column::AuditIdText, json),
        }
    }

    fn string(&mut self, column: Column, json: Option<Json<'a>>) {
        let Some(json) = json else { return };
        if let (Some(mark), Some(inner)) = (self.block.set_string(self.draft, column, json), json.inner()) {
            self.cut(column, mark, inner);
        }
    }

    fn json(&mut self, column: Column, json: Option<Json<'a>>) {
        let Some(json) = json else { return };
        self.block.set_text(self.draft, column, json.bytes());
        self.cut(column, VERBATIM, json.bytes());
    }

    fn body(&mut self, column: Column, size: Column, json: Option<Json<'a>>) {
        let Some(json) = json else { return };
        self.draft.set_integer(size, json.bytes().len() as i64);
        self.draft.set_bytes(column, json.bytes());
        self.cut(column, VERBATIM, json.bytes());
    }

    fn cut(&mut self, column: Column, mark: u8, value: &[u8]) {
        let start = (value.as_ptr() as usize).wrapping_sub(self.text.as_ptr() as usize);
        self.cuts.push(Cut { start, end: start.wrapping_add(value.len()), mark, column });
    }
}

/// The authoriser's answer, as annotations tell it.
fn set_authorisation(block: &mut BlockBuilder, draft: &mut Draft<'_>, annotations: Json<'_>) {
    for (key, value) in annotations.members() {
        let column = match () {
            () if key.is_text("authorization.k8s.io/decision") => Column::Decision,
            () if key.is_text("authorization.k8s.io/reason") => Column::Reason,
            () => continue,
        };
        match value.text() {
            Some(value) => block.set_text(draft, column, value.as_bytes()),
            None => draft.clear_text(column),
        }
    }
}

/// The payload as UTF-8. The check of what is right already is several times faster than a lossy reading, and nearly
/// everything is ASCII.
fn clean(payload: &[u8]) -> Cow<'_, [u8]> {
    if payload.is_ascii() || std::str::from_utf8(payload).is_ok() {
        return Cow::Borrowed(payload);
    }
    Cow::Owned(String::from_utf8_lossy(payload).into_owned().into_bytes())
}

//! Rows as people and programs are shown them.

use std::borrow::Cow;

use audit::{Format, Json};
use query::{Entry, Raw, RowKeys, Shown, remarks_of};

use crate::column::Column;
use crate::row::FoundRow;
use crate::scan::{Order, Payload, Scan};
use crate::snapshot::format_of;

/// Columns that the JSON of every row needs, to read an entry that is kept as it arrived.
const ALWAYS: [Column; 3] = [Column::Received, Column::Cluster, Column::Format];

/// Columns of which a key of the JSON is made.
fn columns_of(key: &str) -> &'static [Column] {
    match key {
        "user" => &[Column::User],
        "groups" => &[Column::Groups],
        "verb" => &[Column::Verb],
        "resource" => &[Column::Resource],
        "subresource" => &[Column::Subresource],
        "namespace" => &[Column::Namespace],
        "name" => &[Column::Name],
        "code" => &[Column::Code],
        "decision" => &[Column::Decision],
        "ips" => &[Column::Ips],
        "agent" => &[Column::Agent],
        "stage" => &[Column::Stage],
        "level" => &[Column::Level],
        "auditID" => &[Column::AuditId],
        "trust" => &[Column::LatencyUs, Column::Ips, Column::AuditId],
        _ => &[],
    }
}

impl Scan {
    /// Rows that are shown by [`FoundRow::to_json`] with the same keys.
    pub fn shown(limit: usize, order: Order, keys: RowKeys, raw: Raw) -> Self {
        let payload = if raw == Raw::With { Payload::With } else { Payload::Uncut };
        let mut columns = ALWAYS.to_vec();
        for column in keys.names().flat_map(columns_of) {
            if !columns.contains(column) {
                columns.push(*column);
            }
        }
        Self { limit, order, columns, payload }
    }
}

impl FoundRow {
    /// The stable JSON of a row of [`Scan::shown`], the same as [`query::Row::to_json_of`] gives of its entry.
    pub fn to_json(&self, keys: RowKeys, raw: Raw) -> Vec<u8> {
        let payload = self.payload().unwrap_or_default();
        if self.is_cut() {
            return self.shown().to_json(keys, (raw == Raw::With).then_some(payload));
        }
        let code = format_of(self.text(Column::Format).unwrap_or_default().as_bytes());
        let entry = Entry {
            index: self.index,
            received: self.integer(Column::Received).unwrap_or_default(),
            cluster: self.text(Column::Cluster).unwrap_or_default(),
            format: Format::from_code(code).unwrap_or(Format::Quarantine),
            payload,
        };
        entry.with_row(|row| row.to_json_of(keys, raw))
    }

    fn shown(&self) -> Shown<'_> {
        let text = |column| self.text(column).map(Cow::Borrowed);
        let json = |column| self.text(column).map(|text| Json::checked(text.as_bytes()));
        let addresses = json(Column::Ips).into_iter().flat_map(Json::elements).filter_map(Json::text);
        let audit_id = text(Column::AuditId);
        Shown {
            index: self.index,
            time: self.time,
            received: self.integer(Column::Received).unwrap_or_default(),
            cluster: self.text(Column::Cluster).unwrap_or_default(),
            user: text(Column::User),
            groups: json(Column::Groups),
            verb: text(Column::Verb),
            resource: text(Column::Resource),
            subresource: text(Column::Subresource),
            namespace: text(Column::Namespace),
            name: text(Column::Name),
            code: self.integer(Column::Code),
            decision: text(Column::Decision),
            ips: json(Column::Ips),
            agent: text(Column::Agent),
            stage: text(Column::Stage),
            level: text(Column::Level),
            remarks: remarks_of(addresses, audit_id.as_deref().unwrap_or_default(), self.integer(Column::LatencyUs)),
            audit_id,
        }
    }
}

//! Where an event can be forged by the client that caused it.

use std::borrow::Cow;
use std::net::IpAddr;

use audit::{Event, Micros};

/// A reason not to take a value of the event at its word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Remark {
    /// Source addresses besides the last: copied from headers that the client writes.
    ClaimedIp,
    /// An audit id that is not a random UUID: the client sent its own.
    ChosenAuditId,
    /// The stage is earlier than the request.
    TimeOrder,
    /// The entry could not be read as an event.
    Unread,
}

impl Remark {
    /// Every remark.
    pub const ALL: [Remark; 4] = [Self::ClaimedIp, Self::ChosenAuditId, Self::TimeOrder, Self::Unread];

    /// Stable name, as shown and asked for.
    pub fn name(self) -> &'static str {
        match self {
            Self::ClaimedIp => "claimed-ip",
            Self::ChosenAuditId => "chosen-audit-id",
            Self::TimeOrder => "time-order",
            Self::Unread => "unread",
        }
    }
}

/// What is remarkable about an event; nothing if it can be trusted as far as the API server can.
pub fn remarks(event: Option<&Event<'_>>) -> Vec<Remark> {
    let Some(event) = event else { return vec![Remark::Unread] };
    let latency = event.stage_time().zip(event.received()).map(|(stage, request)| stage - request);
    remarks_of(event.source_ips(), &event.audit_id(), latency)
}

/// The same of values that were read before: source addresses, audit id, and time from the request to the stage.
pub fn remarks_of<'a>(
    addresses: impl Iterator<Item = Cow<'a, str>>,
    audit_id: &str,
    latency: Option<Micros>,
) -> Vec<Remark> {
    [
        (Remark::ClaimedIp, has_claimed_address(addresses)),
        (Remark::ChosenAuditId, !is_random_uuid(audit_id)),
        (Remark::TimeOrder, latency.is_some_and(|latency| latency < 0)),
    ]
    .into_iter()
    .filter_map(|(remark, holds)| holds.then_some(remark))
    .collect()
}

fn has_claimed_address<'a>(mut addresses: impl Iterator<Item = Cow<'a, str>>) -> bool {
    match (addresses.next(), addresses.next()) {
        (Some(only), None) => only.parse::<IpAddr>().is_err(),
        (Some(_), Some(_)) => true,
        (None, _) => false,
    }
}

/// Version 4, as the API server makes them, in lower case.
fn is_random_uuid(id: &str) -> bool {
    let bytes = id.as_bytes();
    bytes.len() == 36
        && bytes[14] == b'4'
        && matches!(bytes[19], b'8' | b'9' | b'a' | b'b')
        && bytes.iter().enumerate().all(|(i, byte)| match i {
            8 | 13 | 18 | 23 => *byte == b'-',
            _ => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, wanted: &[Remark]) {
        let event = Event::parse(text.as_bytes()).unwrap();
        assert_eq!(remarks(Some(&event)), wanted, "{text}");
    }

    #[test]
    fn forgeable_events() {
        let id = r#""stage":"Panic","auditID":"915743b8-f409-45d1-89fa-842c7dab438f""#;
        check(&format!(r#"{{{id},"sourceIPs":["10.0.0.1"]}}"#), &[]);
        check(&format!(r#"{{{id},"sourceIPs":["8.8.8.8","10.0.0.1"]}}"#), &[Remark::ClaimedIp]);
        check(r#"{"auditID":"../../x","stage":"Panic"}"#, &[Remark::ChosenAuditId]);
        check(
            &format!(
                r#"{{{id},"requestReceivedTimestamp":"2026-01-01T00:00:01Z","stageTimestamp":"2026-01-01T00:00:00Z"}}"#
            ),
            &[Remark::TimeOrder],
        );
        assert_eq!(remarks(None), [Remark::Unread]);
    }
}

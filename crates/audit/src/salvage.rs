//! Events that a carrier cut off: Azure keeps 32,766 bytes of a value, Splunk 10,000 of a line.
//!
//! The API server writes the metadata first and the bodies behind it, so that what is left mostly still says who did what.

use crate::event::Event;
use crate::json::{Json, Writer, scan, scan_key, skip_blanks};

/// By this the API server says itself that it left bodies out; the same is meant here.
const TRUNCATED: &str = "audit.k8s.io/truncated";

/// The event that the complete members at the beginning of `text` make, marked as truncated; `None` if they make none. It
/// gets `time` if its own was cut off.
pub(crate) fn salvage(text: &[u8], time: Option<Json<'_>>) -> Option<Vec<u8>> {
    let (mut event, mut annotations) = (Writer::new(), Writer::new());
    let mut at = skip_blanks(text, skip_blanks(text, 0) + 1);
    while let Ok((key_end, value)) = scan_key(text, at)
        && let Ok(end) = scan(text, value)
    {
        let comma = skip_blanks(text, end);
        if text.get(comma) != Some(&b',') {
            break; // a number may have lost digits
        }
        let key = Json::checked(&text[at..key_end]).text()?;
        let value = Json::checked(&text[value..end]);
        match &*key {
            "annotations" => value.members().for_each(|(key, value)| {
                annotations.json(&key.text().unwrap_or_default(), value.bytes());
            }),
            key => {
                event.json(key, value.bytes());
            }
        }
        at = skip_blanks(text, comma + 1);
    }
    annotations.text(TRUNCATED, "true");
    event.object("annotations", annotations);
    let left = event.finish();
    if Event::parse(&left).ok()?.time().is_some() {
        return Some(left);
    }
    let mut event = Writer::new();
    Json::checked(&left).members().for_each(|(key, value)| {
        event.json(&key.text().unwrap_or_default(), value.bytes());
    });
    event.maybe("stageTimestamp", time);
    Some(event.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVENT: &str = r#"{"kind":"Event","level":"Request","auditID":"a-1","stage":"ResponseComplete","verb":"create","user":{"username":"alice"},"objectRef":{"resource":"pods"},"responseStatus":{"code":201},"requestObject":{"kind":"Pod"},"stageTimestamp":"2026-01-02T03:04:06.000007Z","annotations":{"a":"b"}}"#;

    #[test]
    fn a_cut_event_keeps_what_stands_before_the_cut() {
        let cut = &EVENT[..EVENT.find("Pod").unwrap()];
        let time = Json::checked(br#""2026-01-02T03:04:07Z""#);
        let left = salvage(cut.as_bytes(), Some(time)).unwrap();
        let event = Event::parse(&left).unwrap();
        assert_eq!((event.username(), event.verb(), event.code()), ("alice".into(), "create".into(), Some(201)));
        assert!(event.request_object.is_none());
        assert_eq!(event.annotation(TRUNCATED).as_deref(), Some("true"));
        assert_eq!(event.time(), crate::parse_rfc3339("2026-01-02T03:04:07Z"));
    }

    #[test]
    fn wherever_it_is_cut_nothing_is_made_up() {
        let whole = Event::parse(EVENT.as_bytes()).unwrap();
        for end in 1..EVENT.len() {
            let Some(left) = salvage(&EVENT.as_bytes()[..end], None) else { continue };
            let event = Event::parse(&left).unwrap();
            assert_eq!(event.audit_id(), "a-1");
            assert!(event.code().is_none_or(|code| code == 201), "{end}");
            assert!(event.username().is_empty() || event.username() == "alice", "{end}");
            assert!(event.time().is_none_or(|time| Some(time) == whole.time()), "{end}");
        }
    }
}

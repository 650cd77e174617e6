//! Outlines: where the fields of an event stand in its text, so that whoever gets the same text again in this process need
//! not look for them a second time.
//!
//! ```text
//! 0   8  a bit for each field that is there, then one for each object that is there, perhaps without fields
//! 8      for each such field where it begins and where it ends in the text, 4 bytes each
//! ```
//! All numbers are little-endian. Outlines are not kept: the order of the fields may change with every version.

use crate::event::{Event, ObjectRef, ResponseStatus, User};
use crate::json::Json;

/// Fields that have a place in an [`Event`].
const FIELDS: usize = 36;
/// Bits of the objects whose presence alone says something.
const IMPERSONATED_USER: u64 = 1 << FIELDS;
const OBJECT_REF: u64 = IMPERSONATED_USER << 1;
const RESPONSE_STATUS: u64 = OBJECT_REF << 1;

impl<'a> Event<'a> {
    /// Appends the outline of this event to `outline`. Nothing is appended for an event that was not read from one
    /// text of less than 4 GiB, which [`Event::recall`] takes for an unknown one.
    pub fn outline(&self, outline: &mut Vec<u8>) {
        let text = self.json.bytes();
        if u32::try_from(text.len()).is_err() {
            return;
        }
        let start = outline.len();
        let mut present = self.objects();
        outline.extend_from_slice(&[0; 8]);
        for (number, value) in self.fields().into_iter().enumerate() {
            let Some(value) = value else { continue };
            let value = value.bytes();
            let at = (value.as_ptr() as usize).wrapping_sub(text.as_ptr() as usize);
            if at > text.len() || at + value.len() > text.len() {
                outline.truncate(start);
                return;
            }
            present |= 1 << number;
            outline.extend_from_slice(&(at as u32).to_le_bytes());
            outline.extend_from_slice(&((at + value.len()) as u32).to_le_bytes());
        }
        outline[start..start + 8].copy_from_slice(&present.to_le_bytes());
    }

    /// The event in `text`, of which `outline` was made; `None` if it is not an outline of a text of this length.
    ///
    /// With the outline of another text, fields are missing or wrong; nothing worse.
    pub fn recall(text: &'a [u8], outline: &[u8]) -> Option<Self> {
        let (present, spans) = outline.split_first_chunk()?;
        let present = u64::from_le_bytes(*present);
        let mut spans = spans.as_chunks::<8>().0.iter();
        let mut fields = [None; FIELDS];
        let mut left = present & (IMPERSONATED_USER - 1);
        while left != 0 {
            let [a, b, c, d, e, f, g, h] = *spans.next()?;
            let span = u32::from_le_bytes([a, b, c, d]) as usize..u32::from_le_bytes([e, f, g, h]) as usize;
            fields[left.trailing_zeros() as usize] = Some(Json::checked(text.get(span)?));
            left &= left - 1;
        }
        Some(Self::from_fields(Json::checked(text), present, fields))
    }

    fn objects(&self) -> u64 {
        let bit = |is_there, bit| if is_there { bit } else { 0 };
        bit(self.impersonated_user.is_some(), IMPERSONATED_USER)
            | bit(self.object_ref.is_some(), OBJECT_REF)
            | bit(self.response_status.is_some(), RESPONSE_STATUS)
    }

    /// All fields, in the order of [`Event::from_fields`].
    #[rustfmt::skip]
    fn fields(&self) -> [Option<Json<'a>>; FIELDS] {
        let Self {
            json: _, kind, api_version, level, audit_id, stage, request_uri, verb, user, impersonated_user,
            authentication_metadata, source_ips, user_agent, object_ref, response_status, request_object, response_object,
            request_received_timestamp, stage_timestamp, annotations,
        } = *self;
        let (other, object, status) =
            (impersonated_user.unwrap_or_default(), object_ref.unwrap_or_default(), response_status.unwrap_or_default());
        [
            kind, api_version, level, audit_id, stage, request_uri, verb,
            user.username, user.uid, user.groups, user.extra,
            other.username, other.uid, other.groups, other.extra,
            authentication_metadata, source_ips, user_agent,
            object.resource, object.subresource, object.namespace, object.name, object.uid, object.api_group,
            object.api_version, object.resource_version,
            status.code, status.status, status.reason, status.message, status.details,
            request_object, response_object, request_received_timestamp, stage_timestamp, annotations,
        ]
    }

    #[rustfmt::skip]
    fn from_fields(json: Json<'a>, present: u64, fields: [Option<Json<'a>>; FIELDS]) -> Self {
        let [
            kind, api_version, level, audit_id, stage, request_uri, verb,
            username, uid, groups, extra,
            other_username, other_uid, other_groups, other_extra,
            authentication_metadata, source_ips, user_agent,
            resource, subresource, namespace, name, object_uid, api_group, object_version, resource_version,
            code, status, reason, message, details,
            request_object, response_object, request_received_timestamp, stage_timestamp, annotations,
        ] = fields;
        let user = User { username, uid, groups, extra };
        let other = User { username: other_username, uid: other_uid, groups: other_groups, extra: other_extra };
        let object = ObjectRef {
            resource, subresource, namespace, name, uid: object_uid, api_group, api_version: object_version, resource_version,
        };
        let response = ResponseStatus { code, status, reason, message, details };
        Self {
            json, kind, api_version, level, audit_id, stage, request_uri, verb, user,
            impersonated_user: (present & IMPERSONATED_USER != 0).then_some(other),
            authentication_metadata, source_ips, user_agent,
            object_ref: (present & OBJECT_REF != 0).then_some(object),
            response_status: (present & RESPONSE_STATUS != 0).then_some(response),
            request_object, response_object, request_received_timestamp, stage_timestamp, annotations,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every field, each with another value.
    const FULL: &[u8] = br#"{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"RequestResponse","auditID":"a-1","stage":"ResponseComplete","requestURI":"/u","verb":"create","user":{"username":"alice","uid":"1","groups":["g"],"extra":{"k":["v"]}},"impersonatedUser":{"username":"bob","uid":"2","groups":["h"],"extra":{"l":["w"]}},"authenticationMetadata":{"m":1},"sourceIPs":["10.0.0.9"],"userAgent":"kubectl","objectRef":{"resource":"pods","subresource":"exec","namespace":"web","name":"x","uid":"3","apiGroup":"g","apiVersion":"v1","resourceVersion":"4"},"responseStatus":{"code":201,"status":"Failure","reason":"r","message":"m","details":{"d":1}},"requestObject":{"a":[1]},"responseObject":{"b":2},"requestReceivedTimestamp":"2026-01-02T03:04:05.000006Z","stageTimestamp":"2026-01-02T03:04:06.000007Z","annotations":{"n":"o"}}"#;

    fn recalled(text: &[u8]) -> String {
        let mut outline = vec![b'x'; 3];
        Event::parse(text).unwrap().outline(&mut outline);
        format!("{:?}", Event::recall(text, &outline[3..]).unwrap())
    }

    #[test]
    fn what_is_recalled_is_what_was_found() {
        let sparse = br#"{"auditID":"a","stage":"Panic","objectRef":{},"impersonatedUser":{}}"#;
        for text in [FULL, sparse] {
            assert_eq!(recalled(text), format!("{:?}", Event::parse(text).unwrap()));
        }
        let event = Event::parse(FULL).unwrap();
        assert!(event.fields().iter().all(Option::is_some), "the test leaves a field out");
    }

    #[test]
    fn a_strange_outline_is_harmless() {
        let mut outline = Vec::new();
        Event::parse(FULL).unwrap().outline(&mut outline);
        assert!(Event::recall(&FULL[..FULL.len() / 2], &outline).is_none());
        assert!(Event::recall(FULL, &[]).is_none());
        assert!(Event::recall(FULL, &outline[..outline.len() - 1]).is_none());
        outline.iter_mut().skip(8).for_each(|byte| *byte = 0xff);
        assert!(Event::recall(FULL, &outline).is_none());
    }
}

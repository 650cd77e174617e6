//! Objects, written.

use super::{Json, quote};

/// Writes one JSON object, member by member.
pub struct Writer {
    out: Vec<u8>,
}

impl Default for Writer {
    fn default() -> Self {
        Self::new()
    }
}

impl Writer {
    /// An object with no members yet.
    pub fn new() -> Self {
        Self { out: vec![b'{'] }
    }

    /// Adds a string member.
    pub fn text(&mut self, key: &str, value: &str) -> &mut Self {
        self.key(key);
        quote(value, &mut self.out);
        self
    }

    /// Adds a member whose value is already JSON.
    pub fn json(&mut self, key: &str, value: &[u8]) -> &mut Self {
        self.key(key);
        self.out.extend_from_slice(value);
        self
    }

    /// Adds `value` if there is one.
    pub fn maybe(&mut self, key: &str, value: Option<Json<'_>>) -> &mut Self {
        match value {
            Some(value) => self.json(key, value.bytes()),
            None => self,
        }
    }

    /// Adds an object member unless it is empty.
    pub fn object(&mut self, key: &str, value: Writer) -> &mut Self {
        if value.out.len() > 1 {
            let bytes = value.finish();
            self.json(key, &bytes);
        }
        self
    }

    /// Closes the object and returns its text.
    pub fn finish(mut self) -> Vec<u8> {
        self.out.push(b'}');
        self.out
    }

    fn key(&mut self, key: &str) {
        if self.out.len() > 1 {
            self.out.push(b',');
        }
        quote(key, &mut self.out);
        self.out.push(b':');
    }
}

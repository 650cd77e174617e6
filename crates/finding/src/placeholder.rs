//! Texts with placeholders: stories and containment advice name what a finding is about.

use std::borrow::Cow;

use crate::finding::Finding;

impl Finding {
    /// `template` with values in place of `{user}`, `{object}` and the like. A value is never looked at for placeholders
    /// again; what is no placeholder stays.
    pub fn fill(&self, template: &str) -> String {
        let mut out = String::with_capacity(template.len());
        let mut rest = template;
        while let Some(open) = rest.find('{') {
            out.push_str(&rest[..open]);
            let after = &rest[open + 1..];
            match after.find('}').and_then(|close| Some((self.value(&after[..close])?, &after[close + 1..]))) {
                Some((value, tail)) => {
                    out.push_str(&value);
                    rest = tail;
                }
                None => {
                    out.push('{');
                    rest = after;
                }
            }
        }
        out + rest
    }

    fn value(&self, name: &str) -> Option<Cow<'_, str>> {
        let text = match name {
            "user" => &self.actor.user,
            "resource" => &self.object.resource,
            "subresource" => &self.object.subresource,
            "namespace" => &self.object.namespace,
            "name" => &self.object.name,
            "verb" => &self.verb,
            "agent" => &self.actor.agent,
            "cluster" => &self.cluster,
            "ip" => self.actor.peer(),
            "actor" => return Some(self.actor.label().into()),
            "object" => return Some(self.object.to_string().into()),
            "code" => return Some(self.code.map(|code| code.to_string()).unwrap_or_default().into()),
            _ => return None,
        };
        Some(text.into())
    }
}

//! What the built-in rules say, in another language.

use std::borrow::Cow;
use std::collections::HashMap;

use crate::node::Node;
use crate::packed;

include!(concat!(env!("OUT_DIR"), "/translations.rs"));

/// The texts of the built-in rules in one language. Commands stay as they are; what is not translated stays in English.
#[derive(Debug)]
pub struct Dictionary {
    rules: HashMap<String, Translation>,
    /// By the English text.
    phrases: HashMap<String, String>,
    /// Of conditions; the longest English ones first.
    words: Vec<(String, String)>,
}

/// Title and description of a rule.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[expect(missing_docs, reason = "named as in a rule")]
pub struct Translation {
    pub title: String,
    pub description: String,
}

impl Dictionary {
    /// Reads the dictionary of `language` (`zh-Hant`, `zh-Hans`); `None` if there is none. Nothing is kept between calls.
    pub fn of(language: &str) -> Option<Self> {
        let (_, packed) = TRANSLATIONS.iter().find(|(name, _)| *name == language)?;
        let document = packed::unpack(packed)?.swap_remove(0);
        let part = |key: &'static str| document.get(key).map_or(&[][..], Node::entries).iter();
        let text = |node: &Node| node.text().map(str::to_owned);
        let of_rule = |(id, of): &(Node, Node)| {
            let text = |key: &str| of.get(key).and_then(text).unwrap_or_default();
            Some((id.text()?.to_owned(), Translation { title: text("title"), description: text("description") }))
        };
        let pair = |(english, other): &(Node, Node)| Some((text(english)?, text(other)?));
        let mut words: Vec<_> = part("words").filter_map(pair).collect();
        words.sort_by_key(|(english, _)| std::cmp::Reverse(english.len()));
        let phrases = part("phrases").filter_map(pair).collect();
        Some(Self { rules: part("rules").filter_map(of_rule).collect(), phrases, words })
    }

    /// Title and description of the rule `id`.
    pub fn rule(&self, id: &str) -> Option<&Translation> {
        self.rules.get(id)
    }

    /// What stands for an English sentence of `falsepositives`, or remark of `containment`.
    pub fn phrase<'s>(&'s self, english: &'s str) -> &'s str {
        self.phrases.get(english).map_or(english, String::as_str)
    }

    /// Advice with its remarks (`# …`, on a line of their own or behind a command) in this language. Placeholders such as
    /// `{user}` stay.
    pub fn containment(&self, english: &str) -> String {
        let lines = english.lines().map(|line| match remark(line) {
            Some((command, remark)) => Cow::Owned(format!("{command}{}", self.phrase(remark))),
            None => Cow::Borrowed(line),
        });
        lines.collect::<Vec<_>>().join("\n")
    }

    /// A condition as [`test_in_words`](crate::test_in_words) says it, with its words in this language; what stands in
    /// quotes or slashes stays.
    pub fn condition(&self, english: &str) -> String {
        let mut told = String::with_capacity(english.len());
        let mut rest = english;
        while let Some(first) = rest.chars().next() {
            let word = self.words.iter().find(|(word, _)| {
                rest.strip_prefix(word.as_str()).is_some_and(|after| after.is_empty() || after.starts_with(' '))
            });
            let end = match word {
                Some((word, translation)) => {
                    told.push_str(translation);
                    rest = &rest[word.len()..];
                    0
                }
                None => token_end(rest, first),
            };
            let end = end + rest[end..].find(|c| c != ' ').unwrap_or(rest.len() - end);
            told.push_str(&rest[..end]);
            rest = &rest[end..];
        }
        told
    }

    /// The English sentences that have a translation.
    pub fn phrases(&self) -> impl Iterator<Item = &str> {
        self.phrases.keys().map(String::as_str)
    }

    /// The ids of the rules that have a translation.
    pub fn rules(&self) -> impl Iterator<Item = &str> {
        self.rules.keys().map(String::as_str)
    }
}

/// A line as what stands before a remark, sign included, and the remark.
pub fn remark(line: &str) -> Option<(&str, &str)> {
    let start = if line.starts_with("# ") { 2 } else { line.find(" # ")? + 3 };
    Some((&line[..start], line[start..].trim()))
}

/// Where what `text` begins with ends: a quoted text, an expression between slashes, or a word.
fn token_end(text: &str, first: char) -> usize {
    let after_first = first.len_utf8();
    let end = match first {
        '"' | '/' => text[after_first..].find(first).map(|at| after_first + at + 1),
        _ => text.find(' '),
    };
    end.unwrap_or(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remarks_are_told_from_commands() {
        assert_eq!(remark("# restore it"), Some(("# ", "restore it")));
        assert_eq!(remark("kubectl get pv   # now"), Some(("kubectl get pv   # ", "now")));
        assert_eq!(remark("jq 'select(.a == \"#\")'"), None);
        assert_eq!(remark(""), None);
    }

    #[test]
    fn remarks_are_translated_and_commands_are_not() {
        let dictionary = Dictionary::of("zh-Hant").unwrap();
        let advice =
            "kubectl delete pod {name}\nkubectl cordon {name}   # restore from version control\n# remove the mark\n# x";
        assert_eq!(
            dictionary.containment(advice),
            "kubectl delete pod {name}\nkubectl cordon {name}   # 從版本控制還原\n# 移除此標記\n# x"
        );
        assert!(Dictionary::of("de").is_none());
    }

    #[test]
    fn conditions_are_told_with_their_values_untouched() {
        let dictionary = Dictionary::of("zh-Hant").unwrap();
        for (english, told) in [
            (r#"is "not there""#, r#"為 "not there""#),
            (r#"not starts with "a" or ends with "or""#, r#"開頭不為 "a" 或 結尾為 "or""#),
            ("matches /is there/", "符合 /is there/"),
            ("is there", "存在"),
            ("every value all in (get, is)", "每個值 全部屬於 (get, is)"),
            (">= 5", ">= 5"),
            (r#"is "open"#, r#"為 "open"#),
        ] {
            assert_eq!(dictionary.condition(english), told);
        }
    }
}

//! Every value of a JSON text in one pass, and the words of a value.

use audit::Json;

use crate::pattern::is_word_byte;

/// Words of `text`: longest runs of ASCII letters, digits, `_` and characters beyond ASCII.
pub fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| c.is_ascii() && !is_word_byte(c as u8)).filter(|word| !word.is_empty())
}

/// The strings, numbers and literals of a JSON value, at any depth, in text order; keys are left out.
///
/// One pass without a stack: in checked text a string is a key exactly if a colon follows it.
#[derive(Debug, Clone)]
pub struct Scalars<'a> {
    text: &'a [u8],
    at: usize,
}

impl<'a> Scalars<'a> {
    /// The values of `json`, or `json` itself if it is one.
    pub fn of(json: Json<'a>) -> Self {
        Self { text: json.bytes(), at: 0 }
    }
}

impl<'a> Iterator for Scalars<'a> {
    type Item = Json<'a>;

    fn next(&mut self) -> Option<Json<'a>> {
        loop {
            let step = self.text.get(self.at..)?.iter().position(|byte| !is_structure(*byte))?;
            let start = self.at + step;
            let (value, length) = Json::first(&self.text[start..]).ok()?;
            self.at = start + length;
            let rest = &self.text[self.at..];
            let next = rest.iter().find(|byte| !byte.is_ascii_whitespace());
            if next != Some(&b':') {
                return Some(value);
            }
        }
    }
}

fn is_structure(byte: u8) -> bool {
    matches!(byte, b'{' | b'}' | b'[' | b']' | b',' | b':' | b' ' | b'\t' | b'\n' | b'\r')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_without_keys() {
        let json = Json::whole(br#"{"a": 1,"b":["x",{"c" : "y:{", "d":null}, true]}"#).unwrap();
        let found: Vec<String> = Scalars::of(json).map(|value| value.display().into_owned()).collect();
        assert_eq!(found, ["1", "x", "y:{", "null", "true"]);
        assert_eq!(Scalars::of(Json::whole(b"\"a\"").unwrap()).count(), 1);
        assert_eq!(Scalars::of(Json::whole(b"{}").unwrap()).count(), 0);
    }

    #[test]
    fn words_are_runs() {
        assert_eq!(words("docker.io/été-x_1:7").collect::<Vec<_>>(), ["docker", "io", "été", "x_1", "7"]);
    }
}

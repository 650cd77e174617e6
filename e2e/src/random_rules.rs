//! Sigma rules made from events: most of their tests take a value that stands in one, or a piece of it, so that they meet.

use serde_json::Value;

/// The same rules in every run.
const SEED: u64 = 0x5167_a000_0000_0001;

/// Fields that every event has.
const EVERYWHERE: [&str; 7] = ["verb", "level", "kind", "apiVersion", "stage", "requestURI", "auditID"];
/// Fields of which one may name another.
const COMPARED: [&str; 4] = ["objectRef.name", "objectRef.namespace", "objectRef.resource", "user.username"];

/// Longest value that a rule is made of.
const TEXT_BYTES_MAX: usize = 200;

/// Whether rules look at bodies.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bodies {
    In,
    Out,
}

/// Endless rules. What they do not ask is in [`crate::sigma`].
pub(crate) struct RandomRules {
    random: Random,
    /// Fields with their values, by event.
    events: Vec<Vec<(String, Value)>>,
    made: usize,
}

impl RandomRules {
    pub(crate) fn new(events: &[Value], bodies: Bodies) -> Self {
        let fields = |event: &Value| {
            let mut found = Vec::new();
            fields("", event, &mut found);
            found.retain(|(name, _)| bodies == Bodies::In || !name.contains("Object."));
            found
        };
        Self { random: Random(SEED), events: events.iter().map(fields).collect(), made: 0 }
    }

    fn rule(&mut self) -> String {
        let selections = 1 + self.random.below(3);
        let mut text = String::new();
        for number in 0..selections {
            let tests: Vec<String> = (0..1 + self.random.below(3)).map(|_| self.test()).collect();
            let mut keys = Vec::new();
            text.push_str(&format!("  s{number}:\n"));
            for test in tests {
                let key = test.split(':').next().unwrap_or_default().to_owned();
                if !keys.contains(&key) {
                    text.push_str(&format!("    {test}\n"));
                    keys.push(key);
                }
            }
        }
        let condition = self.condition(selections, 2);
        format!(
            "title: random {0}\nid: 00000000-0000-4000-8000-{0:012}\nlogsource: {{product: kubernetes, service: audit}}\ndetection:\n{text}  condition: {condition}\nlevel: low\n",
            self.made
        )
    }

    fn condition(&mut self, selections: usize, depth: usize) -> String {
        if depth == 0 || self.random.below(3) == 0 {
            return match self.random.below(6) {
                0 => "1 of s*".to_owned(),
                1 => "all of them".to_owned(),
                2 => format!("not s{}", self.random.below(selections)),
                _ => format!("s{}", self.random.below(selections)),
            };
        }
        let word = if self.random.below(2) == 0 { "and" } else { "or" };
        let (left, right) = (self.condition(selections, depth - 1), self.condition(selections, depth - 1));
        let not = if self.random.below(4) == 0 { "not " } else { "" };
        format!("({left}) {word} {not}({right})")
    }

    /// One test of a field, as it stands in a selection.
    fn test(&mut self) -> String {
        let event = self.random.below(self.events.len());
        let field = self.random.below(self.events[event].len());
        let (name, value) = self.events[event][field].clone();
        if let Value::Number(number) = &value {
            let modifier = self.random.pick(&["", "|gt", "|gte", "|lt", "|lte"]);
            return format!("{name}{modifier}: {number}");
        }
        let text = match &value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        match self.random.below(12) {
            0 => format!("{name}|exists: {}", self.random.pick(&["true", "false"])),
            1 => format!("{name}: null"),
            2 if name == "sourceIPs" => {
                format!("{name}|cidr: {}", self.random.pick(&["127.0.0.0/8", "10.0.0.0/8", "192.168.0.0/16", "::/0"]))
            }
            2 => format!("{name}|re: {}", quoted(&self.regex(&text))),
            3 if COMPARED.contains(&name.as_str()) => {
                let relation = self.random.pick(&["", "|contains", "|startswith", "|endswith"]);
                format!("{name}|fieldref{relation}: {}", self.random.pick(&COMPARED))
            }
            3 if name.ends_with("Timestamp") => {
                let (part, number) =
                    (self.random.pick(&["minute", "hour", "day", "month", "year"]), self.random.below(60));
                format!("{name}|{part}: {number}")
            }
            _ => self.text_test(&name, &text),
        }
    }

    fn text_test(&mut self, name: &str, text: &str) -> String {
        let modifier = self.random.pick(&["", "", "|contains", "|startswith", "|endswith", "|contains|all"]);
        let mut modifiers = modifier.to_owned();
        match self.random.below(6) {
            0 => modifiers.push_str("|cased"),
            1 if !modifier.contains("all") && EVERYWHERE.contains(&name) => modifiers.push_str("|neq"),
            _ => {}
        }
        // `all` of one value is refused by the other engine.
        let fewest = if modifier.contains("all") { 2 } else { 1 };
        let count = fewest + self.random.below(3);
        let values: Vec<String> = (0..count).map(|_| quoted(&self.pattern(modifier, text))).collect();
        format!("{name}{modifiers}: [{}]", values.join(", "))
    }

    /// A value that fits `text`, or nearly.
    fn pattern(&mut self, modifier: &str, text: &str) -> String {
        let letters: Vec<char> = text.chars().collect();
        let (start, end) = {
            let (a, b) = (self.random.below(letters.len() + 1), self.random.below(letters.len() + 1));
            (a.min(b), a.max(b))
        };
        let piece: String = match modifier {
            "" => letters.iter().collect(),
            "|startswith" => letters[..end].iter().collect(),
            "|endswith" => letters[start..].iter().collect(),
            _ => letters[start..end].iter().collect(),
        };
        let piece = if piece.is_empty() { text.to_owned() } else { piece };
        let mut escaped = escaped(&piece);
        match self.random.below(8) {
            0 => escaped = escaped.to_uppercase(),
            _ if modifier.ends_with("with") => {}
            1 => escaped = format!("{}*", escaped.chars().take(3).filter(|c| *c != '\\').collect::<String>()),
            2 => escaped = format!("*{escaped}*"),
            3 if piece.is_ascii() && !piece.contains(['*', '?', '\\']) => escaped.replace_range(..1, "?"),
            4 => escaped.push('x'),
            _ => {}
        }
        escaped
    }

    fn regex(&mut self, text: &str) -> String {
        let words: Vec<&str> =
            text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()).collect();
        let word = if words.is_empty() { "x" } else { words[self.random.below(words.len())] };
        match self.random.below(5) {
            0 => format!("^{word}"),
            1 => format!("{word}$"),
            2 => format!("(?i){}", word.to_uppercase()),
            3 => format!("[{}]+.{word}|{word}.", word.chars().next().unwrap_or('x')),
            _ => word.to_owned(),
        }
    }
}

impl Iterator for RandomRules {
    type Item = String;

    fn next(&mut self) -> Option<String> {
        let rule = self.rule();
        self.made += 1;
        Some(rule)
    }
}

/// Every scalar below `value` with its dotted path; elements of arrays have the path of the array.
fn fields(path: &str, value: &Value, found: &mut Vec<(String, Value)>) {
    match value {
        Value::Object(members) => {
            // A key with a dot is no step of a path for the other engine.
            for (key, value) in members.iter().filter(|(key, _)| !key.contains('.')) {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                fields(&path, value, found);
            }
        }
        Value::Array(elements) => elements.iter().for_each(|element| fields(path, element, found)),
        Value::Null => {}
        // Neither a piece of it nor its form in YAML would be plain.
        Value::String(text) if text.is_empty() || text.len() > TEXT_BYTES_MAX || text.contains(char::is_control) => {}
        scalar => found.push((path.to_owned(), scalar.clone())),
    }
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        if matches!(letter, '*' | '?' | '\\') {
            out.push('\\');
        }
        out.push(letter);
    }
    out
}

/// A text as YAML writes it in single quotes.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// xorshift64* (Vigna 2016): random enough, and the same everywhere.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let number = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33;
        usize::try_from(number).unwrap_or_default() % bound.max(1)
    }

    fn pick<'w>(&mut self, words: &[&'w str]) -> &'w str {
        words[self.below(words.len())]
    }
}

//! Tests in words, for explanations.

use crate::condition::{Pattern, Piece, Relation, Test};

/// A test as a person reads it.
pub fn test(test: &Test) -> String {
    match test {
        Test::Exists => "is there".to_owned(),
        Test::Text(_, pattern) => self::pattern(pattern),
        Test::AllWithin(set) => format!("all in ({})", set.join(", ")),
        Test::Every(inner) => format!("every value {}", self::test(inner)),
        Test::AnyOf(tests) => tests.iter().map(self::test).collect::<Vec<_>>().join(" or "),
        Test::Number(order, number) => format!("{} {}", order.sign(), number.0),
        Test::TextOrder(order, text) => format!("{} \"{text}\"", order.sign()),
        Test::Regex(expression) => format!("matches /{}/", expression.text()),
        Test::Network(networks) => {
            let networks: Vec<_> = networks.iter().map(ToString::to_string).collect();
            format!("in network {}", networks.join(", "))
        }
        Test::Time(part, order, number) => format!("{} {} {number}", format!("{part:?}").to_lowercase(), order.sign()),
        Test::Compare(relation, _, field) => format!("{} the value of {}", self::relation(*relation), field.name()),
        Test::UnderPath(paths) => format!("at or below ({})", paths.join(", ")),
    }
}

fn relation(relation: Relation) -> &'static str {
    match relation {
        Relation::Order(order) => order.sign(),
        Relation::Contains => "contains",
        Relation::StartsWith => "starts with",
        Relation::EndsWith => "ends with",
    }
}

fn pattern(pattern: &Pattern) -> String {
    match pattern {
        Pattern::Exact(text) => format!("is \"{text}\""),
        Pattern::Prefix(text) => format!("starts with \"{text}\""),
        Pattern::Suffix(text) => format!("ends with \"{text}\""),
        Pattern::Contains(text) => format!("contains \"{text}\""),
        Pattern::Wild(pieces) => format!("is like \"{}\"", pieces.iter().map(piece).collect::<String>()),
    }
}

fn piece(piece: &Piece) -> &str {
    match piece {
        Piece::Literal(text) => text,
        Piece::Many => "*",
        Piece::One => "?",
    }
}

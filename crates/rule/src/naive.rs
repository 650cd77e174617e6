//! The condition language, evaluated as plainly as it can be said. It explains matches, and the compiled form is tested
//! against it.

use std::borrow::Cow;

use audit::{Event, Json, civil_from_days, days_from_civil, parse_rfc3339};

use crate::condition::{Case, Condition, Predicate, Relation, Test, TimePart, Truth, address};
use crate::field::{self, Field};

/// What `condition` comes to on `event`.
pub fn evaluate(condition: &Condition, event: &Event<'_>) -> Truth {
    match condition {
        Condition::Always(truth) => *truth,
        Condition::All(parts) => parts.iter().map(|part| evaluate(part, event)).min().unwrap_or(Truth::True),
        Condition::Any(parts) => parts.iter().map(|part| evaluate(part, event)).max().unwrap_or(Truth::False),
        Condition::Not(inner) => !evaluate(inner, event),
        Condition::Test(predicate) => test(predicate, event),
    }
}

/// What `predicate` comes to on `event`.
pub fn test(predicate: &Predicate, event: &Event<'_>) -> Truth {
    let values = texts(&predicate.field, event);
    if values.is_empty() && field::is_hidden(event, predicate.field.part()) {
        return Truth::NotRecorded;
    }
    if let Test::Compare(relation, case, other) = &predicate.test {
        return compare(&values, *relation, *case, other, event);
    }
    Truth::known(passes(&predicate.test, &values))
}

/// The values of `field` as they are compared.
pub(crate) fn texts<'e>(field: &Field, event: &Event<'e>) -> Vec<Cow<'e, str>> {
    let mut values = Vec::new();
    field::walk_values(event, field, &mut |value| values.push(value.display()));
    values
}

fn compare(values: &[Cow<'_, str>], relation: Relation, case: Case, other: &Field, event: &Event<'_>) -> Truth {
    let others = texts(other, event);
    if others.is_empty() && field::is_hidden(event, other.part()) {
        return Truth::NotRecorded;
    }
    Truth::known(values.iter().any(|left| others.iter().any(|right| relates(left, right, relation, case))))
}

/// Whether `left` is so related to `right`.
pub(crate) fn relates(left: &str, right: &str, relation: Relation, case: Case) -> bool {
    if case == Case::Folded {
        return relates(&left.to_lowercase(), &right.to_lowercase(), relation, Case::Exact);
    }
    match relation {
        Relation::Contains => left.contains(right),
        Relation::StartsWith => left.starts_with(right),
        Relation::EndsWith => left.ends_with(right),
        Relation::Order(order) => match (left.parse::<f64>(), right.parse::<f64>()) {
            (Ok(left), Ok(right)) => order.holds(&left, &right),
            _ => order.holds(&left, &right),
        },
    }
}

/// Whether the values pass a test that needs no other field.
pub(crate) fn passes(test: &Test, values: &[Cow<'_, str>]) -> bool {
    match test {
        Test::Exists => !values.is_empty(),
        Test::AllWithin(set) => {
            !values.is_empty() && values.iter().all(|value| set.iter().any(|item| **item == **value))
        }
        Test::Every(inner) => !values.is_empty() && values.iter().all(|value| value_passes(inner, value)),
        other => values.iter().any(|value| value_passes(other, value)),
    }
}

/// Whether one value passes a test.
pub(crate) fn value_passes(test: &Test, text: &str) -> bool {
    match test {
        Test::Exists => true,
        Test::Every(inner) => value_passes(inner, text),
        Test::AnyOf(tests) => tests.iter().any(|test| value_passes(test, text)),
        Test::Number(order, number) => text.trim().parse().is_ok_and(|value: f64| order.holds(&value, &number.0)),
        Test::Text(Case::Exact, pattern) => pattern.fits(text),
        Test::Text(Case::Folded, pattern) => pattern.fits(&lower(text)),
        Test::AllWithin(set) => set.iter().any(|item| **item == *text),
        Test::TextOrder(order, other) => order.holds(&text, &&**other),
        Test::Regex(expression) => expression.finds(text),
        Test::Network(networks) => address(text).is_some_and(|ip| networks.iter().any(|network| network.contains(&ip))),
        Test::Time(part, order, number) => time_part(text, *part).is_some_and(|value| order.holds(&value, number)),
        Test::UnderPath(paths) => paths.iter().any(|path| is_under(text, path)),
        Test::Compare(..) => false,
    }
}

/// `text` in lower case; most already is.
fn lower(text: &str) -> Cow<'_, str> {
    match text.bytes().all(|byte| byte.is_ascii() && !byte.is_ascii_uppercase()) {
        true => Cow::Borrowed(text),
        false => Cow::Owned(text.to_lowercase()),
    }
}

/// Whether `path` is `above` or stands below it.
pub(crate) fn is_under(path: &str, above: &str) -> bool {
    let above = above.trim_end_matches('/');
    path.strip_prefix(above).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The part of an RFC 3339 time or of seconds since 1970; the week is that of ISO 8601.
pub(crate) fn time_part(text: &str, part: TimePart) -> Option<i64> {
    const MICROS: i64 = 1_000_000;
    let micros = match parse_rfc3339(text) {
        Some(time) => time,
        None => Json::whole(text.as_bytes()).ok()?.integer()?.checked_mul(MICROS)?,
    };
    let seconds = micros.div_euclid(MICROS);
    let (days, in_day) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let (year, month, day) = civil_from_days(days);
    Some(match part {
        TimePart::Minute => in_day / 60 % 60,
        TimePart::Hour => in_day / 3_600,
        TimePart::Day => day,
        TimePart::Month => month,
        TimePart::Year => year,
        TimePart::Week => iso_week(days),
    })
}

/// The week holds the year's first Thursday if it is week 1.
fn iso_week(days: i64) -> i64 {
    let thursday = days - (days + 3).rem_euclid(7) + 3;
    let (year, ..) = civil_from_days(thursday);
    (thursday - days_from_civil(year, 1, 1)) / 7 + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_a_time() {
        for (time, want) in [
            ("2026-11-22T01:43:06.5Z", [43, 1, 22, 47, 11, 2026]),
            ("1970-01-01T00:00:00Z", [0, 0, 1, 1, 1, 1970]),
            ("2024-12-30T23:59:00Z", [59, 23, 30, 1, 12, 2024]),
            ("2021-01-03T12:00:00Z", [0, 12, 3, 53, 1, 2021]),
            ("2024-02-29T12:00:00Z", [0, 12, 29, 9, 2, 2024]),
        ] {
            let parts =
                [TimePart::Minute, TimePart::Hour, TimePart::Day, TimePart::Week, TimePart::Month, TimePart::Year];
            assert_eq!(parts.map(|part| time_part(time, part).unwrap()), want, "{time}");
        }
    }
}

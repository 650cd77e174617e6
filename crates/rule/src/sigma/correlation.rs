//! Correlations: several matches in one window of time.

use std::collections::BTreeMap;

use crate::condition::Order;
use crate::extension;
use crate::node::Node;
use crate::problem::{Fault, Place};
use crate::rule::{Bounds, Correlation, CorrelationKind, Generate, Meta};

use super::document::Document;

/// Most rules that one correlation may name.
const RULES_MAX: usize = 256;
const KEYS: [&str; 7] = ["type", "rules", "aliases", "group-by", "timespan", "condition", "generate"];

pub(super) fn read(document: &mut Document<'_>, meta: Meta) -> Result<Correlation, Fault> {
    let node = document.node;
    let block = document.required("correlation")?.clone();
    if !block.is_map() {
        return Err(Fault::error(block.place, "`correlation` must be a map"));
    }
    for (key, _) in block.entries() {
        let name = key.text().unwrap_or_default();
        if !KEYS.contains(&name) {
            let fault = Fault::warning(key.place, format!("unknown key `{name}` in `correlation`"));
            document.faults.push(fault.nearest(name, KEYS));
        }
    }
    let kind = kind(&block)?;
    let rules = rules(&block)?;
    let (bounds, fields, percentile) = condition(&block, kind, rules.len())?;
    let generate = [node.get("generate"), block.get("generate")].into_iter().flatten().find_map(Node::bool);
    Ok(Correlation {
        meta,
        kind,
        aliases: aliases(&block, &rules)?,
        group_by: group_by(&block)?,
        timespan_seconds: timespan(&block)?,
        rules,
        bounds,
        fields,
        percentile,
        generate: if generate == Some(true) { Generate::AlsoRules } else { Generate::OnlyCorrelation },
    })
}

fn required<'n>(block: &'n Node, key: &str) -> Result<&'n Node, Fault> {
    block.get(key).ok_or_else(|| Fault::error(block.place, format!("a correlation must have `{key}`")))
}

fn kind(block: &Node) -> Result<CorrelationKind, Fault> {
    let node = required(block, "type")?;
    let name = node.text().unwrap_or_default();
    CorrelationKind::ALL.into_iter().find(|kind| kind.name() == name).ok_or_else(|| {
        let fault = Fault::error(node.place, format!("`{name}` is no type of correlation"));
        fault.nearest(name, CorrelationKind::ALL.map(CorrelationKind::name))
    })
}

fn rules(block: &Node) -> Result<Vec<String>, Fault> {
    let node = required(block, "rules")?;
    let rules = node.texts();
    if rules.is_empty() || rules.len() > RULES_MAX {
        return Err(Fault::error(node.place, format!("`rules` must name 1 to {RULES_MAX} rules")));
    }
    Ok(rules)
}

fn group_by(block: &Node) -> Result<Vec<String>, Fault> {
    let Some(node) = block.get("group-by") else { return Ok(Vec::new()) };
    let fields = node.texts();
    if fields.is_empty() {
        return Err(Fault::error(node.place, "`group-by` must be a list of fields"));
    }
    Ok(fields)
}

fn timespan(block: &Node) -> Result<u64, Fault> {
    let node = match block.get("timespan") {
        Some(node) => node,
        // The name that it had before the specification settled.
        None => block.get("timeframe").map_or_else(|| required(block, "timespan"), Ok)?,
    };
    let text = node.text().unwrap_or_default();
    extension::seconds(text)
        .ok_or_else(|| Fault::error(node.place, format!("`{text}` is no time span: a number and one of s, m, h, d")))
}

fn aliases(block: &Node, rules: &[String]) -> Result<BTreeMap<String, BTreeMap<String, String>>, Fault> {
    let mut aliases = BTreeMap::new();
    for (name, fields) in block.get("aliases").map(Node::entries).unwrap_or_default() {
        let mut of_rules = BTreeMap::new();
        for (rule, field) in fields.entries() {
            let (reference, field) = (rule.text().unwrap_or_default(), field.text().unwrap_or_default());
            if !rules.iter().any(|known| known == reference) {
                let fault = Fault::error(
                    rule.place,
                    format!("the alias names the rule `{reference}`, the correlation does not"),
                );
                return Err(fault.nearest(reference, rules.iter().map(String::as_str)));
            }
            of_rules.insert(reference.to_owned(), field.to_owned());
        }
        aliases.insert(name.text().unwrap_or_default().to_owned(), of_rules);
    }
    Ok(aliases)
}

fn condition(block: &Node, kind: CorrelationKind, rules: usize) -> Result<(Bounds, Vec<String>, f64), Fault> {
    const MEDIAN: f64 = 50.0;
    let Some(node) = block.get("condition") else {
        #[expect(clippy::cast_precision_loss, reason = "at most RULES_MAX")]
        let all = Bounds(vec![(Order::GreaterOrEqual, rules as f64)]);
        return if kind.is_temporal() {
            Ok((all, Vec::new(), MEDIAN))
        } else {
            Err(Fault::error(block.place, "a correlation of this type must have a `condition`"))
        };
    };
    if !node.is_map() {
        return Err(Fault::error(node.place, "the condition of a correlation must be a map such as `gte: 10`"));
    }
    let (mut bounds, mut fields, mut percentile) = (Bounds::default(), Vec::new(), MEDIAN);
    for (key, value) in node.entries() {
        match key.text().unwrap_or_default() {
            "gt" => bounds.0.push((Order::Greater, bound(value)?)),
            "gte" => bounds.0.push((Order::GreaterOrEqual, bound(value)?)),
            "lt" => bounds.0.push((Order::Less, bound(value)?)),
            "lte" => bounds.0.push((Order::LessOrEqual, bound(value)?)),
            "eq" => bounds.0.push((Order::Equal, bound(value)?)),
            "neq" => bounds.0.push((Order::NotEqual, bound(value)?)),
            "field" => fields = value.texts(),
            "percentile" => percentile = bound(value)?,
            other => {
                let fault = Fault::error(key.place, format!("unknown key `{other}` in the condition"));
                return Err(fault.nearest(other, ["gt", "gte", "lt", "lte", "eq", "neq", "field", "percentile"]));
            }
        }
    }
    check(&bounds, &fields, percentile, kind, node.place)?;
    Ok((bounds, fields, percentile))
}

fn check(
    bounds: &Bounds,
    fields: &[String],
    percentile: f64,
    kind: CorrelationKind,
    place: Place,
) -> Result<(), Fault> {
    /// As the schema has it: two bounds make a range, the field is the third.
    const BOUNDS_MAX: usize = 2;
    match (bounds.0.len(), kind.needs_field(), fields.is_empty()) {
        (0, ..) => Err(Fault::error(place, "the condition has no bound such as `gte: 10`")),
        (n, ..) if n > BOUNDS_MAX => Err(Fault::error(place, "the condition has more than two bounds")),
        (_, true, true) => Err(Fault::error(place, format!("the condition of `{}` must name a `field`", kind.name()))),
        _ if !(0.0..=100.0).contains(&percentile) => Err(Fault::error(place, "`percentile` must be from 0 to 100")),
        _ if contradicts(bounds) => Err(Fault::error(place, "no number is within these bounds")),
        _ => Ok(()),
    }
}

/// Whether no number can be within, as far as whole numbers and halves near the bounds tell.
fn contradicts(bounds: &Bounds) -> bool {
    let near = bounds.0.iter().flat_map(|(_, bound)| [bound - 0.5, *bound, bound + 0.5]);
    !near.into_iter().any(|number| bounds.hold(number))
}

fn bound(node: &Node) -> Result<f64, Fault> {
    let number = node.text().and_then(|text| text.parse::<f64>().ok()).filter(|number| number.is_finite());
    number.ok_or_else(|| Fault::error(node.place, "a bound must be a number"))
}

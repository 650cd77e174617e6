//! Correlations of a rule set, as far as audit policies matter to them.

use rule::{Correlation, CorrelationRef, Member, Origin, RuleRef, RuleSet};

/// Every correlation.
pub(super) fn all(set: &RuleSet) -> impl Iterator<Item = CorrelationRef> {
    (0u32..).zip(set.correlations()).map(|(at, _)| CorrelationRef(at))
}

fn get(set: &RuleSet, at: CorrelationRef) -> &Correlation {
    &set.correlations()[at.0 as usize]
}

/// By what a correlation is called in commands: its name, the file of a built-in one, or its id.
pub(super) fn name(set: &RuleSet, at: CorrelationRef) -> &str {
    let meta = &get(set, at).meta;
    let file = meta.file.rsplit('/').next().unwrap_or_default().trim_end_matches(".yml");
    let named = meta.name.as_deref().or_else(|| (meta.origin == Origin::Builtin).then_some(file));
    named.filter(|name| !name.is_empty()).unwrap_or(&meta.id)
}

/// Its title.
pub(super) fn title(set: &RuleSet, at: CorrelationRef) -> &str {
    &get(set, at).meta.title
}

/// The rules that it counts, also through other correlations.
pub(super) fn rules_of(set: &RuleSet, at: CorrelationRef) -> Vec<RuleRef> {
    let of = |(member, _): &(Member, usize)| match member {
        Member::Rule(rule) => vec![*rule],
        Member::Correlation(inner) => rules_of(set, *inner),
    };
    set.members(at).iter().flat_map(of).collect()
}

/// How many of its members must be seen for it to fire.
pub(super) fn least_members(set: &RuleSet, at: CorrelationRef) -> usize {
    let correlation = get(set, at);
    let count = set.members(at).len();
    match correlation.kind.is_temporal() {
        true if correlation.bounds.0.is_empty() => count,
        true => (1..=count).find(|n| correlation.bounds.hold(*n as f64)).unwrap_or(count),
        false => 1,
    }
}

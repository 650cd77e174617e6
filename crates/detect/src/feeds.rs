//! Which matches feed which correlations.

use std::collections::HashSet;

use rule::{CorrelationRef, Generate, Member, RuleRef, RuleSet};

/// A match of one member, where a correlation takes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Feed {
    /// Place of the correlation in the order in which they are asked.
    pub(crate) place: usize,
    /// Place of the member in the correlation's list.
    pub(crate) position: usize,
}

/// What each rule and each correlation feeds.
#[derive(Debug)]
pub(crate) struct Feeds {
    /// Correlations in an order in which members come before what is about them.
    order: Vec<usize>,
    of_rules: Vec<Vec<Feed>>,
    of_correlations: Vec<Vec<Feed>>,
    /// Correlations that only feed others.
    quiet: Vec<bool>,
}

impl Feeds {
    pub(crate) fn of(set: &RuleSet) -> Self {
        let count = set.correlations().len();
        let mut feeds = Self {
            order: members_first(set),
            of_rules: vec![Vec::new(); set.rules().len()],
            of_correlations: vec![Vec::new(); count],
            quiet: vec![false; count],
        };
        for place in 0..count {
            feeds.connect(set, place);
        }
        feeds
    }

    fn connect(&mut self, set: &RuleSet, place: usize) {
        let at = self.order[place];
        for (member, position) in set.members(reference(at)).iter().copied() {
            let feed = Feed { place, position };
            match member {
                Member::Rule(rule) => self.of_rules[rule.0 as usize].push(feed),
                Member::Correlation(other) => {
                    self.of_correlations[other.0 as usize].push(feed);
                    self.quiet[other.0 as usize] |= set.correlations()[at].generate == Generate::OnlyCorrelation;
                }
            }
        }
    }

    /// The correlation that is asked at `place`.
    pub(crate) fn at(&self, place: usize) -> usize {
        self.order[place]
    }

    pub(crate) fn of_rule(&self, rule: RuleRef) -> &[Feed] {
        &self.of_rules[rule.0 as usize]
    }

    pub(crate) fn of_correlation(&self, at: usize) -> &[Feed] {
        &self.of_correlations[at]
    }

    /// Whether a correlation only feeds others.
    pub(crate) fn is_quiet(&self, at: usize) -> bool {
        self.quiet[at]
    }
}

fn reference(at: usize) -> CorrelationRef {
    CorrelationRef(u32::try_from(at).unwrap_or(u32::MAX))
}

/// Depth-first, so that a correlation comes after the correlations it is about.
fn members_first(set: &RuleSet) -> Vec<usize> {
    fn visit(set: &RuleSet, at: usize, seen: &mut HashSet<usize>, order: &mut Vec<usize>) {
        if !seen.insert(at) {
            return;
        }
        for (member, _) in set.members(reference(at)) {
            if let Member::Correlation(CorrelationRef(other)) = member {
                visit(set, *other as usize, seen, order);
            }
        }
        order.push(at);
    }
    let (mut seen, mut order) = (HashSet::new(), Vec::new());
    (0..set.correlations().len()).for_each(|at| visit(set, at, &mut seen, &mut order));
    order
}

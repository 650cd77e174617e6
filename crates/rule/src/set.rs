//! A rule set: rules with their filters put in, correlations with their references resolved, ready to be matched.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::OnceLock;

use audit::{Event, Stage};

use crate::condition::{Condition, Float, Order, Test, Truth};
use crate::explanation::{Alike, Explanation, OwnTest, Reason};
use crate::field;
use crate::likeness::Likeness;
use crate::naive;
use crate::needs;
use crate::problem::{Fault, Problem};
use crate::program::Program;
use crate::rule::{Correlation, Filter, Flavour, Generate, Loaded, Rule};

/// Which Falco rules report an event that several match. Sigma rules always all do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Matching {
    /// Every rule that matches: for detection.
    #[default]
    All,
    /// Only the first in load order, as Falco does by default.
    First,
}

/// Whether Falco's known defects are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Fidelity {
    /// Fields mean what their documentation says, and what was not recorded is not taken for absent.
    #[default]
    Native,
    /// As Falco itself evaluates, defects included.
    Parity,
}

/// How a rule set is compiled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Options {
    /// Which Falco rules report an event that several match.
    pub matching: Matching,
    /// Whether Falco's known defects are kept.
    pub fidelity: Fidelity,
}

/// A rule by its place in [`RuleSet::rules`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RuleRef(pub u32);

/// A correlation by its place in [`RuleSet::correlations`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CorrelationRef(pub u32);

/// What a correlation is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Member {
    /// Matches of a rule.
    Rule(RuleRef),
    /// What another correlation found.
    Correlation(CorrelationRef),
}

/// Whether matches of a rule are findings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Emission {
    /// Each match is one.
    Finding,
    /// Matches only feed correlations.
    CorrelationOnly,
}

/// Rules and correlations, ready to be matched. Shared by threads; each has its own [`crate::Matcher`].
#[derive(Debug)]
pub struct RuleSet {
    rules: Vec<Rule>,
    correlations: Vec<Correlation>,
    members: Vec<Vec<(Member, usize)>>,
    emissions: Vec<Emission>,
    /// At which stages each rule is evaluated.
    stages: Vec<Stages>,
    program: Program,
    /// What tells why a rule matched, made when one first does.
    explanations: Vec<OnceLock<Explanation>>,
    problems: Vec<Problem>,
    options: Options,
}

/// At which stages a rule is evaluated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Stages {
    /// Any: the rule asks for the stage itself.
    Any,
    /// Those in which a request ends: see [`is_last_stage`].
    Last,
    /// Those whose bits are set.
    Only(u8),
}

impl RuleSet {
    /// Compiles what was loaded. Problems of loading are kept, and those that only show now are added.
    pub fn compile(loaded: Loaded, options: Options) -> Self {
        let Loaded { mut rules, correlations, filters, mut problems } = loaded;
        for filter in &filters {
            apply(filter, &mut rules, &mut problems);
        }
        match options.fidelity {
            Fidelity::Parity => rules.iter_mut().for_each(with_defects),
            Fidelity::Native => rules.iter_mut().for_each(with_numbers),
        }
        let members = resolve(&rules, &correlations, &mut problems);
        let emissions = emissions(&rules, &correlations, &members);
        let stages: Vec<Stages> = rules.iter().map(|rule| stages(rule, options.fidelity)).collect();
        let program = Program::compile(&rules, &stages);
        let explanations = rules.iter().map(|_| OnceLock::new()).collect();
        Self { rules, correlations, members, emissions, stages, program, explanations, problems, options }
    }

    /// The rules in load order.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// One rule.
    pub fn rule(&self, rule: RuleRef) -> &Rule {
        &self.rules[rule.0 as usize]
    }

    /// The correlations in load order.
    pub fn correlations(&self) -> &[Correlation] {
        &self.correlations
    }

    /// What a correlation is about, each with its place in [`Correlation::rules`]. Empty if a reference is broken, which
    /// is among the problems.
    pub fn members(&self, correlation: CorrelationRef) -> &[(Member, usize)] {
        &self.members[correlation.0 as usize]
    }

    /// Whether matches of a rule are findings.
    pub fn emission(&self, rule: RuleRef) -> Emission {
        self.emissions[rule.0 as usize]
    }

    /// Everything wrong with the rules.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// How it was compiled.
    pub fn options(&self) -> Options {
        self.options
    }

    /// Why `rule` matches `event`: the tests that decide it, with the values that fit.
    pub fn why<'e>(&self, rule: RuleRef, event: &Event<'e>) -> Vec<Reason<'e>> {
        self.explanation(rule).reasons(event)
    }

    /// What of `event`, of which `likeness` is known, decides why `rule` matches it: where it is the same, so are the
    /// reasons, but for the values of those that say so ([`Reason::own`]). Nothing if it is not remembered.
    pub fn alike(&self, rule: RuleRef, event: &Event<'_>, likeness: &Likeness) -> Option<Alike> {
        self.explanation(rule).alike(event, likeness)
    }

    /// The values that the reason of `test`, which is one of `rule`, has in `event`.
    pub fn own_values<'e>(&self, rule: RuleRef, test: OwnTest, event: &Event<'e>) -> Vec<Cow<'e, str>> {
        self.explanation(rule).own_values(test, event)
    }

    fn explanation(&self, rule: RuleRef) -> &Explanation {
        self.explanations[rule.0 as usize].get_or_init(|| Explanation::of(&self.rule(rule).condition))
    }

    /// Whether the condition of a rule itself asks for the stage, so that each stage of a request is its own match.
    pub fn asks_for_stage(&self, rule: RuleRef) -> bool {
        self.stages[rule.0 as usize] == Stages::Any
    }

    pub(crate) fn program(&self) -> &Program {
        &self.program
    }

    /// Whether `rule` matches `event`, worked out plainly and slowly: what the matcher is tested against.
    pub fn matches_plainly(&self, rule: RuleRef, event: &Event<'_>) -> bool {
        let (stages, rule) = (self.stages[rule.0 as usize], self.rule(rule));
        rule.is_evaluated() && stages.hold(event) && naive::evaluate(&rule.condition, event) == Truth::True
    }
}

/// Makes a Falco rule read its fields as Falco does.
fn with_defects(rule: &mut Rule) {
    let read = |field: &mut field::Field| {
        if let field::Field::Falco(field) = field {
            field.read_with(Fidelity::Parity);
        }
    };
    rule.condition.each_test_mut(&mut |predicate| {
        read(&mut predicate.field);
        if let Test::Compare(_, _, other) = &mut predicate.test {
            read(other);
        }
    });
    if let Flavour::Falco { output, .. } = &mut rule.flavour {
        output.each_field(&mut |field| field.read_with(Fidelity::Parity));
    }
}

/// Falco compares what looks like numbers as text, so that 201 is more than 1000. Natively they are numbers.
fn with_numbers(rule: &mut Rule) {
    rule.condition.each_test_mut(&mut |predicate| {
        let Test::TextOrder(order, text) = &predicate.test else { return };
        if matches!(order, Order::Equal | Order::NotEqual) {
            return;
        }
        if let Ok(number) = text.parse() {
            predicate.test = Test::Number(*order, Float(number));
        }
    });
}

fn apply(filter: &Filter, rules: &mut [Rule], problems: &mut Vec<Problem>) {
    let all = filter.rules.iter().any(|name| name.eq_ignore_ascii_case("any"));
    for reference in filter.rules.iter().filter(|name| !name.eq_ignore_ascii_case("any")) {
        if !rules.iter().any(|rule| rule.answers_to(reference)) {
            let fault = Fault::warning(filter.place, format!("the filter names `{reference}`, which is not loaded"));
            let names =
                rules.iter().flat_map(|rule| rule.meta.name.as_deref().into_iter().chain([rule.meta.id.as_str()]));
            problems.push(fault.nearest(reference, names).in_file(&filter.file));
        }
    }
    for rule in rules.iter_mut() {
        let Flavour::Sigma { logsource } = &rule.flavour else { continue };
        let named = filter.rules.iter().any(|reference| rule.answers_to(reference));
        if (named || all) && logsource.is_within(&filter.logsource) {
            let condition = std::mem::replace(&mut rule.condition, Condition::Always(Truth::True));
            rule.condition = Condition::All(vec![condition, filter.condition.clone()]);
            rule.needs = needs::of(&rule.condition, &rule.meta.extension);
        }
    }
}

/// Resolves every reference of every correlation. A correlation with a broken or circular reference gets no members.
fn resolve(rules: &[Rule], correlations: &[Correlation], problems: &mut Vec<Problem>) -> Vec<Vec<(Member, usize)>> {
    let index = |i: usize| u32::try_from(i).unwrap_or(u32::MAX);
    let find = |reference: &str| {
        let rule = rules.iter().position(|rule| rule.answers_to(reference));
        let other = || correlations.iter().position(|correlation| correlation.answers_to(reference));
        rule.map(|i| Member::Rule(RuleRef(index(i))))
            .or_else(|| other().map(|i| Member::Correlation(CorrelationRef(index(i)))))
    };
    let mut members: Vec<Vec<(Member, usize)>> = Vec::with_capacity(correlations.len());
    for correlation in correlations {
        let found: Vec<Option<Member>> = correlation.rules.iter().map(|reference| find(reference)).collect();
        for (reference, _) in correlation.rules.iter().zip(&found).filter(|(_, member)| member.is_none()) {
            let meta = &correlation.meta;
            let fault = Fault::error(meta.place, format!("the correlation names `{reference}`, which is not loaded"));
            let names =
                rules.iter().flat_map(|rule| rule.meta.name.as_deref().into_iter().chain([rule.meta.id.as_str()]));
            problems.push(fault.nearest(reference, names).in_file(&meta.file));
        }
        let whole: Option<Vec<Member>> = found.into_iter().collect();
        members.push(whole.unwrap_or_default().into_iter().enumerate().map(|(at, member)| (member, at)).collect());
    }
    break_circles(correlations, &mut members, problems);
    members
}

fn break_circles(correlations: &[Correlation], members: &mut [Vec<(Member, usize)>], problems: &mut Vec<Problem>) {
    for start in 0..members.len() {
        let mut open = vec![start];
        let mut seen = BTreeSet::new();
        while let Some(at) = open.pop() {
            for (member, _) in &members[at] {
                let Member::Correlation(CorrelationRef(next)) = member else { continue };
                if *next as usize == start {
                    let meta = &correlations[start].meta;
                    problems.push(Fault::error(meta.place, "the correlation is about itself").in_file(&meta.file));
                    members[start].clear();
                    open.clear();
                    break;
                }
                if seen.insert(*next) {
                    open.push(*next as usize);
                }
            }
        }
    }
}

fn emissions(rules: &[Rule], correlations: &[Correlation], members: &[Vec<(Member, usize)>]) -> Vec<Emission> {
    let mut emissions = vec![Emission::Finding; rules.len()];
    let quiet = |generate: Generate| generate == Generate::OnlyCorrelation;
    for (correlation, members) in correlations.iter().zip(members).filter(|(c, _)| quiet(c.generate)) {
        debug_assert!(quiet(correlation.generate));
        for (member, _) in members {
            if let Member::Rule(rule) = member {
                emissions[rule.0 as usize] = Emission::CorrelationOnly;
            }
        }
    }
    emissions
}

fn stages(rule: &Rule, fidelity: Fidelity) -> Stages {
    if !rule.meta.extension.stages.is_empty() {
        return Stages::Only(rule.meta.extension.stages.iter().fold(0, |bits, stage| bits | 1 << *stage as u8));
    }
    if matches!(rule.flavour, Flavour::Falco { .. }) && fidelity == Fidelity::Parity {
        return Stages::Any;
    }
    let mut asks = false;
    rule.condition.each_test(&mut |predicate, _| asks |= needs::is_stage(&predicate.field));
    if asks { Stages::Any } else { Stages::Last }
}

impl Stages {
    /// Whether `event` is at one of them. An event without a stage is taken for the last.
    pub(crate) fn hold(self, event: &Event<'_>) -> bool {
        match self {
            Self::Any => true,
            Self::Last => is_last_stage(event),
            Self::Only(bits) => event.stage().is_none_or(|stage| bits & 1 << stage as u8 != 0),
        }
    }
}

/// Whether the event is the one by which a request is judged: its end, or the start of the answer if it runs long.
///
/// A long-running request has both, so a fold that keeps state should count it once by its audit id.
pub fn is_last_stage(event: &Event<'_>) -> bool {
    match event.stage() {
        Some(Stage::ResponseComplete | Stage::Panic) | None => true,
        // A failed authentication has no user and no other event.
        Some(Stage::ResponseStarted) => is_long_running(event) || event.user.username.is_none(),
        Some(Stage::RequestReceived) => false,
    }
}

/// As the API server tells: watches, and the subresources that stream.
fn is_long_running(event: &Event<'_>) -> bool {
    matches!(&*event.verb(), "watch" | "proxy" | "connect")
        || matches!(&*event.subresource(), "attach" | "exec" | "proxy" | "log" | "portforward")
        || event.response_status.is_none()
}

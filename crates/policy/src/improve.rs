//! A policy in force, improved: it meets the goals, passes the linter, and loses nothing that it recorded.
//!
//! The rules of the input stay in their order. In front of the first that leaves a detection blind comes what the goals
//! need; a rule that is put in front of others records no less than they do. Only bodies that cost or harm go: those of
//! secrets and tokens, of whole lists, of leases, Events and status.

use crate::api::VERBS;
use crate::ask::{bodies, busy_nodes, named};
use crate::blind_spot::{Cause, Survey};
use crate::format::to_yaml;
use crate::generate::{Generated, Reasoned, busy, everything_else, needed_for, secrets, ways_in};
use crate::lint::{Issue, LintOptions, Severity, lint};
use crate::model::{Level, Policy, Rule, Stage};
use crate::need::{Need, Pattern};
use crate::remedy;
use crate::space::{Map, Space, TooComplex};
use crate::version::ServerVersion;

/// Times that what is missing is put in, and that a defect is repaired; each round leaves one less.
const ROUNDS_MAX: usize = 200;
/// Times that the linter's findings are repaired after the needs were met.
const REPAIRS_MAX: usize = 5;

/// Improves `base` until the goals are met and the linter has nothing to warn of, as far as that is possible without
/// hiding what `base` shows. What is left is in the linter's report of the result.
pub fn improve(
    base: &Policy,
    goals: &[String],
    needs: &[Need],
    options: &LintOptions,
) -> Result<Generated, TooComplex> {
    let chosen = needed_for(goals, needs);
    let own = |rule: &Rule| Reasoned::new(rule.clone(), "As in the input.");
    let frame = Policy { rules: Vec::new(), ..base.clone() };
    let mut made = Generated { frame, rules: base.rules.iter().map(own).collect(), costs: Vec::new() };
    // A repair can uncover a blind spot, and what is put in for one can need a repair. Where one undoes the other, the goals
    // come first.
    made.meet(&chosen, options.server)?;
    for _ in 0..REPAIRS_MAX {
        if !made.repair(options) {
            break;
        }
        made.meet(&chosen, options.server)?;
    }
    made.settle(&chosen)?;
    Ok(made)
}

impl Generated {
    /// Puts in what the needs lack.
    fn meet(&mut self, needs: &[&Need], server: ServerVersion) -> Result<(), TooComplex> {
        let mut left = usize::MAX;
        for _ in 0..ROUNDS_MAX {
            let policy = self.policy();
            let survey = Survey::of(&policy, needs.iter().copied())?;
            let (mut first, mut blind, mut unmet) = (usize::MAX, Vec::new(), 0);
            for need in needs {
                let causes = survey.unseen(need)?.causes;
                unmet += usize::from(!causes.is_empty());
                let (silent, shallow): (Vec<Cause>, Vec<Cause>) = causes.into_iter().partition(|cause| cause.stage);
                silent.iter().for_each(|cause| self.emit(cause.rule, &need.stages));
                if need.level == Level::Metadata && !need.requests.iter().any(|pattern| pattern.is_named(server)) {
                    shallow.iter().for_each(|cause| self.record(cause.rule));
                } else if let Some(rule) = shallow.iter().map(|cause| cause.rule.unwrap_or(policy.rules.len())).min() {
                    first = first.min(rule);
                    blind.push(*need);
                }
            }
            if unmet >= left {
                break;
            }
            left = unmet;
            if !blind.is_empty() {
                self.insert_wanted(first, &blind, server)?;
            }
        }
        Ok(())
    }

    /// Records what a rule, or the lack of one, hides from detections that look at everything.
    fn record(&mut self, rule: Option<usize>) {
        let Some(reasoned) = rule.and_then(|rule| self.rules.get_mut(rule)) else {
            if self.rules.last().is_none_or(|last| last.rule != remedy::everything()) {
                self.rules.push(everything_else());
            }
            return;
        };
        if reasoned.rule.level == Level::None {
            reasoned.rule.level = Level::Metadata;
            reasoned.say("Raised from None: detections that look at everything look here too.");
        }
    }

    /// Takes stages out of what a rule and the policy omit.
    fn emit(&mut self, rule: Option<usize>, stages: &[Stage]) {
        self.frame.omit_stages.retain(|stage| !stages.contains(stage));
        if let Some(reasoned) = rule.and_then(|rule| self.rules.get_mut(rule)) {
            let before = reasoned.rule.omit_stages.len();
            reasoned.rule.omit_stages.retain(|stage| !stages.contains(stage));
            if reasoned.rule.omit_stages.len() < before {
                reasoned.say("No longer omits stages that detections need.");
            }
        }
    }

    /// Rules for the needs in front of a rule.
    fn insert_wanted(&mut self, at: usize, needs: &[&Need], server: ServerVersion) -> Result<(), TooComplex> {
        let mut rules: Vec<Reasoned> = busy_nodes(needs).into_iter().collect();
        rules.extend(bodies(needs, server));
        rules.extend(named(needs, &VERBS, server));
        self.insert_no_shallower(at, rules)?;
        if needs.iter().any(|need| need.requests.iter().any(may_hold_secrets)) {
            self.rules.insert(at, secrets());
        }
        Ok(())
    }

    /// Puts rules in front of one. They take requests from the rules after it, and record no less.
    fn insert_no_shallower(&mut self, at: usize, mut rules: Vec<Reasoned>) -> Result<(), TooComplex> {
        let policy = self.policy();
        let mut both = policy.clone();
        both.rules.extend(rules.iter().map(|reasoned| reasoned.rule.clone()));
        let space = Space::of(&[&both]);
        let map = Map::new(&space, &policy)?;
        for reasoned in &mut rules {
            let region = space.rule(&reasoned.rule);
            let taken = (at..policy.rules.len()).filter(|&i| map.decided[i].intersects(&region));
            let most = taken.map(|i| policy.rules[i].level).max().unwrap_or(Level::None);
            if most > reasoned.rule.level {
                reasoned.say("As deep as the input records some of it.");
                reasoned.rule.level = most;
            }
        }
        self.rules.splice(at..at, rules);
        Ok(())
    }

    /// Repairs one defect after the other; false where there is none that can be.
    fn repair(&mut self, options: &LintOptions) -> bool {
        let (mut repaired, mut issues) = (false, self.warnings(options));
        for _ in 0..ROUNDS_MAX {
            let Some((better, left)) = issues.iter().find_map(|issue| self.repaired(issue, &issues, options)) else {
                break;
            };
            (*self, issues) = (better, left);
            repaired = true;
        }
        repaired
    }

    fn warnings(&self, options: &LintOptions) -> Vec<Issue> {
        let mut issues = lint(to_yaml(&self.policy()).as_bytes(), options).issues;
        issues.retain(|issue| issue.lint.severity >= Severity::Warning);
        issues
    }

    /// The policy without a defect, and the defects it has then, if they are fewer of its kind.
    fn repaired(&self, issue: &Issue, issues: &[Issue], options: &LintOptions) -> Option<(Self, Vec<Issue>)> {
        let alike = |issues: &[Issue]| issues.iter().filter(|other| other.lint.id == issue.lint.id).count();
        let mut better = self.clone();
        better.apply(issue, options)?;
        let left = better.warnings(options);
        // The next rule may hide them as well, until none does.
        let goes_on = issue.lint.id == "hidden-401" && better.policy() != self.policy();
        (goes_on || alike(&left) < alike(issues)).then_some((better, left))
    }

    fn apply(&mut self, issue: &Issue, options: &LintOptions) -> Option<()> {
        let at = issue.rule;
        match issue.lint.id {
            "unreachable-rule" | "never-matches" => drop(self.rules.remove(at?)),
            "secret-bodies" | "none-for-identity" => self.rules.insert(at?, secrets()),
            "unrecorded-subresource" => self.insert_no_shallower(0, vec![ways_in()]).ok()?,
            "exec-without-get" => self.rules.get_mut(at?)?.rule.verbs.push("get".to_owned()),
            "no-catch-all" => self.rules.push(everything_else()),
            "cost-hot-spot" => self.rules.insert(at?, busy()),
            "list-bodies" => self.rules.insert(at?, who_read_what()),
            "patch-loss" => self.emit_received(at?),
            "hidden-401" => self.show_failed_authentications(at),
            _ => self.prune(at?, options)?,
        }
        Some(())
    }

    /// Lets a rule emit the first stage, which survives a patch body that cannot be encoded.
    fn emit_received(&mut self, at: usize) {
        if self.frame.omit_stages.contains(&Stage::RequestReceived) {
            self.frame.omit_stages.retain(|stage| *stage != Stage::RequestReceived);
            let silent = |rule: &Rule| rule.level > Level::None && !rule.omit_stages.contains(&Stage::RequestReceived);
            for reasoned in self.rules.iter_mut().filter(|reasoned| silent(&reasoned.rule)) {
                reasoned.rule.omit_stages.push(Stage::RequestReceived);
            }
        }
        self.rules[at].rule.omit_stages.retain(|stage| *stage != Stage::RequestReceived);
        self.rules[at].say("Emits RequestReceived: before 1.37 a patch that is not JSON has no later event.");
    }

    fn show_failed_authentications(&mut self, at: Option<usize>) {
        let is_silent = self.frame.omit_stages.contains(&Stage::ResponseStarted);
        self.emit(at, &[Stage::ResponseStarted]);
        let Some(reasoned) = at.and_then(|at| self.rules.get_mut(at)) else {
            // No rule matches a request without a user.
            if !is_silent {
                self.rules.push(everything_else());
            }
            return;
        };
        let rule = &mut reasoned.rule;
        if rule.level == Level::None && rule.users.is_empty() && rule.user_groups.is_empty() {
            rule.user_groups = ["system:authenticated", "system:unauthenticated"].map(String::from).into();
            reasoned.say("Asks for a group, so that failed authentications (401) stay visible.");
        }
    }

    /// Removes a selector of a rule that matches nothing; the rule itself if nothing else is left of it.
    fn prune(&mut self, at: usize, options: &LintOptions) -> Option<()> {
        let before = self.warnings(options).len();
        let mut without = self.clone();
        without.rules.remove(at);
        for rule in pruned(&self.rules.get(at)?.rule) {
            let mut tried = self.clone();
            tried.rules[at].rule = rule;
            tried.rules[at].say("Without what matched nothing.");
            if tried.warnings(options).len() < before {
                *self = tried;
                return Some(());
            }
        }
        *self = without;
        Some(())
    }
}

fn who_read_what() -> Reasoned {
    Reasoned::new(remedy::reads(), "Who read what, but not all that was read.")
}

/// Whether a rule for the pattern could record secrets or tokens, were it not for one in front of it.
fn may_hold_secrets(pattern: &Pattern) -> bool {
    pattern.paths.is_empty() && (pattern.group.is_empty() || pattern.is_general())
}

/// The rule without one of its selectors' items, for each that is not the last of its list.
fn pruned(rule: &Rule) -> Vec<Rule> {
    let mut found = Vec::new();
    let lists: [fn(&mut Rule) -> &mut Vec<String>; 5] = [
        |rule| &mut rule.users,
        |rule| &mut rule.user_groups,
        |rule| &mut rule.verbs,
        |rule| &mut rule.namespaces,
        |rule| &mut rule.non_resource_urls,
    ];
    for list in lists {
        let count = list(&mut rule.clone()).len();
        found.extend((0..count).filter(|_| count > 1).map(|i| without(rule, |rule| drop(list(rule).remove(i)))));
    }
    // Patterns before entries: an entry takes the patterns that match something with it.
    for (e, entry) in rule.resources.iter().enumerate().filter(|(_, entry)| entry.resources.len() > 1) {
        let items = 0..entry.resources.len();
        found.extend(items.map(|i| without(rule, |rule| drop(rule.resources[e].resources.remove(i)))));
    }
    if rule.resources.len() > 1 {
        found.extend((0..rule.resources.len()).map(|e| without(rule, |rule| drop(rule.resources.remove(e)))));
    }
    found
}

fn without(rule: &Rule, change: impl Fn(&mut Rule)) -> Rule {
    let mut rule = rule.clone();
    change(&mut rule);
    rule
}

//! A policy from goals: every rule says which detections need it and what it costs.

use crate::ask::{bodies, named};
use crate::blind_spot::Survey;
use crate::format::to_yaml_with;
use crate::model::{Level, Policy, Rule, Stage};
use crate::need::{Need, Wanted};
use crate::outline::Outline;
use crate::remedy;
use crate::space::TooComplex;
use crate::tally::{Tally, Volume};
use crate::version::ServerVersion;

/// A rule with its reasons.
#[derive(Debug, Clone)]
pub(crate) struct Reasoned {
    pub(crate) rule: Rule,
    pub(crate) why: String,
    /// The rule may be lowered to this level, or dropped at `None`, to keep within a budget.
    pub(crate) least: Level,
    /// Whether a budget may drop it although detections that look at everything then miss its requests.
    pub(crate) is_spare: bool,
    /// Detections that name requests it records.
    named: Vec<String>,
    /// Detections that see its requests because they look at everything.
    general: Vec<String>,
}

impl Reasoned {
    pub(crate) fn new(rule: Rule, why: &str) -> Self {
        let least = rule.level;
        Self { rule, why: why.to_owned(), least, is_spare: false, named: Vec::new(), general: Vec::new() }
    }

    /// Adds a sentence on a line of its own.
    pub(crate) fn say(&mut self, sentence: &str) {
        if !self.why.is_empty() {
            self.why.push('\n');
        }
        self.why.push_str(sentence);
    }
}

/// A generated policy.
#[derive(Debug, Clone)]
pub struct Generated {
    /// What a policy says besides its rules.
    pub(crate) frame: Policy,
    pub(crate) rules: Vec<Reasoned>,
    /// Bytes a day that each rule keeps at each level; empty while no traffic is known.
    pub(crate) costs: Vec<[f64; 4]>,
}

impl Generated {
    /// The policy.
    pub fn policy(&self) -> Policy {
        let rules = self.rules.iter().map(|reasoned| reasoned.rule.clone()).collect();
        Policy { rules, ..self.frame.clone() }
    }

    /// Writes down what each rule keeps of some traffic, and lowers rules until all of it is within the budget in
    /// bytes a day, as far as the goals allow: detections that look at everything may miss reads and elections, no
    /// detection may miss what it names. Returns the bytes a day, where the traffic spans any time.
    ///
    /// The tally must be one under [`Generated::policy`]: which rule decides a request does not change by lowering.
    pub fn fit(&mut self, tally: &Tally, budget: Option<f64>) -> Option<f64> {
        let per_day = |volume: Volume| tally.per_day(volume);
        per_day(tally.kept)?;
        let shares = || tally.rules.iter().map(|share| share.at.map(|volume| per_day(volume).unwrap_or(0.0)));
        self.costs = shares().take(self.rules.len()).collect();
        while budget.is_some_and(|budget| self.bytes_a_day() > budget) && self.economise() {}
        Some(self.bytes_a_day())
    }

    /// What it keeps of the traffic that it was fitted to.
    fn bytes_a_day(&self) -> f64 {
        (0..self.rules.len()).filter_map(|i| self.cost(i)).sum()
    }

    fn cost(&self, rule: usize) -> Option<f64> {
        self.costs.get(rule).map(|at| at[self.rules[rule].rule.level as usize])
    }

    /// Lowers the most expensive rule that its goals allow to lower, those that no detection looks at first; false where
    /// none is left.
    fn economise(&mut self) -> bool {
        let lowerable = (0..self.rules.len()).filter(|&i| self.rules[i].rule.level > self.rules[i].least);
        let costly = lowerable.filter_map(|i| Some((i, self.cost(i).filter(|cost| *cost > 0.0)?)));
        let order = |(i, cost): &(usize, f64)| (self.rules[*i].general.is_empty(), *cost);
        let Some((most, _)) =
            costly.max_by(|a, b| order(a).partial_cmp(&order(b)).unwrap_or(std::cmp::Ordering::Equal))
        else {
            return false;
        };
        let chosen = &mut self.rules[most];
        let lower = match chosen.rule.level {
            Level::RequestResponse => Level::Request,
            Level::Request => Level::Metadata,
            _ => Level::None,
        };
        chosen.rule.level = lower.max(chosen.least);
        if chosen.rule.level == Level::None {
            chosen.rule.omit_stages.clear();
        }
        chosen.say("Lowered to keep within the budget.");
        true
    }

    /// Says for each rule which needs it serves, and how far a budget may lower it: as far as no need is hurt that names
    /// its requests, and no event is lost.
    pub(crate) fn settle(&mut self, needs: &[&Need]) -> Result<(), TooComplex> {
        let policy = self.policy();
        let survey = Survey::of(&policy, needs.iter().copied())?;
        for reasoned in &mut self.rules {
            let is_recorded = reasoned.rule.level > Level::None;
            reasoned.least = if is_recorded && !reasoned.is_spare { Level::Metadata } else { Level::None };
        }
        for need in needs {
            let wanted = Wanted::of(need, &survey.space)?;
            for (reasoned, decided) in self.rules.iter_mut().zip(&survey.map.decided) {
                let level = reasoned.rule.level;
                let is_named = wanted.named.intersects(decided);
                if level == Level::None || !is_named && !wanted.general.intersects(decided) {
                    continue;
                }
                if is_named || !reasoned.is_spare {
                    reasoned.least = reasoned.least.max(need.level.min(level));
                }
                // Those that want no bodies are named where nobody else wants any.
                let wants_less = is_open(&reasoned.rule) && need.level < level;
                let served = if is_named { &mut reasoned.named } else { &mut reasoned.general };
                if level >= need.level && (is_named || !wants_less) {
                    served.extend(need.detections().iter().cloned());
                }
            }
        }
        for reasoned in &mut self.rules {
            reasoned.tidy();
        }
        Ok(())
    }

    /// The policy as YAML, with its reasons.
    pub fn to_yaml(&self, head: &str) -> String {
        let head: String =
            commented(head).lines().map(|line| format!("{}\n", format!("# {line}").trim_end())).collect();
        let yaml = to_yaml_with(&self.policy(), |i| commented(&self.comment(i)));
        debug_assert!(Outline::parse(&yaml).is_some());
        head + &yaml
    }

    fn comment(&self, i: usize) -> String {
        let Reasoned { why, named, general, rule, .. } = &self.rules[i];
        let mut lines: Vec<String> = why.lines().map(str::to_owned).collect();
        if !named.is_empty() {
            lines.push(format!("Needed by {}.", named.join(", ")));
        }
        match general.len() {
            0 => {}
            _ if is_open(rule) => lines.push(format!("Seen, as they look at everything, by {}.", general.join(", "))),
            1 => lines.push("Seen by 1 detection that looks at everything.".to_owned()),
            count => lines.push(format!("Seen by {count} detections that look at everything.")),
        }
        lines.extend(self.cost(i).map(|bytes| format!("Costs about {} a day.", bytes_text(bytes))));
        lines.join("\n")
    }
}

impl Reasoned {
    fn tidy(&mut self) {
        self.named.sort_unstable();
        self.named.dedup();
        self.general.sort_unstable();
        self.general.dedup();
        let named = &self.named;
        self.general.retain(|detection| !named.contains(detection));
    }
}

/// Whether a rule takes all that is left: its comment names what others only count.
fn is_open(rule: &Rule) -> bool {
    !rule.selects_resources() && rule.non_resource_urls.is_empty() && rule.user_groups.is_empty()
}

/// Lines no longer than people like to read in a comment.
fn commented(text: &str) -> String {
    const WIDTH: usize = 110;
    let mut out = String::new();
    for line in text.lines() {
        let mut length = 0;
        for word in line.split(' ') {
            let glue = match length {
                0 => "",
                _ if length + 1 + word.len() > WIDTH => {
                    length = 0;
                    "\n"
                }
                _ => " ",
            };
            out.push_str(glue);
            out.push_str(word);
            length += word.len() + usize::from(glue == " ");
        }
        out.push('\n');
    }
    out
}

/// A size as people read it.
pub fn bytes_text(bytes: f64) -> String {
    const UNITS: [&str; 5] = ["B", "KB", "MB", "GB", "TB"];
    let (mut bytes, mut unit) = (bytes, 0);
    while bytes >= 1000.0 && unit + 1 < UNITS.len() {
        bytes /= 1000.0;
        unit += 1;
    }
    format!("{bytes:.1} {}", UNITS[unit])
}

/// Generates a policy for goals from what their detections and standards need. Gives up where needs overlap in more ways
/// than can be compared.
pub fn generate(goals: &[String], needs: &[Need], server: ServerVersion) -> Result<Generated, TooComplex> {
    let chosen = needed_for(goals, needs);
    let mut rules = harmless_noise(&chosen)?;
    let spare = |(rule, why): (Rule, &str)| Reasoned { is_spare: true, ..Reasoned::new(rule, why) };
    rules.push(secrets());
    rules.extend(remedy::elections().map(spare));
    rules.extend(bodies(&chosen, server));
    rules.extend(named_reads(&chosen, server));
    rules.push(ways_in());
    rules.extend(remedy::reads_by().map(spare));
    rules.push(everything_else());
    let mut made = Generated { frame: Policy::new(Vec::new()), rules, costs: Vec::new() };
    made.omit_first_stage(server);
    made.settle(&chosen)?;
    Ok(made)
}

/// The needs of the goals.
pub(crate) fn needed_for<'n>(goals: &[String], needs: &'n [Need]) -> Vec<&'n Need> {
    needs.iter().filter(|need| need.goals.iter().any(|goal| goals.contains(goal))).collect()
}

pub(crate) fn secrets() -> Reasoned {
    Reasoned::new(remedy::secrets(), "Never bodies: they would copy secrets and tokens into the log.")
}

/// Recorded whatever the goals and the budget are.
pub(crate) fn ways_in() -> Reasoned {
    let why = "Ways into pods, nodes and credentials: few requests, and every one matters.";
    Reasoned::new(remedy::ways_in(), why)
}

pub(crate) fn busy() -> Reasoned {
    Reasoned::new(remedy::busy(), "Busy and dull: bodies would only cost.")
}

pub(crate) fn everything_else() -> Reasoned {
    let why = "Everything else, also APIs that do not exist yet, and failed authentications.";
    Reasoned::new(remedy::everything(), why)
}

/// Reads that needs name, kept apart from those that a budget may drop; everything but reads is recorded anyway, and
/// anonymous requests are.
fn named_reads(needs: &[&Need], server: ServerVersion) -> Vec<Reasoned> {
    let is_droppable = |need: &&Need| !need.never.groups.iter().any(|group| group == remedy::EVERYONE);
    let droppable: Vec<&Need> = needs.iter().copied().filter(is_droppable).collect();
    named(&droppable, &["get", "list", "watch"], server)
}

/// The noise that no need names.
fn harmless_noise(needs: &[&Need]) -> Result<Vec<Reasoned>, TooComplex> {
    let noise = remedy::noise();
    let policy = Policy::new(noise.iter().map(|(rule, _)| rule.clone()).collect());
    let survey = Survey::of(&policy, needs.iter().copied())?;
    let wanted: Vec<Wanted> =
        needs.iter().map(|need| Wanted::of(need, &survey.space)).collect::<Result<_, TooComplex>>()?;
    let is_harmless = |region| !wanted.iter().any(|wanted| wanted.named.intersects(region));
    let regions = survey.map.matched.iter();
    let rules = noise.into_iter().zip(regions).filter(|(_, region)| is_harmless(region));
    Ok(rules.map(|((rule, why), _)| Reasoned::new(rule, why)).collect())
}

impl Generated {
    /// Leaves out the event that says no more than a later one, but for patches: before 1.37 it is the only one of a patch
    /// whose body cannot be encoded.
    fn omit_first_stage(&mut self, server: ServerVersion) {
        if server.checks_patch_bodies() {
            self.frame.omit_stages = vec![Stage::RequestReceived];
            return;
        }
        for Reasoned { rule, .. } in &mut self.rules {
            let may_patch = rule.verbs.is_empty() || rule.verbs.iter().any(|verb| verb == "patch");
            if rule.level == Level::Metadata || rule.level > Level::Metadata && !may_patch {
                rule.omit_stages = vec![Stage::RequestReceived];
            }
        }
    }
}

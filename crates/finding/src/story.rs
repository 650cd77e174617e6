//! Findings that belong together, told as one story.
//!
//! Two findings belong together when the same actor or the same named object stands in both, not too far apart: the graver
//! the lesser of the two, the longer the silence between them may be. Informational findings join a story but do not start one.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use crate::finding::{Finding, Outcome};
use crate::language::Language;
use crate::severity::Severity;

/// Longest silence between two findings of one story.
fn gap(lesser: Severity) -> SignedDuration {
    SignedDuration::from_mins(match lesser {
        Severity::Informational => 2,
        Severity::Low => 10,
        Severity::Medium | Severity::High | Severity::Critical => 30,
    })
}

/// Repeats of one finding that a timeline shows one by one; more are counted.
const REPEATS_MAX: usize = 3;

/// One incident, told.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Story {
    /// Number in the order of gravity, from one.
    pub number: usize,
    /// The gravest severity.
    pub severity: Severity,
    /// One or two sentences that an outsider understands.
    pub headline: String,
    /// Who took part.
    pub actors: Vec<String>,
    /// The first finding's time.
    pub first: Timestamp,
    /// The last finding's time.
    pub last: Timestamp,
    /// What happened, in order; repeats are folded.
    pub timeline: Vec<Moment>,
    /// How far it went.
    pub reach: Reach,
    /// What to do now, the most urgent first.
    pub next: Vec<String>,
    /// Places of its findings in the list that was told.
    pub findings: Vec<usize>,
}

/// One line of a timeline.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Moment {
    /// When.
    pub time: Timestamp,
    /// How grave.
    pub severity: Severity,
    /// What, in one sentence.
    pub what: String,
    /// Title of the rule.
    pub rule: String,
    /// What came of it.
    pub outcome: Outcome,
    /// How often in a row.
    pub times: usize,
}

/// How far it went.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Reach {
    /// Findings whose action was carried out.
    pub allowed: usize,
    /// Findings whose action was refused.
    pub denied: usize,
    /// Findings whose action was allowed but failed.
    pub failed: usize,
    /// Namespaces that were touched.
    pub namespaces: Vec<String>,
    /// Kinds of objects that were touched.
    pub resources: Vec<String>,
    /// Addresses that the API server saw.
    pub addresses: Vec<String>,
    /// ATT&CK techniques.
    pub techniques: Vec<String>,
}

/// Groups findings into stories, the gravest first, then the earliest.
pub fn tell(findings: &[Finding]) -> Vec<Story> {
    tell_in(findings, Language::English)
}

/// The same in a language. The findings' own sentences and titles stand in the stories as they are.
pub fn tell_in(findings: &[Finding], language: Language) -> Vec<Story> {
    let mut order: Vec<usize> = (0..findings.len()).collect();
    order.sort_by_key(|&i| findings[i].time);
    let mut groups: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    let mut union = Union::new(findings.len());
    link(findings, &order, &mut union);
    for i in order {
        groups.entry(union.root(i)).or_default().push(i);
    }
    let mut stories: Vec<Story> = groups
        .into_values()
        .filter(|members| members.iter().any(|&i| findings[i].severity > Severity::Informational))
        .map(|members| story(findings, members, language))
        .collect();
    stories.sort_by(|a, b| b.severity.cmp(&a.severity).then(a.first.cmp(&b.first)));
    for (number, story) in stories.iter_mut().enumerate() {
        story.number = number + 1;
    }
    stories
}

/// Joins findings that share an actor or a named object and are near enough. What is not grave enough to bridge a silence
/// does not hide a graver finding before it.
fn link(findings: &[Finding], order: &[usize], union: &mut Union) {
    let mut last: BTreeMap<(u8, String, String), [Option<usize>; Severity::ALL.len()]> = BTreeMap::new();
    for &i in order {
        for key in keys(&findings[i]) {
            let before = last.entry(key).or_default();
            for &other in before.iter().flatten() {
                let lesser = findings[i].severity.min(findings[other].severity);
                if findings[i].time.duration_since(findings[other].time) <= gap(lesser) {
                    union.join(i, other);
                }
            }
            before[findings[i].severity as usize] = Some(i);
        }
    }
}

fn keys(finding: &Finding) -> Vec<(u8, String, String)> {
    let mut keys = Vec::with_capacity(2);
    let actor = match finding.actor.user.as_str() {
        // Nobody knows who these are; the address tells them apart.
        "" | "system:anonymous" => format!("?{}", finding.actor.peer()),
        user => user.to_owned(),
    };
    keys.push((0, finding.cluster.clone(), actor));
    if !finding.object.name.is_empty() && finding.severity > Severity::Informational {
        let object = &finding.object;
        keys.push((1, finding.cluster.clone(), format!("{}/{}/{}", object.resource, object.namespace, object.name)));
    }
    keys
}

fn story(findings: &[Finding], members: Vec<usize>, language: Language) -> Story {
    let of = || members.iter().map(|&i| &findings[i]);
    let gravest = of().max_by_key(|finding| (finding.severity, std::cmp::Reverse(finding.time)));
    let severity = gravest.map_or(Severity::Informational, |finding| finding.severity);
    let (first, last) = (findings[members[0]].time, findings[members[members.len() - 1]].time);
    let reach = reach(of());
    let actors: Vec<String> =
        of().map(|finding| language.actor(&finding.actor)).collect::<BTreeSet<_>>().into_iter().collect();
    let gravest = gravest.map_or("", |finding| &finding.story);
    let headline = match language {
        Language::English => headline(gravest, members.len(), last.duration_since(first), &reach),
        chinese => chinese_headline(chinese, gravest, members.len(), last.duration_since(first), &reach),
    };
    let (timeline, next) = (timeline(of()), next_steps(of()));
    Story { number: 0, severity, headline, actors, first, last, timeline, reach, next, findings: members }
}

fn headline(gravest: &str, count: usize, span: SignedDuration, reach: &Reach) -> String {
    let mut text = gravest.trim_end_matches('.').to_owned();
    text.push('.');
    if count > 1 {
        let within = match span.as_mins() {
            0 => "within a minute".to_owned(),
            1 => "within 2 minutes".to_owned(),
            minutes => format!("over {} minutes", minutes + 1),
        };
        let belong = if count == 2 { "sign belongs" } else { "signs belong" };
        text.push_str(&format!(" {} more {belong} to it, {within}", count - 1));
        if !reach.namespaces.is_empty() {
            text.push_str(&format!(", in {}", list(&reach.namespaces, 3)));
        }
        text.push('.');
    }
    match (reach.allowed, reach.denied) {
        (0, denied) if denied > 0 => text.push_str(" Everything was refused."),
        (allowed, denied) if denied > 0 => {
            let done = if allowed == 1 { "action was" } else { "actions were" };
            text.push_str(&format!(" {allowed} {done} carried out, {denied} refused."));
        }
        _ => {}
    }
    text
}

fn chinese_headline(language: Language, gravest: &str, count: usize, span: SignedDuration, reach: &Reach) -> String {
    let mut text = format!("{}。", gravest.trim_end_matches(['.', '。']));
    if count > 1 {
        let more = count - 1;
        let minutes = span.as_mins() + 1;
        let within = match minutes {
            1 => language.pick(["", "一分鐘內", "一分钟内"]).to_owned(),
            _ => language.pick([String::new(), format!("{minutes} 分鐘內"), format!("{minutes} 分钟内")]),
        };
        let place = match reach.namespaces.len() {
            0 => String::new(),
            total => {
                let names = reach.namespaces.iter().take(3).map(String::as_str).collect::<Vec<_>>().join("、");
                let rest = if total > 3 { language.pick(["", " 等", " 等"]) } else { "" };
                language.pick([
                    String::new(),
                    format!("，位於命名空間 {names}{rest}"),
                    format!("，位于命名空间 {names}{rest}"),
                ])
            }
        };
        text.push_str(&language.pick([
            String::new(),
            format!("{within}另有 {more} 個相關跡象{place}。"),
            format!("{within}另有 {more} 个相关迹象{place}。"),
        ]));
    }
    match (reach.allowed, reach.denied) {
        (0, denied) if denied > 0 => {
            text.push_str(language.pick(["", "所有操作都遭拒絕。", "所有操作都被拒绝。"]));
        }
        (allowed, denied) if denied > 0 => text.push_str(&language.pick([
            String::new(),
            format!("{allowed} 個操作已執行，{denied} 個遭拒絕。"),
            format!("{allowed} 个操作已执行，{denied} 个被拒绝。"),
        ])),
        _ => {}
    }
    text
}

fn list(words: &[String], most: usize) -> String {
    let mut text = words.iter().take(most).cloned().collect::<Vec<_>>().join(", ");
    if words.len() > most {
        text.push_str(&format!(" and {} more", words.len() - most));
    }
    text
}

fn reach<'f>(findings: impl Iterator<Item = &'f Finding>) -> Reach {
    let mut reach = Reach::default();
    let mut sets: [BTreeSet<&str>; 4] = Default::default();
    for finding in findings {
        match finding.outcome {
            Outcome::Allowed => reach.allowed += 1,
            Outcome::Denied => reach.denied += 1,
            Outcome::Failed => reach.failed += 1,
        }
        sets[0].insert(&finding.object.namespace);
        sets[1].insert(&finding.object.resource);
        sets[2].insert(finding.actor.peer());
        sets[3].extend(finding.techniques.iter().map(String::as_str));
    }
    let [namespaces, resources, addresses, techniques] =
        sets.map(|set| set.into_iter().filter(|word| !word.is_empty()).map(str::to_owned).collect());
    Reach { namespaces, resources, addresses, techniques, ..reach }
}

fn timeline<'f>(findings: impl Iterator<Item = &'f Finding>) -> Vec<Moment> {
    let mut moments: Vec<Moment> = Vec::new();
    let mut last_place: BTreeMap<&str, usize> = BTreeMap::new();
    let mut shown: BTreeMap<&str, usize> = BTreeMap::new();
    for finding in findings {
        let seen = shown.entry(finding.rule.id.as_str()).or_default();
        *seen += 1;
        if *seen > REPEATS_MAX
            && let Some(&place) = last_place.get(finding.rule.id.as_str())
        {
            moments[place].times += 1;
            continue;
        }
        last_place.insert(&finding.rule.id, moments.len());
        moments.push(Moment {
            time: finding.time,
            severity: finding.severity,
            what: finding.story.clone(),
            rule: finding.rule.title.clone(),
            outcome: finding.outcome,
            times: 1,
        });
    }
    moments
}

/// Containment of the gravest findings first, each command once.
fn next_steps<'f>(findings: impl Iterator<Item = &'f Finding>) -> Vec<String> {
    let mut sorted: Vec<&Finding> = findings.collect();
    sorted.sort_by_key(|finding| (std::cmp::Reverse(finding.severity), finding.time));
    let mut steps: Vec<String> = Vec::new();
    for line in sorted.iter().flat_map(|finding| finding.containment.lines()) {
        let line = line.trim();
        if !line.is_empty() && !steps.iter().any(|step| step == line) {
            steps.push(line.to_owned());
        }
    }
    steps
}

/// Disjoint sets of findings.
struct Union(Vec<usize>);

impl Union {
    fn new(count: usize) -> Self {
        Self((0..count).collect())
    }

    fn root(&mut self, mut i: usize) -> usize {
        while self.0[i] != i {
            self.0[i] = self.0[self.0[i]];
            i = self.0[i];
        }
        i
    }

    fn join(&mut self, a: usize, b: usize) {
        let (a, b) = (self.root(a), self.root(b));
        self.0[a.max(b)] = a.min(b);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::finding::{Actor, Confidence, Object, RuleRef, Source};

    fn finding(minute: i64, user: &str, name: &str, severity: Severity, outcome: Outcome) -> Finding {
        Finding {
            time: Timestamp::from_second(minute * 60).unwrap(),
            cluster: String::new(),
            rule: Arc::new(RuleRef {
                id: name.to_owned(),
                title: "Rule".to_owned(),
                source: Source::Builtin,
                description: String::new(),
            }),
            severity,
            confidence: Confidence::High,
            techniques: Arc::new(["T1609".to_owned()]),
            actor: Arc::new(Actor { user: user.to_owned(), ips: vec!["192.0.2.1".to_owned()], ..Actor::default() }),
            verb: "get".to_owned(),
            object: Object {
                resource: "pods".to_owned(),
                namespace: "web".to_owned(),
                name: name.to_owned(),
                ..Object::default()
            },
            outcome,
            code: None,
            events: Vec::new(),
            why: Arc::new([]),
            story: format!("{user} opened a shell in web/{name}"),
            false_positives: Arc::new([]),
            containment: format!("kubectl delete pod {name}\n"),
            fingerprint: String::new(),
        }
    }

    #[test]
    fn one_actor_and_one_object_make_one_story() {
        use Outcome::{Allowed, Denied};
        let findings = [
            finding(0, "eve", "a", Severity::Low, Denied),
            finding(5, "eve", "b", Severity::Critical, Allowed),
            finding(6, "mallory", "b", Severity::Medium, Allowed),
            finding(90, "eve", "c", Severity::Low, Allowed),
            finding(7, "bob", "z", Severity::Informational, Allowed),
        ];
        let stories = tell(&findings);
        assert_eq!(stories.len(), 2);
        assert_eq!(stories[0].findings, [0, 1, 2]);
        assert_eq!(
            stories[0].headline,
            "eve opened a shell in web/b. 2 more signs belong to it, over 7 minutes, in web. 2 actions were carried out, 1 refused."
        );
        assert_eq!(stories[0].next[0], "kubectl delete pod b");
        assert_eq!(stories[1].findings, [3]);
    }

    #[test]
    fn repeats_are_folded() {
        let findings: Vec<_> = (0..10).map(|i| finding(i, "eve", "a", Severity::Low, Outcome::Allowed)).collect();
        let timeline = &tell(&findings)[0].timeline;
        assert_eq!(timeline.len(), REPEATS_MAX);
        assert_eq!(timeline.iter().map(|moment| moment.times).sum::<usize>(), 10);
    }
}

//! The Falco language: upstream's table of tests, and tables of conditions and files of our own.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use audit::Event;
use expect_test::expect;
use rule::{
    Fidelity, Matcher, Matching, Options, Priority, RuleSet, Severity, Source, import_falco, load_falco, load_sigma,
};

fn data(name: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/falco").join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn set(files: &[String], options: Options) -> Arc<RuleSet> {
    let sources: Vec<Source> = files.iter().map(|name| Source::new(name, data(name))).collect();
    let loaded = load_falco(&sources);
    let errors: Vec<_> =
        loaded.problems.iter().filter(|p| p.severity == Severity::Error).map(ToString::to_string).collect();
    assert!(errors.is_empty(), "{}", errors.join("\n"));
    Arc::new(RuleSet::compile(loaded, options))
}

fn detections(set: &Arc<RuleSet>, trace: &str) -> BTreeMap<String, u64> {
    let (mut matcher, mut matches, mut counts) = (Matcher::new(Arc::clone(set)), Vec::new(), BTreeMap::new());
    for line in data(trace).lines().filter(|line| !line.trim().is_empty()) {
        let Ok(event) = Event::parse(line.as_bytes()) else { continue };
        matcher.matches(&event, &mut matches);
        for found in &matches {
            *counts.entry(set.rule(found.rule).meta.title.clone()).or_default() += 1;
        }
    }
    counts
}

#[test]
fn upstream_detections_hold() {
    let table: serde_json::Value = serde_json::from_str(&data("expected_detections.json")).unwrap();
    let table = table.as_array().unwrap();
    assert_eq!(table.len(), 44);
    let mut wrong = Vec::new();
    for test in table {
        let files: Vec<String> =
            test["rules"].as_array().unwrap().iter().map(|f| f.as_str().unwrap().to_owned()).collect();
        let trace = test["trace"].as_str().unwrap();
        for fidelity in [Fidelity::Parity, Fidelity::Native] {
            for (matching, column) in [(Matching::First, "first_match"), (Matching::All, "all_match")] {
                let set = set(&files, Options { matching, fidelity });
                let found = detections(&set, trace);
                let want: BTreeMap<String, u64> = serde_json::from_value(test[column].clone()).unwrap();
                if found != want {
                    wrong.push(format!("{} {fidelity:?} {matching:?}: {found:?}, want {want:?}", test["test"]));
                }
                let asserted = test["expect_detections"].as_array().unwrap();
                let held =
                    asserted.iter().all(|d| found.get(d["rule"].as_str().unwrap()) == d["count"].as_u64().as_ref());
                let priorities = test["expect_priority_present"].as_array().unwrap();
                let priority = |name: &serde_json::Value| Priority::from_name(name.as_str().unwrap());
                let present = |name: &serde_json::Value| {
                    set.rules()
                        .iter()
                        .any(|rule| found.contains_key(&rule.meta.title) && rule.priority() == priority(name))
                };
                if !held
                    || !priorities.iter().all(present)
                    || (test["asserts_zero_detections"] == true && !found.is_empty())
                {
                    wrong.push(format!("{} {fidelity:?} {matching:?}: {found:?} against {asserted:?}", test["test"]));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn published_rule_sets_load_unchanged() {
    for (files, rules) in [
        (vec!["rules/k8s_audit_rules.yaml"], 48),
        (vec!["rules/k8s_audit_rules.yaml", "rules/k8s_audit_rules_gke.yaml"], 48),
        (vec!["rules/gke_hack_rules.yaml"], 2),
        (vec!["rules/k8s_audit_rules_falco-0.30.0.yaml"], 0),
    ] {
        let sources: Vec<Source> = files.iter().map(|name| Source::new(*name, data(name))).collect();
        let loaded = load_falco(&sources);
        let errors: Vec<_> =
            loaded.problems.iter().filter(|p| p.severity == Severity::Error).map(ToString::to_string).collect();
        assert!(errors.is_empty(), "{files:?}\n{}", errors.join("\n"));
        assert!(loaded.rules.len() >= rules.max(1), "{files:?}: {}", loaded.rules.len());
    }
}

const EVENT: &str = r#"{"kind":"Event","level":"RequestResponse","auditID":"a1","stage":"ResponseComplete","verb":"create",
 "requestURI":"/api/v1/namespaces/web/pods/x/exec?command=sh\u0026command=-c\u0026container=c","user":{"username":"Alice","groups":["dev","system:authenticated"]},
 "sourceIPs":["192.0.2.7","10.1.2.3"],"userAgent":"kubectl/v1.36","objectRef":{"resource":"pods","namespace":"web","name":"x"},
 "responseStatus":{"code":201,"reason":"OK then"},
 "requestObject":{"subjects":[{"kind":"User","name":"u"},{"kind":"ServiceAccount","name":"s","namespace":"n"},{"kind":"Group","name":"g"}],"roleRef":{"name":"admin"},
 "rules":[{"verbs":["get","list"],"resources":["pods"],"apiGroups":[""]},{"verbs":["*"],"resources":["pods/exec"],"apiGroups":["apps"]}],
 "data":{"k":"the password"},"spec":{"hostNetwork":true,"securityContext":{"runAsUser":7,"supplementalGroups":[1,2]},
 "containers":[{"name":"a","image":"r.io:5000/a:1","command":["sh","-c"],"ports":[{"containerPort":80}]},{"name":"b","image":"nginx","securityContext":{"privileged":true,"runAsUser":5,"capabilities":{"add":["SYS_ADMIN","NET_RAW"]}}}],
 "volumes":[{"name":"v","hostPath":{"path":"/etc"}},{"name":"w","emptyDir":{}}]}},
 "responseObject":{"metadata":{"name":"x-1"}},
 "stageTimestamp":"2026-11-22T01:43:06.500000Z","annotations":{"authorization.k8s.io/decision":"allow","b64":"aGVsbG8="}}"#;

/// Conditions, and whether they hold on [`EVENT`]: natively, and with Falco's defects where that differs.
const CONDITIONS: &str = r#"
ka.verb=create                                             true
ka.verb = create                                           true
ka.verb == "create"                                        true
ka.verb='create'                                           true
ka.verb=Create                                             false
ka.verb != get                                             true
ka.verb in (get, create)                                   true
ka.verb in (get,list)                                      false
ka.verb in ()                                              false
not ka.verb in ()                                          true
ka.verb intersects (create)                                true
ka.target.subresource exists                               false
not ka.target.subresource exists                           true
ka.target.subresource != exec                              false
not ka.target.subresource in (exec)                        true
not(ka.verb=get)                                           true
not not ka.verb=create                                     true
ka.verb=get or ka.verb=create and ka.verb=list             false
(ka.verb=get or ka.verb=create) and not ka.verb=list       true
ka.response.code startswith 2                              true
ka.response.code >= 200                                    true
ka.response.code < 300                                     true
ka.response.code > 1000                                    false true
ka.response.reason contains "OK t"                         true
ka.response.reason icontains "ok T"                        true
ka.response.reason bcontains 4f4b                          true
ka.response.reason bstartswith 4F4B20                      true
ka.response.reason endswith then                           true
ka.useragent glob kubectl/*                                true
ka.useragent glob kubectl/v?.3[5-7]                        true
ka.useragent iglob KUBECTL/*                               true
ka.useragent glob KUBECTL/*                                false
ka.useragent regex kubectl                                 false
ka.useragent regex kubectl/v[0-9.]+                        true
ka.useragent startswith anyof (curl, kube)                 true
ka.useragent contains allof (kube, ctl)                    true
ka.useragent contains allof (kube, curl)                   false
ka.useragent contains oneof (kube, curl)                   true
ka.useragent contains oneof (kube, ctl)                    false
ka.uri pmatch (/api/v1)                                    true
ka.uri pmatch (/api/v)                                     false
ka.uri pmatch (/api/*/namespaces)                          true
ka.uri.param[command]=sh                                   true
ka.uri.param["command"]=sh                                 true
ka.uri.param[nothing] exists                               false
ka.user.groups in (dev, system:authenticated, other)       true
ka.user.groups in (dev)                                    false
ka.user.groups intersects (dev)                            true
ka.sourceips intersects (192.0.2.7)                        true false
ka.sourceips exists                                        true false
ka.sourceips[1] = 10.1.2.3                                 true false
ka.req.pod.containers.image[0] = r.io:5000/a:1             true
ka.req.pod.containers.image.repository intersects (r.io:5000/a) true false
ka.req.pod.containers.image.repository intersects (r.io)   false true
ka.req.pod.containers.image.repository in (nginx)          false
ka.req.pod.containers.privileged intersects (true)         true
ka.req.pod.containers.command intersects ("sh -c")         true
ka.req.pod.containers.host_port intersects (80)            true
ka.req.pod.containers.eff_run_as_user intersects (7)       true false
ka.req.pod.containers.eff_run_as_user in (0)               false true
ka.req.pod.containers.add_capabilities intersects (SYS_ADMIN) true false
ka.req.pod.host_network intersects (true)                  true
ka.req.pod.run_as_user = 7                                 true
ka.req.pod.supplemental_groups intersects (2)              true
ka.req.pod.volumes.hostpath intersects (/etc)              true
ka.req.pod.volumes.volume_type intersects (emptyDir)       true
ka.req.volume.hostpath[/etc]=true                          true
ka.req.volume.hostpath[/e*]=true                           true
ka.req.container.privileged=true                           true
ka.req.container.image=r.io:5000/a:1                       true
ka.req.configmap.obj contains "password"                   true
ka.req.binding.subjects.user_names intersects (u)          true
ka.req.binding.subjects.serviceaccount_ns_names intersects (n:s) true
ka.req.binding.role=admin                                  true
ka.req.role.rules.verbs intersects ("*")                   true
ka.req.role.rules.resources[0] = pods                      true
ka.resp.name=x-1                                           true
ka.target.pod.name=x-1                                     true
ka.auth.decision="allow"                                   true
jevt.value[/stage]=ResponseComplete                        true
jevt.value[stage]=ResponseComplete                         true
jevt.value[/annotations/authorization.k8s.io~1decision] exists true
jevt.value[/sourceIPs/1]=10.1.2.3                          true
json.value[/user/groups] contains dev                      true
jevt.value[/a~1~0b] exists                                 false
jevt.rawtime exists                                        true
jevt.rawtime=0                                             false
jevt.obj contains "Alice"                                  true
tolower(ka.user.name)=alice                                true
toupper(ka.verb)=CREATE                                    true
b64(jevt.value[/annotations/b64])=hello                    true
basename(ka.uri.param[container])=c                        true
len(ka.user.groups)=2                                      true
len(ka.verb)=6                                             true
join("-", ka.user.groups)="dev-system:authenticated"       true
concat(ka.verb, "-", ka.target.name)=create-x              true
ka.target.name=val(ka.uri.param[container])                false
ka.target.resource=val(jevt.value[/objectRef/resource])    true
tolower(ka.user.name)=tolower(ka.user.name)                true
getopt(("-n", "-t", "value"), "nt:") intersects (value)    true
"#;

#[test]
fn conditions() {
    let event = Event::parse(EVENT.as_bytes()).unwrap();
    let mut wrong = Vec::new();
    for line in CONDITIONS.lines().filter(|line| !line.is_empty()) {
        let mut condition = line.trim_end();
        let mut wants = Vec::new();
        while let Some((before, want)) = condition.rsplit_once(' ').filter(|(_, w)| matches!(*w, "true" | "false")) {
            wants.insert(0, want == "true");
            condition = before.trim_end();
        }
        let text = format!(
            "- rule: r\n  desc: d\n  source: k8s_audit\n  priority: INFO\n  output: o\n  condition: >\n    {condition}\n"
        );
        for (fidelity, want) in [(Fidelity::Native, wants[0]), (Fidelity::Parity, *wants.last().unwrap())] {
            let loaded = load_falco(&[Source::new("t", &text)]);
            if loaded.rules.is_empty() {
                wrong.push(format!("{condition}: {:?}", loaded.problems));
                continue;
            }
            let set = Arc::new(RuleSet::compile(loaded, Options { fidelity, ..Options::default() }));
            let mut matches = Vec::new();
            Matcher::new(Arc::clone(&set)).matches(&event, &mut matches);
            let plainly = set.matches_plainly(rule::RuleRef(0), &event);
            if (matches.len() == 1, plainly) != (want, want) {
                wrong.push(format!("{condition} ({fidelity:?}): {} {plainly}, want {want}", matches.len()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn macros_cannot_nest_without_end() {
    let mut text = String::from("- macro: m0\n  condition: ka.verb=get\n");
    for i in 1..300 {
        let inner = format!("{}m{}{}", "(ka.verb=get or (ka.verb=put and ".repeat(40), i - 1, "))".repeat(40));
        text.push_str(&format!("- macro: m{i}\n  condition: {inner}\n"));
    }
    text.push_str("- rule: r\n  desc: d\n  source: k8s_audit\n  priority: INFO\n  output: o\n  condition: m299\n");
    let loaded = load_falco(&[Source::new("t", text)]);
    assert!(loaded.rules.is_empty());
    assert!(loaded.problems.iter().any(|p| p.what.contains("nested deeper than the limit")), "{:?}", loaded.problems);
}

/// Files that change what others define, and the rules with their conditions' effect on [`EVENT`].
#[test]
fn later_files_change_earlier_ones() {
    let base = "
- list: users
  items: [bob]
- macro: known
  condition: ka.user.name in (users)
- rule: r
  desc: d
  condition: ka.verb=create and not known
  output: \"%ka.user.name did %ka.verb (%ka.target.subresource)\"
  priority: NOTICE
  source: k8s_audit
";
    for (what, change, holds) in [
        ("nothing", "", true),
        ("append to a list", "- list: users\n  items: [Alice]\n  append: true\n", false),
        ("override a list", "- list: users\n  items: [Alice]\n  override: {items: append}\n", false),
        ("replace a list", "- list: users\n  items: [Alice]\n", false),
        ("replace a macro", "- macro: known\n  condition: ka.verb=create\n", false),
        ("append to a macro", "- macro: known\n  condition: or ka.verb=create\n  append: true\n", false),
        ("switch off", "- rule: r\n  enabled: false\n", false),
        ("switch off and on", "- rule: r\n  enabled: false\n- rule: r\n  enabled: true\n", true),
        ("append to a condition", "- rule: r\n  condition: and ka.verb=get\n  append: true\n", false),
        ("replace a condition", "- rule: r\n  condition: ka.verb=get\n  override: {condition: replace}\n", false),
        (
            "exception",
            "- rule: r\n  exceptions:\n    - name: e\n      fields: [ka.user.name, ka.verb]\n      comps: [startswith, in]\n      values:\n        - [Al, [create, get]]\n  override: {exceptions: append}\n",
            false,
        ),
        (
            "exception that does not fit",
            "- rule: r\n  exceptions:\n    - name: e\n      fields: [ka.user.name, ka.verb]\n      values:\n        - [Alice, get]\n  append: true\n",
            true,
        ),
        (
            "exception of one field",
            "- rule: r\n  exceptions:\n    - {name: e, fields: ka.user.name, values: [x, Alice]}\n  append: true\n",
            false,
        ),
    ] {
        let loaded = load_falco(&[Source::new("base", base), Source::new("change", change)]);
        let errors: Vec<_> = loaded.problems.iter().filter(|p| p.severity > Severity::Note).collect();
        assert!(errors.is_empty() && loaded.rules.len() == 1, "{what}: {errors:?}");
        let set = Arc::new(RuleSet::compile(loaded, Options::default()));
        let event = Event::parse(EVENT.as_bytes()).unwrap();
        let mut matches = Vec::new();
        Matcher::new(Arc::clone(&set)).matches(&event, &mut matches);
        assert_eq!(matches.len() == 1, holds, "{what}");
        let rule::Flavour::Falco { output, .. } = &set.rules()[0].flavour else { panic!() };
        assert_eq!(output.render(&event), "Alice did create (<NA>)");
    }
}

#[test]
fn one_mistake_costs_one_item() {
    let rule =
        |name: &str, rest: &str| format!("- rule: {name}\n  desc: d\n  source: k8s_audit\n  output: o\n{rest}\n");
    let good = rule("good", "  priority: INFO\n  condition: ka.verb=get");
    for (bad, what, line) in [
        (rule("bad", "  priority: INFO\n  condition: ka.verbs=get"), "unknown field `ka.verbs`", 6),
        (rule("bad", "  priority: URGENT\n  condition: ka.verb=get"), "`URGENT` is no priority", 5),
        (rule("bad", "  priority: INFO\n  condition: no_such_macro"), "unknown macro `no_such_macro`", 6),
        (rule("bad", "  priority: INFO\n  condition: ka.verb=get and"), "the condition ends where", 6),
        (rule("bad", "  priority: INFO\n  condition: ka.user.groups=dev"), "has several values", 6),
        (rule("bad", "  priority: INFO"), "there is no `condition`", 1),
        (rule("bad", "  priority: INFO\n  condition: [unclosed"), "not YAML", 7),
        (
            "- macro: a\n  condition: b\n- macro: b\n  condition: a\n".to_owned()
                + &rule("bad", "  priority: INFO\n  condition: a"),
            "the macro `b` is defined only after what uses it",
            10,
        ),
        ("- rule: other\n  condition: and x\n  append: true\n".to_owned(), "nothing to change", 1),
        ("- required_engine_version: 99.0.0\n".to_owned(), "newer than", 1),
    ] {
        let loaded = load_falco(&[Source::new("f", &bad), Source::new("g", &good)]);
        let names: Vec<_> = loaded.rules.iter().map(|rule| &rule.meta.title).collect();
        assert_eq!(names, ["good"], "{bad}");
        let problem = loaded.problems.iter().find(|p| p.severity == Severity::Error).unwrap();
        assert!(problem.what.contains(what) && problem.place.line == line, "{problem} / want {what} at {line}");
    }
}

/// Rules written in our own form match the same events as the originals, one by one.
#[test]
fn imported_rules_match_the_same_events() {
    let traces = fs::read_dir(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/falco/traces")).unwrap();
    let traces: Vec<String> =
        traces.map(|trace| format!("traces/{}", trace.unwrap().file_name().to_str().unwrap())).collect();
    let mut matched = 0;
    for files in [
        vec!["rules/k8s_audit_rules.yaml"],
        vec!["rules/k8s_audit_rules.yaml", "rules/k8s_audit_rules_gke.yaml"],
        vec!["rules/k8s_audit_rules_falco-0.30.0.yaml", "rules-tests/allow_only_apache_container.yaml"],
        vec!["rules/gke_hack_rules.yaml"],
        vec!["rules-tests/engine_v4_k8s_audit_rules.yaml"],
    ] {
        let sources: Vec<Source> = files.iter().map(|name| Source::new(*name, data(name))).collect();
        let imported = import_falco(&sources);
        let text: Vec<&str> = imported.rules.iter().map(|rule| rule.yaml.as_str()).collect();
        let loaded = load_sigma(&Source::new("imported.yml", text.join("---\n")));
        assert_eq!(loaded.problems.iter().map(ToString::to_string).collect::<Vec<_>>(), [""; 0], "{files:?}");
        let ours = Arc::new(RuleSet::compile(loaded, Options::default()));
        let names: Vec<String> = files.iter().map(ToString::to_string).collect();
        let theirs = set(&names, Options::default());
        let allowed = ["its condition never matches", "it is switched off"];
        let lost = imported.left_out.iter().find(|(_, reason)| !allowed.contains(&reason.as_str()));
        assert_eq!(lost, None, "{files:?}");
        assert_eq!(imported.rules.len() + imported.left_out.len(), theirs.rules().len(), "{files:?}");
        for trace in &traces {
            let wanted = detections(&theirs, trace);
            matched += wanted.len();
            assert_eq!(detections(&ours, trace), wanted, "{files:?} {trace}");
        }
    }
    assert!(matched > 60, "only {matched} matches");
}

#[test]
fn imported_functions_of_fields_match_the_same_events() {
    let conditions = [
        "tolower(ka.user.name) = minikube-user",
        "toupper(ka.user.groups) intersects (SYSTEM:MASTERS)",
        "basename(ka.uri) in (pods, configmaps, services)",
        "len(ka.target.namespace) >= 7",
        "len(ka.user.groups) > 1",
        "join(\"/\", (ka, falco)) = ka.target.name",
        "concat(ka.verb, \"-\", ka.target.resource) startswith create-",
        "b64(ka.user.name) exists",
        "ka.user.name = tolower(ka.user.name)",
        "getopt(ka.useragent, \"v\") exists",
        "not basename(ka.uri) contains p",
    ];
    let rule = |(number, condition): (usize, &&str)| {
        format!(
            "- rule: r{number}\n  desc: d\n  condition: {condition}\n  output: o\n  priority: INFO\n  source: k8s_audit\n"
        )
    };
    let source = Source::new("own.yaml", conditions.iter().enumerate().map(rule).collect::<String>());
    let imported = import_falco(std::slice::from_ref(&source));
    assert_eq!(imported.left_out, []);
    let text: Vec<&str> = imported.rules.iter().map(|rule| rule.yaml.as_str()).collect();
    let loaded = load_sigma(&Source::new("imported.yml", text.join("---\n")));
    assert_eq!(loaded.problems.iter().map(ToString::to_string).collect::<Vec<_>>(), [""; 0]);
    let ours = Arc::new(RuleSet::compile(loaded, Options::default()));
    let theirs = Arc::new(RuleSet::compile(load_falco(&[source]), Options::default()));
    let mut matched = BTreeMap::new();
    for trace in fs::read_dir(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/falco/traces")).unwrap() {
        let trace = format!("traces/{}", trace.unwrap().file_name().to_str().unwrap());
        let wanted = detections(&theirs, &trace);
        assert_eq!(detections(&ours, &trace), wanted, "{trace}");
        wanted.into_keys().for_each(|name| *matched.entry(name).or_insert(0) += 1);
    }
    assert!(matched.len() > 5, "{matched:?}");
}

#[test]
fn what_changed_by_importing_is_said() {
    let text = r#"
- list: trusted
  items: [alice, "bo*b"]
- macro: change
  condition: (ka.verb in (create, update))
- rule: Change by a stranger
  desc: Someone unknown changes something
  condition: change and not ka.user.name in (trusted) and not ka.uri.param[x|y] = z
  output: changed (user=%ka.user.name)
  priority: WARNING
  source: k8s_audit
  tags: [mitre_persistence, T1098]
- rule: Change of a file
  desc: Something is mounted
  condition: change and ka.user.name != "" and ka.req.pod.volumes.hostpath intersects (/etc, /proc) and ka.response.code >= 400
  output: mounted
  priority: ERROR
  source: k8s_audit
  exceptions:
    - name: friends
      fields: [ka.user.name]
      comps: [startswith]
      values: [["system:"]]
- rule: Change in other letters
  desc: Someone shouts
  condition: change and tolower(ka.user.name) in (trusted) and len(ka.user.name) > 3
  output: shouted
  priority: INFO
  source: k8s_audit
- rule: Off
  desc: d
  condition: change
  output: o
  priority: INFO
  source: k8s_audit
  enabled: false
"#;
    let imported = import_falco(&[Source::new("own.yaml", text)]);
    let mut told = String::new();
    imported.rules.iter().for_each(|rule| told.push_str(&rule.yaml));
    imported.left_out.iter().for_each(|(name, reason)| told.push_str(&format!("left out: {name}: {reason}\n")));
    expect![[r##"
        # Imported from Falco rules: own.yaml, line 13.
        # Its macros stand in it, since a rule here stands alone: change.
        # Its exceptions are part of the condition, as `and not`.
        # Values are compared with `cased`, since Falco tells upper from lower case.
        # Its priority Error is the level high here.
        # A finding tells its own story; the output was: mounted
        # Not exactly the same: `responseStatus.code` is compared as a number, not letter by letter.
        title: "Change of a file"
        id: eec3c8b4-cf68-8d6e-8c46-14faf1615916
        name: change-of-a-file
        status: test
        description: "Something is mounted"
        logsource:
          product: kubernetes
          service: audit
        detection:
          selection_verb:
            verb|cased:
              - "create"
              - "update"
            user.username|exists: true
            ka.req.pod.volumes.hostpath|cased:
              - "/etc"
              - "/proc"
            responseStatus.code|gte: 400
          selection_username:
            user.username|cased: ""
          selection_username_2:
            user.username|startswith|cased: "system:"
          condition: selection_verb and not selection_username and not selection_username_2
        level: high
        # Imported from Falco rules: own.yaml, line 24.
        # Its macros stand in it, since a rule here stands alone: change.
        # Its lists stand in it, since a rule here stands alone: trusted.
        # Values are compared with `cased`, since Falco tells upper from lower case.
        # A finding tells its own story; the output was: shouted
        # Not exactly the same: `len(ka.user.name)` is compared as a number, not letter by letter.
        title: "Change in other letters"
        id: a413a339-3148-82ce-9cb5-b8c6e90e86e6
        name: change-in-other-letters
        status: test
        description: "Someone shouts"
        logsource:
          product: kubernetes
          service: audit
        detection:
          selection_verb:
            verb|cased:
              - "create"
              - "update"
            "tolower(ka.user.name)|cased":
              - "alice"
              - "bo\\*b"
            "len(ka.user.name)|gt": 3
          condition: selection_verb
        level: informational
        left out: Change by a stranger: `ka.uri.param[x|y]` has no name in Sigma
        left out: Off: it is switched off
    "##]]
    .assert_eq(&told);
}

//! Every sample of every wrapper format parses, or is quarantined with its reason.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use audit::{Event, Format, diagnose, normalise, split};
use expect_test::expect;

fn samples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/samples")
}

fn read(path: &Path) -> Vec<u8> {
    let bytes = std::fs::read(path).unwrap();
    match path.extension().is_some_and(|extension| extension == "zst") {
        true => zstd::decode_all(bytes.as_slice()).unwrap(),
        false => bytes,
    }
}

/// Counts by format, and by reason for what is quarantined. Every other item must normalise to an event.
fn summary(text: &[u8]) -> String {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for item in split(text) {
        let kind = match item.format {
            Format::Quarantine => format!("quarantine({})", diagnose(item.bytes).expect("a reason")),
            format => {
                let event = normalise(format, item.bytes).unwrap();
                Event::parse(&event).unwrap();
                format.name().to_owned()
            }
        };
        *counts.entry(kind).or_default() += 1;
    }
    counts.iter().map(|(kind, count)| format!(" {kind}={count}")).collect()
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    found.sort();
    found.into_iter().flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

#[test]
fn every_sample_parses_or_has_a_reason() {
    let mut out = String::new();
    for path in files(&samples()) {
        let name = path.strip_prefix(samples()).unwrap().display().to_string();
        let kept_as_notice = name.contains("LICENSE") || name.ends_with(".md");
        if !kept_as_notice && !name.starts_with("audit-events") {
            out.push_str(&format!("{name}:{}\n", summary(&read(&path))));
        }
    }
    expect![[r#"
        apisnoop-testdata/audit_event.json: audit=1
        apisnoop-testdata/audit_event_bad_verb.json: audit=1
        apisnoop-testdata/audit_event_dummy_request.json: audit=1
        apisnoop-testdata/audit_event_part_count_too_high.json: audit=1
        apisnoop-testdata/bad_audit_event.json: audit=1
        fairwinds-event-watcher/allowed-kyverno.json: audit=1
        fairwinds-event-watcher/audit-validating-admission-policy.json: audit=1
        fairwinds-event-watcher/cloud_watch_allowed.json: audit=1
        fairwinds-event-watcher/kyverno-policy-executed.json: audit=1
        fairwinds-event-watcher/pluto_block.json: audit=1
        fairwinds-event-watcher/pods_blocked.json: audit=1
        fairwinds-event-watcher/validating-admission-policy.json: audit=1
        kube-audit-log-tool/single-event.json: audit=1
        kube-audit-rest/kube-audit-rest.log.zst: quarantine(not an audit event: an object of kind AdmissionReview)=59
        kubesplaining-testdata/eks__minimal-risky-eks-audit.json: cloudwatch=6
        kubesplaining-testdata/native__leastprivilege-demo-audit.log: audit=28
        kubesplaining-testdata/native__minimal-risky-audit.log: audit=3
        openshift-clo-samples/log5607_sample.json: audit=1
        openshift-clo-samples/otlp_audit_host.json: quarantine(not an audit event: an object without the fields of one)=6
        openshift-clo-samples/otlp_audit_kube.json: otlp=3
        openshift-clo-samples/otlp_audit_openshift.json: otlp=3
        openshift-clo-samples/otlp_audit_ovn.json: quarantine(not an audit event: an object without the fields of one)=1
        openshift-clo-samples/raw_audit_kubernetes.json: audit=1
        openshift-clo-samples/raw_audit_oauth-apiserver.json: audit=1
        openshift-clo-samples/raw_audit_openshift.json: audit=1
        openshift-clo-samples/raw_auditd.log: quarantine(not JSON: expected `true`, `false` or `null` at byte 0)=1
        openshift-clo-samples/viaq_audit_host.json: quarantine(not an audit event: an object without the fields of one)=1
        openshift-clo-samples/viaq_audit_kubernetes.json: viaq=1
        openshift-clo-samples/viaq_audit_openshift.json: audit=1
        openshift-clo-samples/viaq_audit_ovn.json: quarantine(not an audit event: an object without the fields of one)=1
        panther/events.jsonl.zst: collected=141 quarantine(not an audit event: an object without the fields of one)=3
        segment-bridge-splunk-export/fetch-uj-recordsFail.jsonl: quarantine(not an audit event: an object without the fields of one)=1 viaq=4
        segment-bridge-splunk-export/fetch-uj-recordsPass.jsonl: viaq=5
        viaq-load-client/samples_audit.txt.zst: audit=101 quarantine(not JSON: expected `,` or `}` at byte 51214)=1
    "#]].assert_eq(&out);
}

#[test]
fn what_a_real_server_writes_parses() {
    let text = read(&samples().join("audit-events/experiments.jsonl.zst"));
    let mut events = 0;
    for line in text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        for event in audit::Json::whole(line).unwrap().get("events").unwrap().elements() {
            let event = Event::from_json(event).unwrap();
            assert!(event.stage().is_some() && event.level().is_some() && event.time().is_some());
            events += 1;
        }
    }
    assert!(events > 200, "{events}");
}

#[test]
fn hostile_bodies_are_events_all_the_same() {
    use base64::Engine;
    let text = read(&samples().join("audit-events/hostile-patch-bodies.jsonl.zst"));
    let mut lines = 0;
    for record in text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let record = audit::Json::whole(record).unwrap();
        let Some(logged) = record.get("logLine_b64").and_then(audit::Json::text) else { continue };
        let line = base64::engine::general_purpose::STANDARD.decode(logged.as_bytes()).unwrap();
        let line = line.strip_suffix(b"\n").unwrap_or(&line);
        let items = split(line);
        assert_eq!((items.len(), items[0].format), (1, Format::Audit));
        assert_eq!(items[0].bytes, line);
        let event = Event::parse(line).unwrap();
        assert_eq!(event.verb(), "patch");
        let list = [b"{\"kind\":\"EventList\",\"items\":[", line, b",", line, b"]}"].concat();
        assert_eq!(split(&list).len(), 2);
        lines += 1;
    }
    assert!(lines >= 8, "{lines}");
}

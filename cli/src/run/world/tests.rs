use std::time::Duration;

use keypool_contract::exchange::Acknowledgement;
use keypool_contract::verdict::{CoolingReason, Finding, Scope, Verdict, VerdictId};
use keypool_contract::{Encoded, Secret};
use keypool_operator::moment::{Moment, Monotonic};

use super::*;
use crate::run::manifests::Manifests;

const PROVIDER: &str = "{apiVersion: keypool.dev/v1alpha1, kind: ModelProvider, metadata: {name: p, namespace: n, uid: local.n.p}, \
    spec: {type: OpenAICompatible, endpoint: {url: 'http://127.0.0.1:1/v1'}, credentials: [\
    {name: a, secretKeyRef: {name: s, key: a}}, {name: b, secretKeyRef: {name: s, key: b}}]}}";
const GROUP: &str = "{apiVersion: keypool.dev/v1alpha1, kind: LoadBalanceGroup, metadata: {name: chat, namespace: n, uid: local.n.chat}, \
    spec: {members: [{name: one, providerRef: {name: p}, model: m}, {name: two, providerRef: {name: gone}, model: m}]}}";
const SECRET: &str = "{apiVersion: v1, kind: Secret, metadata: {name: s, namespace: n}, stringData: {a: sk-canary-a, b: sk-canary-b}}";

fn at(seconds: i64) -> Moment {
    Moment {
        monotonic: Monotonic(seconds * 1000),
        wall: jiff::Timestamp::from_second(1_800_000_000 + seconds).unwrap(),
    }
}

fn world() -> World {
    rustls::crypto::aws_lc_rs::default_provider()
        .install_default()
        .ok();
    let key = Secret::parse(b"demo").unwrap();
    World::new("http://127.0.0.1:8080".into(), key, at(0)).unwrap()
}

fn manifests(provider: &str, groups: &[&str], secret: &str) -> Manifests {
    Manifests {
        providers: vec![serde_yaml::from_str(provider).unwrap()],
        groups: groups
            .iter()
            .map(|group| serde_yaml::from_str(group).unwrap())
            .collect(),
        secrets: vec![serde_yaml::from_str(secret).unwrap()],
        config_maps: Vec::new(),
    }
}

/// What the proxy would answer that runs this document.
fn answer(document: &Encoded, sequence: u64, findings: Vec<Finding>) -> ExchangeResponse {
    let stamp = document.read().unwrap().stamp;
    let verdict = |(index, finding): (usize, Finding)| Verdict {
        id: VerdictId {
            instance: "i".into(),
            sequence: sequence + index as u64,
        },
        provider: "local.n.p".into(),
        finding,
        age_ms: 0,
    };
    ExchangeResponse {
        instance: "i".into(),
        acknowledgement: Acknowledgement {
            lineage: stamp.lineage,
            generation: stamp.generation,
            hash: Some(document.hash().clone()),
            last_error: None,
        },
        snapshot: false,
        verdicts: findings.into_iter().enumerate().map(verdict).collect(),
        sequence,
    }
}

fn states(survey: &Survey) -> Vec<(&str, &str, &'static str, &'static str)> {
    survey
        .rows
        .iter()
        .map(|row| (&*row.member, &*row.key, row.state, row.reason))
        .collect()
}

fn condition<'a>(survey: &'a Survey, kind: &str) -> (&'a str, &'a str) {
    let conditions = &survey.groups[0].status.as_ref().unwrap().conditions;
    let condition = conditions
        .iter()
        .find(|condition| condition.type_ == kind)
        .unwrap();
    (&condition.status, &condition.reason)
}

/// A world whose key `a` rests for 40 s, from second 1 on.
fn cooling() -> World {
    let mut world = world();
    let document = world.load(manifests(PROVIDER, &[GROUP], SECRET), at(0)).unwrap();
    let fingerprints = document.read().unwrap().content.providers["local.n.p"]
        .credentials
        .clone();
    let scope = Scope {
        fingerprint: fingerprints[0].fingerprint.clone(),
        quota_group: false,
        model: None,
    };
    let findings = vec![
        Finding::Proven {
            fingerprint: fingerprints[1].fingerprint.clone(),
        },
        Finding::Cooling {
            scope,
            reason: CoolingReason::RateLimited,
            remaining_ms: 40_000,
            soft: false,
        },
    ];
    world.receive(answer(&document, 1, findings), at(1));
    world
}

#[test]
fn what_the_proxy_learned_becomes_status_and_rows() {
    let mut world = cooling();
    let survey = world.survey(at(11));
    assert_eq!(
        states(&survey),
        [
            ("one", "a", "CoolingDown", "RateLimited"),
            ("one", "b", "Healthy", "Proven"),
            ("two", "", "Unresolved", "ProviderNotFound"),
        ]
    );
    assert_eq!(survey.rows[0].left, Some(Duration::from_secs(30)));
    assert_eq!(condition(&survey, "Programmed"), ("True", "Programmed"));
    assert_eq!(condition(&survey, "Ready"), ("True", "Ready"));
    assert_eq!(
        survey.groups[0].status.as_ref().unwrap().endpoint.as_deref(),
        Some("http://127.0.0.1:8080/g/chat")
    );
    assert_eq!(
        survey.concerns,
        [
            "LoadBalanceGroup chat: members[two].providerRef: ModelProvider gone does not exist; create it in this namespace, or correct the name."
        ]
    );
    let later = world.survey(at(42));
    assert_eq!(states(&later)[0], ("one", "a", "Healthy", "CooldownOver"));
}

#[test]
fn a_reload_keeps_what_is_known_of_a_value_and_forgets_another() {
    let mut world = cooling();
    world.survey(at(2));
    assert!(
        world.load(manifests(PROVIDER, &[GROUP], SECRET), at(3)).is_none(),
        "equal manifests, equal document"
    );

    let heavier = GROUP.replace("model: m}, {", "model: m, weight: 5}, {");
    let document = world
        .load(manifests(PROVIDER, &[&heavier], SECRET), at(4))
        .unwrap();
    assert_eq!(document.read().unwrap().stamp.generation, 2);
    let survey = world.survey(at(5));
    assert_eq!(states(&survey)[0], ("one", "a", "CoolingDown", "RateLimited"));
    assert_eq!(
        condition(&survey, "Programmed"),
        ("False", "AwaitingAcknowledgement")
    );
    assert_eq!(survey.groups[0].metadata.generation, Some(2));
    world.receive(answer(&document, 3, Vec::new()), at(6));
    assert_eq!(
        condition(&world.survey(at(6)), "Programmed"),
        ("True", "Programmed")
    );

    let mended = SECRET.replace("sk-canary-a", "sk-canary-new");
    let document = world
        .load(manifests(PROVIDER, &[&heavier], &mended), at(7))
        .unwrap();
    world.receive(answer(&document, 4, Vec::new()), at(8));
    let survey = world.survey(at(8));
    assert_eq!(states(&survey)[0], ("one", "a", "Unknown", "NotUsedYet"));
    assert_eq!(
        survey.groups[0].metadata.generation,
        Some(2),
        "the spec is the same"
    );
}

#[test]
fn a_group_that_cannot_be_served_keeps_its_last_good_manifest() {
    let mut world = cooling();
    let other = GROUP.replace("chat", "other");
    world
        .load(manifests(PROVIDER, &[GROUP, &other], SECRET), at(2))
        .unwrap();
    let twice = GROUP.replace("name: two", "name: one");
    let same = world.load(manifests(PROVIDER, &[&twice, &other], SECRET), at(3));
    assert!(same.is_none(), "the document says what it said");
    let survey = world.survey(at(4));
    assert_eq!(states(&survey)[0], ("", "", "NotAccepted", "InvalidSpec"));
    assert!(
        survey
            .concerns
            .iter()
            .any(|concern| concern.contains("chat: members holds the name one twice; rename one"))
    );
    assert_eq!(world.served().count(), 2);

    let document = world.load(manifests(PROVIDER, &[&other], SECRET), at(5)).unwrap();
    let groups: Vec<String> = document
        .read()
        .unwrap()
        .content
        .groups
        .iter()
        .map(|group| group.name.clone())
        .collect();
    assert_eq!(groups, ["other"], "what is removed is not served");
}

#[test]
fn a_missing_value_names_the_variable_that_would_give_it() {
    let mut world = world();
    let without = SECRET.replace("b: sk-canary-b", "c: sk-canary-b");
    let document = world
        .load(manifests(PROVIDER, &[GROUP], &without), at(0))
        .unwrap();
    assert!(
        world.survey(at(0)).concerns.is_empty(),
        "before the proxy said anything"
    );
    world.receive(answer(&document, 1, Vec::new()), at(1));
    let survey = world.survey(at(1));
    assert_eq!(states(&survey)[1], ("one", "b", "Missing", "SecretKeyNotFound"));
    assert_eq!(
        survey.concerns[..2],
        [
            "ModelProvider p: credentials[b].secretKeyRef: Secret s has no key b; add it.",
            "ModelProvider p: b can also come from the variable KEYPOOL_SECRET_S_B",
        ]
    );
    let all = format!("{:?}{}", survey, crate::run::status::yaml(&survey).unwrap());
    assert!(!all.contains("canary"), "no value in what people see");
}

#[test]
fn statuses_are_written_as_kubectl_shows_them() {
    let mut world = cooling();
    let survey = world.survey(at(11));
    let yaml = crate::run::status::yaml(&survey).unwrap();
    let documents: Vec<serde_json::Value> = serde_yaml::Deserializer::from_str(&yaml)
        .map(|document| serde::Deserialize::deserialize(document).unwrap())
        .collect();
    assert_eq!(documents.len(), 2);
    assert_eq!(documents[0]["kind"], "ModelProvider");
    assert_eq!(documents[0]["status"]["keySummary"]["display"], "1/2");
    assert_eq!(
        documents[1]["metadata"],
        serde_json::json!({"name": "chat", "namespace": "n", "generation": 1})
    );
    assert!(documents[1].get("spec").is_none());
}

use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1::Deployment;
use keypool_crds::v1alpha1::{LoadBalanceGroup, ModelProvider, Reason};

use super::{Inputs, Prepared, TEMPLATE_HASH, build};
use crate::fixtures::{CHAT, NAMESPACE, OPENAI, VLLM, World, certificate, group, material, provider};
use crate::material::{Material, Rendered, StoredDocument};
use crate::moment::tests::at;
use crate::reference::Reference;

const ENDPOINT: &str = "http://chat-keypool.team.svc";

struct Case {
    world: World,
    group: LoadBalanceGroup,
    providers: Vec<ModelProvider>,
    material: Material,
}

impl Case {
    fn new() -> Self {
        Self {
            world: World::new(),
            group: group("chat", CHAT),
            providers: vec![provider("openai", OPENAI), provider("vllm", VLLM)],
            material: material(),
        }
    }

    fn build_after(
        &self,
        stored: Option<&StoredDocument>,
        reported: u64,
    ) -> Result<Prepared, crate::conditions::Check> {
        let providers: Vec<&ModelProvider> = self.providers.iter().collect();
        let group = self.world.valid_group(&self.group, &providers);
        build(&Inputs {
            group: &group,
            material: &self.material,
            stored,
            reported,
            install: &self.world.install,
            endpoint: ENDPOINT,
        })
    }

    fn build(&self) -> Prepared {
        self.build_after(None, 0).unwrap()
    }
}

fn stored(prepared: &Prepared) -> StoredDocument {
    Rendered::read(&prepared.rendered_secret.0).document.unwrap()
}

fn hash(deployment: &Deployment) -> String {
    let template = &deployment.spec.as_ref().unwrap().template;
    let annotations = template.metadata.as_ref().unwrap().annotations.as_ref().unwrap();
    assert_eq!(deployment.metadata.annotations.as_ref(), Some(annotations));
    annotations[TEMPLATE_HASH].clone()
}

#[test]
fn the_deployment_is_restricted_and_drains() {
    let mut case = Case::new();
    case.group.spec.proxy = serde_yaml::from_str(
        "{replicas: 3, resources: {requests: {cpu: 100m, memory: 64Mi}}, imagePullSecrets: [{name: registry}]}",
    )
    .unwrap();
    insta::assert_yaml_snapshot!("deployment", case.build().deployment);
}

#[test]
fn the_small_children_look_as_they_should() {
    let Prepared {
        document: _,
        service_account,
        rendered_secret,
        client_secret,
        service,
        deployment: _,
    } = Case::new().build();
    insta::assert_yaml_snapshot!("service", service);
    insta::assert_yaml_snapshot!("service_account", service_account);
    let text = |secret: &super::SecretResource| -> BTreeMap<String, String> {
        let data = secret.0.data.clone().unwrap();
        data.into_iter()
            .map(|(key, value)| (key, String::from_utf8(value.0).unwrap()))
            .collect()
    };
    insta::assert_yaml_snapshot!("client_secret", text(client_secret.as_ref().unwrap()));
    let rendered = text(&rendered_secret);
    assert_eq!(
        rendered.keys().collect::<Vec<_>>(),
        ["config.json", "exchange.token", "tls.crt", "tls.key"]
    );
    let document: serde_json::Value = serde_json::from_str(&rendered["config.json"]).unwrap();
    insta::assert_json_snapshot!("document", document);
    assert_eq!(format!("{rendered_secret:?}").matches("sk-").count(), 0);
}

#[test]
fn labels_and_annotations_of_the_group_are_never_copied() {
    let mut case = Case::new();
    let tracked = BTreeMap::from([("argocd.argoproj.io/instance".to_owned(), "app".to_owned())]);
    case.group.metadata.labels = Some(tracked.clone());
    case.group.metadata.annotations = Some(tracked);
    let with = case.build();
    let without = Case::new().build();
    assert_eq!(with.deployment, without.deployment);
    assert_eq!(with.rendered_secret, without.rendered_secret);
    assert_eq!(
        (with.service, with.service_account),
        (without.service, without.service_account)
    );
}

#[test]
fn only_structure_rolls_the_pods() {
    let before = hash(&Case::new().build().deployment);
    let mut reload = Case::new();
    reload.group.metadata.generation = Some(9);
    reload.group.spec.proxy.replicas = 7;
    reload.group.spec.members.pop();
    reload.world = reload.world.secret("openai-keys", &[("team-a", "sk-new")]);
    assert_eq!(hash(&reload.build().deployment), before);
    for change in [
        |case: &mut Case| case.world.install.proxy_image = "other:v2".into(),
        |case: &mut Case| {
            case.group.spec.proxy.resources = Some(serde_yaml::from_str("{limits: {memory: 1Gi}}").unwrap());
        },
        |case: &mut Case| {
            case.group.spec.proxy.image_pull_secrets = serde_yaml::from_str("[{name: registry}]").unwrap();
        },
    ] {
        let mut case = Case::new();
        change(&mut case);
        assert_ne!(hash(&case.build().deployment), before);
    }
}

#[test]
fn the_same_content_is_the_same_bytes() {
    let case = Case::new();
    let first = case.build();
    assert_eq!(
        (first.document.document.stamp.generation, first.document.changed),
        (1, true)
    );
    let again = case.build_after(Some(&stored(&first)), 0).unwrap();
    assert!(!again.document.changed);
    assert_eq!(again.document.encoded.hash(), first.document.encoded.hash());
    assert_eq!(again.rendered_secret, first.rendered_secret);
}

#[test]
fn a_generation_counts_contents_and_knows_where_its_spec_began() {
    let mut case = Case::new();
    let first = case.build();
    case.world = case.world.secret(
        "openai-keys",
        &[("team-a", "sk-new"), ("team-b", "sk-b"), ("batch", "sk-c")],
    );
    let rotated = case.build_after(Some(&stored(&first)), 0).unwrap();
    assert_eq!(
        (
            rotated.document.document.stamp.generation,
            rotated.document.spec_since
        ),
        (2, 1)
    );
    case.group.metadata.generation = Some(3);
    let edited = case.build_after(Some(&stored(&rotated)), 0).unwrap();
    assert_eq!(
        (
            edited.document.document.stamp.generation,
            edited.document.spec_since
        ),
        (3, 3)
    );
    assert_eq!(stored(&edited).spec_since, 3, "and the Secret remembers");
}

#[test]
fn a_restored_backup_is_raised_above_what_pods_run() {
    let case = Case::new();
    let first = case.build();
    for (reported, want) in [(0, 1), (1, 2), (7, 8)] {
        let next = case.build_after(Some(&stored(&first)), reported).unwrap();
        assert_eq!(next.document.document.stamp.generation, want, "{reported}");
    }
}

#[test]
fn another_lineage_begins_anew() {
    let mut case = Case::new();
    let first = case.build();
    case.material.lineage = "another".into();
    let next = case.build_after(Some(&stored(&first)), 0).unwrap();
    assert_eq!(
        (next.document.document.stamp.generation, next.document.changed),
        (1, true)
    );
}

#[test]
fn what_does_not_resolve_is_left_out_and_the_rest_is_served() {
    let mut case = Case::new();
    case.providers[0].spec.credentials[1]
        .secret_key_ref
        .as_mut()
        .unwrap()
        .name = "nowhere".into();
    case.providers.pop();
    let content = case.build().document.document.content;
    assert_eq!(content.providers.keys().collect::<Vec<_>>(), ["uid-openai"]);
    let names: Vec<_> = content.providers["uid-openai"]
        .credentials
        .iter()
        .map(|c| c.name.as_str())
        .collect();
    assert_eq!(names, ["team-a", "batch"]);
    assert_eq!(content.groups[0].members.len(), 1);
}

#[test]
fn a_secret_that_is_away_for_a_moment_costs_nothing() {
    let mut case = Case::new();
    let first = case.build();
    case.world = case
        .world
        .without(Reference::secret(NAMESPACE, "openai-keys"), -5);
    let away = case.build_after(Some(&stored(&first)), 0).unwrap();
    assert!(!away.document.changed);

    case.world = case.world.at(25);
    let gone = case.build_after(Some(&stored(&first)), 0).unwrap();
    assert!(gone.document.changed, "deletion is revocation");
    assert!(
        gone.document.document.content.providers["uid-openai"]
            .credentials
            .is_empty()
    );
    assert_eq!(gone.document.document.content.groups[0].members.len(), 2);
}

#[test]
fn a_value_is_never_taken_over_to_another_address() {
    let mut case = Case::new();
    let first = case.build();
    case.world = case
        .world
        .without(Reference::secret(NAMESPACE, "openai-keys"), -5);
    case.providers[0].spec.endpoint = Some(serde_yaml::from_str("{url: 'https://evil.example/v1'}").unwrap());
    let moved = case.build_after(Some(&stored(&first)), 0).unwrap();
    assert!(
        moved.document.document.content.providers["uid-openai"]
            .credentials
            .is_empty()
    );
}

#[test]
fn a_provider_without_its_authorities_is_not_served_by_the_public_ones() {
    let mut case = Case::new();
    let spec = "{type: OpenAICompatible, endpoint: {url: 'https://vllm/v1', caBundleRef: {name: ca}}}";
    case.providers[1] = provider("vllm", spec);
    case.world = case.world.config_map("ca", "ca.crt", &certificate());
    let first = case.build();
    assert!(
        first.document.document.content.providers["uid-vllm"]
            .ca_bundle
            .is_some()
    );
    case.world = case.world.without(Reference::config_map(NAMESPACE, "ca"), -5);
    let away = case.build_after(Some(&stored(&first)), 0).unwrap();
    assert!(!away.document.changed, "for a moment the last ones stand");
    assert!(
        !case
            .build()
            .document
            .document
            .content
            .providers
            .contains_key("uid-vllm"),
        "if there were any"
    );
    case.world = case.world.at(25);
    let gone = case.build_after(Some(&stored(&first)), 0).unwrap();
    assert!(!gone.document.document.content.providers.contains_key("uid-vllm"));
    assert_eq!(gone.document.document.content.groups[0].members.len(), 1);
}

#[test]
fn client_keys_are_stored_as_hashes_and_an_absent_one_as_before() {
    let mut case = Case::new();
    case.group.spec.client_access =
        serde_yaml::from_str("{keys: [{name: app, secretKeyRef: {name: clients, key: app}}]}").unwrap();
    case.world = case.world.secret("clients", &[("app", "ck-app")]);
    let first = case.build();
    let text = String::from_utf8(first.document.encoded.bytes().to_vec()).unwrap();
    assert!(!text.contains("ck-app") && !text.contains("kp-client"));
    let names = |prepared: &Prepared| -> Vec<String> {
        let keys = &prepared.document.document.content.groups[0].client_access.keys;
        keys.iter().map(|key| key.name.clone()).collect()
    };
    assert_eq!(names(&first), ["generated", "app"]);
    case.world = case.world.without(Reference::secret(NAMESPACE, "clients"), -5);
    let away = case.build_after(Some(&stored(&first)), 0).unwrap();
    assert!(!away.document.changed);
    case.world = case.world.at(25);
    assert_eq!(
        names(&case.build_after(Some(&stored(&first)), 0).unwrap()),
        ["generated"]
    );

    case.material.client_key = None;
    let none = case.build();
    assert!(none.client_secret.is_none());
    assert!(names(&none).is_empty());
}

#[test]
fn a_configuration_that_no_secret_can_carry_is_refused() {
    let mut case = Case::new();
    let key = "k".repeat(8000);
    let data: Vec<(String, String)> = (0..120).map(|n| (format!("k{n}"), format!("{key}{n}"))).collect();
    let data: Vec<(&str, &str)> = data
        .iter()
        .map(|(key, value)| (key.as_str(), value.as_str()))
        .collect();
    case.world = case.world.secret("big", &data);
    let entries = (0..120).map(|n| format!("- {{name: c{n}, secretKeyRef: {{name: big, key: k{n}}}}}\n"));
    let spec = format!("type: OpenAI\ncredentials:\n{}", entries.collect::<String>());
    case.providers[0] = provider("openai", &spec);
    let refused = case.build_after(None, 0).unwrap_err();
    assert_eq!(refused.reason, Reason::ConfigTooLarge);
    assert_eq!(case.world.now, at(0));
}

use super::*;

const GROUP: &str = "apiVersion: keypool.dev/v1alpha1\nkind: LoadBalanceGroup\nmetadata: {name: chat}\n\
                     spec: {members: [{name: a, providerRef: {name: p}, model: m}]}\n";
const PROVIDER: &str = "apiVersion: keypool.dev/v1alpha1\nkind: ModelProvider\nmetadata: {name: p}\n\
                        spec: {type: OpenAI, credentials: [{name: a, secretKeyRef: {name: open-ai, key: team.a}}], \
                        endpoint: {caBundleRef: {name: ca, key: ca.crt}}}\n";

fn directory(files: &[(&str, &str)]) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    for (name, text) in files {
        fs::write(directory.path().join(name), text).unwrap();
    }
    directory
}

fn read_with(files: &[(&str, &str)], environment: &[(&str, &str)]) -> Result<Manifests, Vec<String>> {
    let directory = directory(files);
    let environment = environment
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    let beginning = format!("{}/", directory.path().display());
    read(&[directory.path().into()], "team", &environment).map_err(|problems| {
        problems
            .0
            .iter()
            .map(|problem| problem.to_string().replace(&beginning, ""))
            .collect()
    })
}

fn problems(files: &[(&str, &str)]) -> Vec<String> {
    read_with(files, &[]).err().unwrap()
}

#[test]
fn objects_get_what_an_api_server_would_give_them() {
    let more = "---\napiVersion: v1\nkind: Namespace\nmetadata: {name: x}\n---\n# nothing\n";
    let text = format!("{GROUP}status: {{anything: at all}}\n{more}");
    let manifests = read_with(&[("a.yaml", &text), ("README.md", "kind: LoadBalanceGroup")], &[])
        .ok()
        .unwrap();
    assert_eq!(manifests.groups.len(), 1);
    let group = &manifests.groups[0];
    assert_eq!(group.metadata.namespace.as_deref(), Some("team"));
    assert_eq!(group.metadata.uid.as_deref(), Some("local.team.chat"));
    assert!(group.status.is_none(), "status is the operator's");
}

#[test]
fn lists_and_json_are_read() {
    let json = r#"{"apiVersion": "v1", "kind": "List", "items": [
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "namespace": "n"}, "data": {"k": "c2stMQ=="}},
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"k": "v"}}]}"#;
    let manifests = read_with(&[("a.yaml", GROUP), ("b.json", json)], &[])
        .ok()
        .unwrap();
    assert_eq!(manifests.secrets[0].metadata.namespace.as_deref(), Some("n"));
    assert_eq!(manifests.config_maps.len(), 1);
}

/// What is wrong with one document beside a good group.
#[test]
fn every_mistake_is_told_with_its_place_and_a_remedy() {
    let custom = |rest: &str| format!("apiVersion: keypool.dev/v1alpha1\n{rest}");
    for (document, wanted) in [
        ("a: [b".to_owned(), "b.yaml: document 1 is not YAML at line"),
        ("a: 1\na: 2".to_owned(), "b.yaml: document 1 is not YAML"),
        (
            "just text".to_owned(),
            "b.yaml: document 1, a document: has no kind; begin it with",
        ),
        ("[1, 2]".to_owned(), "a document: has no kind"),
        ("1: 2".to_owned(), "has no kind"),
        (
            "? [a]\n: b".to_owned(),
            "a document: has a key that is no text; put it in quotes",
        ),
        (
            "kind: ModelProvider\nmetadata: {name: x}".to_owned(),
            "ModelProvider x: apiVersion is missing; write apiVersion: keypool.dev/v1alpha1",
        ),
        (
            "apiVersion: keypool.dev/v1\nkind: LoadBalanceGroup\nmetadata: {name: x}".to_owned(),
            "LoadBalanceGroup x: apiVersion is keypool.dev/v1; write keypool.dev/v1alpha1",
        ),
        (
            custom("kind: Provider\nmetadata: {name: x}"),
            "Provider x: is not a kind of keypool.dev; write ModelProvider or",
        ),
        (
            custom("kind: ModelProvider\nspec: {type: OpenAI}"),
            "ModelProvider: metadata.name is missing; add it",
        ),
        (
            custom("kind: ModelProvider\nmetadata: {name: 7}\nspec: {type: OpenAI}"),
            "metadata.name is a number; put it in quotes",
        ),
        (
            custom(
                "kind: ModelProvider\nmetadata: {name: x, annotations: {keypool.dev/paused: true}}\nspec: {type: OpenAI}",
            ),
            "metadata.annotations[keypool.dev/paused] is true or false without quotes; put it in quotes",
        ),
        (
            custom("kind: ModelProvider\nmetadata: {name: x}"),
            "ModelProvider x: spec is missing; add it",
        ),
        (
            custom("kind: ModelProvider\nmetadata: {name: x}\ntype: OpenAI"),
            "type is not a field; did you mean to write it under spec?",
        ),
        (
            custom("kind: ModelProvider\nmetadata: {name: x}\nspec: {}"),
            "spec.type is missing; add it",
        ),
        (
            custom("kind: ModelProvider\nmetadata: {name: x}\nspec: [a]"),
            "spec is a list; write a mapping",
        ),
        (
            custom("kind: ModelProvider\nmetadata: {name: x}\nspec: {type: OpenAi}"),
            "spec.type is none of the words that it may be; write OpenAI or OpenAICompatible",
        ),
        (
            custom(
                "kind: ModelProvider\nmetadata: {name: x}\nspec: {type: OpenAI, credentials: [{name: a, weight: '3'}]}",
            ),
            "spec.credentials[a].weight is text; write a whole number",
        ),
        (
            custom(
                "kind: ModelProvider\nmetadata: {name: x}\nspec: {type: OpenAI, credentials: [{name: Team_A}]}",
            ),
            "spec.credentials[Team_A].name is not of the form that it must have; write what matches ^[a-z0-9]",
        ),
        (
            custom(
                "kind: ModelProvider\nmetadata: {name: x}\nspec: {type: OpenAI, credentials: [{name: a, weight: 1001}]}",
            ),
            "spec.credentials[a].weight is 1001; write 0 to 1000",
        ),
        (
            custom(
                "kind: ModelProvider\nmetadata: {name: x}\nspec: {type: OpenAI, credentials: [{name: a, key: sk-canary}]}",
            ),
            "spec.credentials[a].key is not a field; spec.credentials[a] knows headers,",
        ),
        (
            custom("kind: LoadBalanceGroup\nmetadata: {name: x}\nspec: {members: []}"),
            "spec.members has 0 entries; write 1 to 32",
        ),
        (
            custom("kind: LoadBalanceGroup\nmetadata: {name: x}\nspec: {members: [{name: a}]}"),
            "spec.members[a].model is missing; add it",
        ),
        (
            custom(
                "kind: LoadBalanceGroup\nmetadata: {name: chat, namespace: other}\nspec: {members: [{name: a, providerRef: {name: p}, model: m}]}",
            ),
            "LoadBalanceGroup chat: namespace team has a group of this name, and both would be served at /g/chat",
        ),
        (
            GROUP.to_owned(),
            "b.yaml: document 1, LoadBalanceGroup chat: stands in a.yaml, document 1 as well; remove one",
        ),
        (
            "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: sk-canary".to_owned(),
            "Secret s: stringData is text; write a mapping",
        ),
        (
            "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {k: 12345}".to_owned(),
            "stringData.k is a number; put it in quotes",
        ),
        (
            "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\ndata: {k: sk-canary}".to_owned(),
            "data.k is not base64; encode it, or write it under stringData as it is",
        ),
        (
            "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nsk-canary: x".to_owned(),
            "has a field that is none of apiVersion,",
        ),
        (
            "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\ntype: {a: sk-canary}".to_owned(),
            "is not of the shape of a Secret",
        ),
        (
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: s}\ndata: {k: [a]}".to_owned(),
            "data.k is a list; put it in quotes",
        ),
    ] {
        let found = problems(&[("a.yaml", GROUP), ("b.yaml", &document)]);
        assert!(
            found.iter().any(|problem| problem.contains(wanted)),
            "{document}\nwanted {wanted}\nfound {found:?}"
        );
        assert!(!found.concat().contains("canary"), "{found:?}");
    }
}

#[test]
fn all_files_and_documents_are_judged() {
    let two = "kind: ModelProvider\nmetadata: {name: x}\n---\nkind: ModelProvider\nmetadata: {name: y}\n";
    let found = problems(&[("a.yaml", two), ("b.yaml", "a: [b"), ("c.yaml", GROUP)]);
    assert_eq!(found.len(), 3, "{found:?}");
    assert!(
        found[1].starts_with("a.yaml: document 2, ModelProvider y:"),
        "{found:?}"
    );
}

#[test]
fn nothing_to_serve_says_what_is_missing() {
    assert!(problems(&[])[0].contains("no LoadBalanceGroup"));
    assert!(problems(&[("a.yaml", PROVIDER)])[0].contains("no LoadBalanceGroup"));
    let gone = read(&["/no/such/place".into()], "team", &BTreeMap::new())
        .err()
        .unwrap()
        .to_string();
    assert_eq!(gone, "/no/such/place: is not there");
}

#[test]
fn a_field_without_a_value_counts_as_left_out() {
    let text = GROUP.replace("spec: {", "spec: {aliases: null, retry: {attempts: null}, ");
    assert!(read_with(&[("a.yaml", &text)], &[]).is_ok());
}

#[test]
fn the_environment_adds_what_no_file_holds() {
    let environment = [
        ("KEYPOOL_SECRET_OPEN_AI_TEAM_A", "sk-1"),
        ("KEYPOOL_CONFIGMAP_CA_CA_CRT", "pem"),
    ];
    let manifests = read_with(&[("a.yaml", GROUP), ("b.yaml", PROVIDER)], &environment)
        .ok()
        .unwrap();
    assert_eq!(
        manifests.secrets[0].string_data.as_ref().unwrap()["team.a"],
        "sk-1"
    );
    assert_eq!(manifests.secrets[0].metadata.namespace.as_deref(), Some("team"));
    assert_eq!(manifests.config_maps[0].data.as_ref().unwrap()["ca.crt"], "pem");

    let secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: open-ai}\ndata: {team.a: c2stMg==}\n";
    let files = [("a.yaml", GROUP), ("b.yaml", PROVIDER), ("c.yaml", secret)];
    let manifests = read_with(&files, &environment).ok().unwrap();
    assert_eq!(manifests.secrets.len(), 1);
    assert!(manifests.secrets[0].string_data.is_none(), "the file goes first");
}

#[test]
fn one_variable_is_not_the_value_of_two_things() {
    let other = PROVIDER
        .replace("{name: p}", "{name: q}")
        .replace("{name: open-ai, key: team.a}", "{name: open, key: ai-team-a}");
    let files = [("a.yaml", GROUP), ("b.yaml", PROVIDER), ("c.yaml", &other)];
    let found = read_with(&files, &[("KEYPOOL_SECRET_OPEN_AI_TEAM_A", "sk-canary")])
        .err()
        .unwrap();
    assert_eq!(
        found,
        [
            "the variable KEYPOOL_SECRET_OPEN_AI_TEAM_A would be the value of Secret open-ai, key team.a and of Secret open, key ai-team-a; write both into files"
        ]
    );
    assert!(read_with(&files, &[]).is_ok());
}

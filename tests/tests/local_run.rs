//! Local mode as people use it: `make run ARGS=--once`, and a `keypool run` whose files, keys and reader change while it serves.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "local_run/local.rs"]
mod local;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use keypool_fake_provider::{Answer, ErrorKind, Rule};
use keypool_tests::canary::Scan;
use keypool_tests::tools;
use local::{GROUP, Local};
use rustix::process::Signal;

/// For what takes less than a second on a quiet machine; this one also builds and tests.
const LIMIT: Duration = Duration::from_secs(60);

/// Where cargo put this test, and so what `make run` builds and starts.
fn target() -> PathBuf {
    let own = std::env::current_exe().unwrap();
    own.ancestors().nth(3).unwrap().to_owned()
}

fn in_tree(program: &str) -> Command {
    let mut command = Command::new(program);
    command
        .current_dir(tools::repository())
        .env("CARGO_TARGET_DIR", target());
    command
}

/// The program, built as `make run` builds it.
fn keypool() -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    let build = || {
        let mut cargo = in_tree(env!("CARGO"));
        cargo.args([
            "build",
            "--quiet",
            "--locked",
            "-p",
            "keypool-cli",
            "-p",
            "keypool-fake-provider",
            "--bins",
        ]);
        assert!(cargo.status().unwrap().success(), "keypool is not built");
        target().join("debug/keypool")
    };
    BUILT.get_or_init(build).clone()
}

#[test]
fn make_run_once_shows_a_key_that_cools_down_and_comes_back() {
    keypool();
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str| directory.path().join(name).display().to_string();
    let readme = std::fs::read_to_string(tools::repository().join("README.md")).unwrap();
    assert!(
        readme.contains("`make run ARGS=--once`") && readme.contains("\nmake run "),
        "the README tells another command than this test runs"
    );
    let arguments = format!(
        "ARGS=--once --status {} --access-log {}",
        file("status.yaml"),
        file("access.log")
    );
    let output = in_tree("make")
        .args(["--no-print-directory", "run", &arguments])
        .output()
        .unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{said}\n{errors}");

    assert!(
        said.starts_with("keypool: examples/quickstart: 3 providers, 1 group, 6 keys\n"),
        "{said}"
    );
    let place = |text: &str| {
        said.find(text)
            .unwrap_or_else(|| panic!("no `{text}` in\n{said}"))
    };
    let cooled = place("chat a team-b: CoolingDown (RateLimited), ");
    // Whether the first request after the cooldown was already answered when the table looked is chance.
    let back = ["CooldownOver", "Proven"]
        .iter()
        .find_map(|reason| {
            said.find(&format!(
                "chat a team-b: Healthy ({reason}); was CoolingDown (RateLimited)"
            ))
        })
        .unwrap_or_else(|| panic!("team-b did not come back in\n{said}"));
    let story = place("requests answered, none failed; key team-b of member a cooled down for ");
    assert!(cooled < back && back < story, "{said}");

    let status = std::fs::read_to_string(file("status.yaml")).unwrap();
    assert!(
        status.contains("kind: ModelProvider") && status.contains("endpoint: http://127.0.0.1:"),
        "{status}"
    );
    let requests = std::fs::read_to_string(file("access.log")).unwrap();
    assert!(
        requests.lines().any(|line| line.contains("\"outcome\":\"rate\"")),
        "{requests}"
    );

    let keys = ["a1", "a2", "a3", "a4", "b1", "c1"].map(|name| (name, format!("demo-key-{name}")));
    let mut scan = Scan::new(keys.iter().map(|(name, key)| (*name, key.as_str())));
    scan.look("standard output", &said);
    scan.look("standard error", &errors);
    scan.look("status", &status);
    scan.look("access log", &requests);
    scan.finish().unwrap();
}

#[tokio::test]
async fn the_request_that_is_printed_works_when_pasted() {
    let local = Local::start().await;
    let output = local.output();
    let lines: Vec<&str> = output
        .lines()
        .skip_while(|line| !line.contains("try:"))
        .take(3)
        .collect();
    let command = lines.join("\n").replace("try:", "");
    let answer = Command::new("sh")
        .args(["-c", &command])
        .env("NO_PROXY", "*")
        .output()
        .unwrap();
    let answer: serde_json::Value =
        serde_json::from_slice(&answer.stdout).unwrap_or_else(|_| panic!("{command}"));
    assert_eq!(answer["object"], "chat.completion", "{command}\n{answer}");
    local.finish();
}

#[tokio::test]
async fn a_reload_takes_effect_and_loses_no_state() {
    let local = Local::start().await;
    local.fake.add_rule(
        Rule::new(Answer::error(ErrorKind::RateLimitExceeded).header("retry-after", "60"))
            .key("one")
            .path("*/chat/completions")
            .times(1),
    );
    for _ in 0..4 {
        assert_eq!(local.ask("first").await, 200);
    }
    local.said("chat a one: CoolingDown (RateLimited)").await;
    let (limited, others) = (local.asked_with("one"), local.asked_with("two"));

    assert_eq!(local.ask("second").await, 404);
    replace(&local.manifest("group.yaml"), &GROUP.replace("ALIAS", "second"));
    local.answers("second").await;
    assert_eq!(local.ask("first").await, 404);
    for _ in 0..10 {
        assert_eq!(local.ask("second").await, 200);
    }
    assert_eq!(
        local.asked_with("one"),
        limited,
        "a key that rests is not asked after a reload"
    );
    assert!(local.asked_with("two") >= others + 10);
    let status = local.status();
    assert!(status.contains("state: CoolingDown"), "{status}");
    assert!(
        !local
            .output()
            .contains("one: Unknown (NotUsedYet); was CoolingDown"),
        "{}",
        local.output()
    );
    local.finish();
}

#[tokio::test]
async fn bad_files_are_told_and_the_last_good_ones_serve() {
    let local = Local::start().await;
    let bad = GROUP
        .replace("ALIAS", "second")
        .replace("model: m}", "modell: m}");
    replace(&local.manifest("group.yaml"), &bad);
    std::fs::write(local.manifest("more.yaml"), "a: [b").unwrap();
    let told = local
        .said("group.yaml: document 1, LoadBalanceGroup chat: spec.members[a].modell is not a field")
        .await;
    assert!(
        told.contains("spec.members[a] knows aliases, model, name"),
        "{told}"
    );
    local.said("more.yaml: document 1 is not YAML at line").await;
    local
        .said("nothing of this is taken over; what was read at")
        .await;
    assert_eq!(local.ask("first").await, 200);

    // What is good YAML and cannot be served is told by the condition, and the last good manifest serves too.
    std::fs::remove_file(local.manifest("more.yaml")).unwrap();
    replace(
        &local.manifest("group.yaml"),
        &GROUP
            .replace("ALIAS", "second")
            .replace("model: m}", "model: m, weight: -1}"),
    );
    local.said("spec.members[a].weight is -1; write 0 to 1000").await;
    let attempts = "\n  retry: {deadline: soon}\n";
    replace(
        &local.manifest("group.yaml"),
        &format!("{}{attempts}", GROUP.replace("ALIAS", "second").trim_end()),
    );
    local.said("LoadBalanceGroup chat: retry.deadline: ").await;
    assert_eq!(local.ask("first").await, 200);

    replace(&local.manifest("group.yaml"), &GROUP.replace("ALIAS", "third"));
    local.answers("third").await;
    local.finish();
}

#[tokio::test]
async fn the_status_is_shown_when_it_is_asked_for() {
    let local = Local::start().await;
    assert!(!local.output().contains("kind: ModelProvider"));
    local.process.signal(Signal::USR1).unwrap();
    local.said("kind: LoadBalanceGroup").await;
    let documents: Vec<serde_yaml::Value> = serde_yaml::Deserializer::from_str(&local.status())
        .map(|document| serde::Deserialize::deserialize(document).unwrap())
        .collect();
    let ready = |object: &serde_yaml::Value| {
        let conditions = object["status"]["conditions"].as_sequence().unwrap().clone();
        conditions
            .iter()
            .any(|condition| condition["type"] == "Ready" && condition["status"] == "True")
    };
    assert_eq!(documents.len(), 2);
    assert!(documents.iter().all(ready), "{}", local.status());
    local.finish();
}

/// As editors do: a new file takes the place of the old one.
fn replace(path: &Path, text: &str) {
    let beside = path.with_extension("new");
    std::fs::write(&beside, text).unwrap();
    std::fs::rename(beside, path).unwrap();
}

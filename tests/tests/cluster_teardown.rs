//! A killed run leaves nothing: no component, no shim, no pod, and the next
//! run removes its control groups.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use keypool_tests::ring::{self, Level, World};
use keypool_tests::{say, wait};

const POD: &str = "
kubectl create serviceaccount default 2>/dev/null
kubectl run left --image=keypool.test/shell:dev --image-pull-policy=IfNotPresent --restart=Never -- 'exec sleep 1000' &&
kubectl wait pod/left --for=condition=Ready --timeout=60s >/dev/null && echo up && exec sleep 1000
";

#[tokio::test]
async fn a_killed_run_leaves_nothing() {
    let needed = ring::check(Level::Cluster);
    if let Err(lacking) = &needed {
        say::line(format_args!("a_killed_run_leaves_nothing is skipped: {lacking}"));
        assert!(
            std::env::var_os("CI").is_none_or(|ci| ci != "true"),
            "in CI no ring may be skipped"
        );
        return;
    }
    if !World::own() {
        return;
    }
    let mut run = Command::new(env!("CARGO_BIN_EXE_keypool-testnode"))
        .args(["shell", "--", "sh", "-c", POD])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let identity = run.id().to_string();
    let lines = BufReader::new(run.stdout.take().unwrap()).lines();
    let up = lines.map_while(Result::ok).any(|line| line == "up");
    assert!(up, "the pod did not run");
    assert!(inside(&identity).len() > 8, "components: {:?}", inside(&identity));
    assert!(
        groups(&identity).iter().any(|group| populated(group)),
        "no pod in {:?}",
        groups(&identity)
    );

    run.kill().unwrap();
    run.wait().unwrap();
    let nothing = || async {
        let left = inside(&identity);
        let pods: Vec<_> = groups(&identity)
            .into_iter()
            .filter(|group| populated(group))
            .collect();
        if left.is_empty() && pods.is_empty() {
            Ok(())
        } else {
            Err((left, pods))
        }
    };
    wait::until("everything to be gone", Duration::from_secs(20), nothing)
        .await
        .unwrap();

    // Without a command it ends at once, after it has cleaned up.
    let next = Command::new(env!("CARGO_BIN_EXE_keypool-testnode"))
        .output()
        .unwrap();
    assert!(
        String::from_utf8_lossy(&next.stderr).contains("no command given"),
        "{next:?}"
    );
    assert_eq!(groups(&identity), Vec::<PathBuf>::new());
}

/// Programs started inside the namespaces of the run; they inherit its mark.
fn inside(identity: &str) -> Vec<String> {
    let mark = format!("KEYPOOL_TEST_INSIDE={identity}");
    let marked = |directory: &Path| {
        let environment = std::fs::read(directory.join("environ")).unwrap_or_default();
        environment
            .split(|byte| *byte == 0)
            .any(|variable| variable == mark.as_bytes())
    };
    let entries = std::fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path());
    entries
        .filter(|path| marked(path))
        .map(|path| {
            std::fs::read_to_string(path.join("comm"))
                .unwrap_or_default()
                .trim()
                .to_owned()
        })
        .collect()
}

fn groups(identity: &str) -> Vec<PathBuf> {
    let mount = Path::new("/sys/fs/cgroup");
    let name = format!("keypool-{identity}");
    let hierarchies = std::fs::read_dir(mount)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path().join(&name));
    hierarchies
        .chain([mount.join(&name)])
        .filter(|path| path.exists())
        .collect()
}

fn populated(group: &Path) -> bool {
    let here = std::fs::read_to_string(group.join("cgroup.procs")).is_ok_and(|list| !list.is_empty());
    let entries = std::fs::read_dir(group)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path());
    here || entries.filter(|path| path.is_dir()).any(|path| populated(&path))
}

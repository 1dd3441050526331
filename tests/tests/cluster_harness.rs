//! The node of the harness is a real one: pods run, Services and cluster names
//! answer on the node and in pods, exec and logs work, restricted pods are
//! accepted, and the SDKs are there.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use k8s_openapi::api::core::v1::Pod;
use kube::api::ListParams;
use rustix::process::Signal;

use keypool_tests::images::{Image, SHELL};
use keypool_tests::kubectl::Kubectl;
use keypool_tests::node::{Block, Manner, pod_process};
use keypool_tests::ring::Test;
use keypool_tests::{python, wait};

keypool_tests::ring!(
    Cluster: deployment_serves, traffic_is_blocked, components_run, restricted_pod_runs, sdk_is_there,
    sdk_runs_in_a_pod, helm_runs
);

const LIMIT: Duration = Duration::from_secs(60);

const SERVER: &str = r#"
apiVersion: apps/v1
kind: Deployment
metadata: {name: server}
spec:
  replicas: 2
  selector: {matchLabels: {app: server}}
  template:
    metadata: {labels: {app: server}}
    spec:
      terminationGracePeriodSeconds: 0
      containers:
        - name: server
          image: IMAGE
          imagePullPolicy: IfNotPresent
          args: ["mkdir /www; hostname > /www/index.html; echo serving; exec httpd -f -p 8080 -h /www"]
          readinessProbe: {httpGet: {path: /, port: 8080}, periodSeconds: 1}
---
apiVersion: v1
kind: Service
metadata: {name: server}
spec:
  selector: {app: server}
  ports: [{port: 80, targetPort: 8080}]
"#;

async fn deployment_serves(test: Test) -> anyhow::Result<()> {
    test.node()?.images().add(&Image::shell()).await?;
    let kubectl = test.kubectl()?;
    kubectl.apply(&SERVER.replace("IMAGE", SHELL)).await?;
    kubectl
        .run(&["rollout", "status", "deployment/server", "--timeout=60s"])
        .await?;
    let pods = test
        .api::<Pod>()
        .list(&ListParams::default().labels("app=server"))
        .await?;
    let names: Vec<&str> = pods
        .items
        .iter()
        .filter_map(|pod| pod.metadata.name.as_deref())
        .collect();
    ensure!(names.len() == 2, "pods {names:?}");

    // From the node: by the Service's address and by its name.
    let address = kubectl
        .run(&["get", "service", "server", "--output=jsonpath={.spec.clusterIP}"])
        .await?;
    let host = format!("server.{}.svc.cluster.local", test.namespace());
    for target in [address.as_str(), host.as_str()] {
        let told = wait::until_value(
            "a pod behind the Service",
            LIMIT,
            || wget(target),
            |told| names.contains(&told.trim()),
        );
        told.await.with_context(|| format!("asking {target}"))?;
    }

    // From a pod: glibc's resolver, the name as pods write it, and the API.
    let pod = names[0];
    let inside = |script| exec(kubectl.clone(), pod.to_owned(), script);
    let resolved = inside("getent hosts server").await?;
    ensure!(resolved.contains(&address), "resolved to {resolved}");
    let told = inside("wget -q -O - http://server/").await?;
    ensure!(names.contains(&told.trim()), "a pod was told {told}");
    inside("getent hosts kubernetes.default.svc.cluster.local").await?;

    let log = kubectl.run(&["logs", pod]).await?;
    ensure!(log.trim() == "serving", "logged {log}");
    Ok(())
}

async fn traffic_is_blocked(test: Test) -> anyhow::Result<()> {
    let node = test.node()?;
    node.images().add(&Image::shell()).await?;
    let kubectl = test.kubectl()?;
    kubectl.apply(&SERVER.replace("IMAGE", SHELL)).await?;
    kubectl
        .run(&["rollout", "status", "deployment/server", "--timeout=60s"])
        .await?;
    let pods = test.api::<Pod>().list(&ListParams::default()).await?.items;
    let place = |pod: &Pod| {
        pod.status
            .as_ref()
            .and_then(|status| status.pod_ip.clone())
            .context("no address")
    };
    let (from, to) = (&pods[0], place(&pods[1])?);
    let script = format!("wget -q -O - http://{to}:8080/");
    let ask = || {
        exec(
            kubectl.clone(),
            from.metadata.name.clone().unwrap_or_default(),
            &script,
        )
    };
    ask().await?;
    let block = Block::new(Some(place(from)?.parse()?), to.parse()?, 8080, Manner::Reject)?;
    let refused = ask().await.map_err(|error| error.to_string());
    ensure!(
        refused.as_ref().is_err_and(|text| text.contains("refused")),
        "{refused:?}"
    );
    drop(block);
    ask().await?;

    let uid = pods[1].metadata.uid.as_deref().context("no UID")?;
    let processes = pod_process::of(uid);
    let server = processes
        .iter()
        .find(|process| process.command == "httpd")
        .context("no server")?;
    server.signal(Signal::STOP)?;
    ensure!(
        pod_process::of(uid).contains(server),
        "no longer the same process"
    );
    server.signal(Signal::CONT)?;
    Ok(())
}

async fn exec(kubectl: Kubectl, pod: String, script: &str) -> anyhow::Result<String> {
    Ok(kubectl
        .run(&["exec", &pod, "--", "/bin/sh", "-c", script])
        .await?)
}

async fn wget(host: &str) -> Result<String, String> {
    let mut command = tokio::process::Command::new("busybox");
    command
        .args(["wget", "-q", "-O", "-", &format!("http://{host}/")])
        .kill_on_drop(true);
    // Its own option for a limit makes some versions crash.
    let output = tokio::time::timeout(Duration::from_secs(2), command.output()).await;
    let output = output
        .map_err(|_| "no answer in 2 s")?
        .map_err(|error| error.to_string())?;
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        false => Err(format!(
            "{}: {}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        )),
    }
}

async fn components_run(test: Test) -> anyhow::Result<()> {
    let node = test.node()?;
    for name in ["containerd", "kubelet", "kube-scheduler", "kube-proxy", "coredns"] {
        node.component(name)
            .with_context(|| format!("no {name}"))?
            .check_running()?;
    }
    Ok(())
}

async fn restricted_pod_runs(test: Test) -> anyhow::Result<()> {
    test.node()?.images().add(&Image::shell()).await?;
    let name = format!("{}-r", test.namespace());
    test.create_namespace(&name, &[("pod-security.kubernetes.io/enforce", "restricted")])
        .await?;
    let kubectl = Kubectl::new(test.kubeconfig(), &name)?;
    let manifest = r#"
apiVersion: v1
kind: Pod
metadata: {name: restricted}
spec:
  restartPolicy: Never
  automountServiceAccountToken: false
  securityContext:
    runAsNonRoot: true
    runAsUser: 65532
    seccompProfile: {type: RuntimeDefault}
  containers:
    - name: shell
      image: IMAGE
      imagePullPolicy: IfNotPresent
      args: ["id -u; touch /denied 2>/dev/null || echo read-only"]
      securityContext:
        allowPrivilegeEscalation: false
        readOnlyRootFilesystem: true
        capabilities: {drop: [ALL]}
      resources:
        requests: {cpu: 10m, memory: 16Mi}
        limits: {cpu: "1", memory: 64Mi}
"#;
    kubectl.apply(&manifest.replace("IMAGE", SHELL)).await?;
    kubectl
        .run(&[
            "wait",
            "pod/restricted",
            "--for=jsonpath={.status.phase}=Succeeded",
            "--timeout=60s",
        ])
        .await?;
    let log = kubectl.run(&["logs", "restricted"]).await?;
    ensure!(log == "65532\nread-only\n", "logged {log:?}");
    kubectl
        .run(&["delete", "namespace", &name, "--wait=false"])
        .await?;
    Ok(())
}

async fn sdk_is_there(test: Test) -> anyhow::Result<()> {
    let script = test.world().run_dir().path().join("sdk.py");
    std::fs::write(
        &script,
        "import openai, sys\nprint(openai.__version__, sys.argv[1])\n",
    )?;
    let told = python::run(&script, &["argument"], &[]).await?;
    ensure!(told.ends_with(" argument\n"), "told {told}");
    Ok(())
}

async fn sdk_runs_in_a_pod(test: Test) -> anyhow::Result<()> {
    test.node()?.images().add(&Image::shell()).await?;
    let program = "import openai, os, socket\n\
                   socket.getaddrinfo('kubernetes.default', 443)\n\
                   print(openai.__name__, os.environ['GIVEN'])";
    let kubectl = test.kubectl()?;
    kubectl
        .apply(&python::pod("sdk", program, &[("GIVEN", "given")])?)
        .await?;
    let ended = |phase: &str| ["Succeeded", "Failed"].contains(&phase);
    let phase = || kubectl.run(&["get", "pod", "sdk", "--output=jsonpath={.status.phase}"]);
    wait::until_value("the program to end", LIMIT, phase, |phase| ended(phase)).await?;
    let log = kubectl.run(&["logs", "sdk"]).await?;
    ensure!(log == "openai given\n", "logged {log}");
    Ok(())
}

async fn helm_runs(test: Test) -> anyhow::Result<()> {
    let list = test.helm()?.run(&["list", "--output=json"]).await?;
    ensure!(list.trim() == "[]", "listed {list}");
    Ok(())
}

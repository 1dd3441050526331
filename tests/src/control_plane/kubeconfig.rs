//! The file that says how to reach a cluster, and clients made from it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use kube::config::{KubeConfigOptions, Kubeconfig};
use serde_json::{Value, json};

use crate::pki::Pair;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot write {}: {source}", path.display())]
    Write { path: PathBuf, source: std::io::Error },
    #[error("cannot use {}: {source}", path.display())]
    Read {
        path: PathBuf,
        source: Box<kube::config::KubeconfigError>,
    },
    #[error("cannot make a client from {}: {source}", path.display())]
    Client { path: PathBuf, source: Box<kube::Error> },
}

/// Writes a kubeconfig that names its certificates by path.
pub fn write(path: &Path, server: SocketAddr, ca: &Path, user: &Pair) -> Result<(), Error> {
    let user = json!({"client-certificate": user.certificate, "client-key": user.key});
    write_user(path, server, ca, &user)
}

/// Writes a kubeconfig of somebody who has a token.
pub fn write_token(path: &Path, server: SocketAddr, ca: &Path, token: &str) -> Result<(), Error> {
    write_user(path, server, ca, &json!({"token": token}))
}

fn write_user(path: &Path, server: SocketAddr, ca: &Path, user: &Value) -> Result<(), Error> {
    // JSON is YAML.
    let content = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "test",
        "clusters": [{"name": "test", "cluster": {
            "server": format!("https://{server}"), "certificate-authority": ca,
        }}],
        "users": [{"name": "test", "user": user}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
    });
    std::fs::write(path, content.to_string()).map_err(|source| Error::Write {
        path: path.to_owned(),
        source,
    })
}

/// A client of its own: its connections belong to the runtime that uses it,
/// and every test has its own runtime.
pub async fn client(path: &Path) -> Result<kube::Client, Error> {
    // Both providers may be linked by the test; one has to be chosen.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let failed = |source| Error::Read {
        path: path.to_owned(),
        source: Box::new(source),
    };
    let kubeconfig = Kubeconfig::read_from(path).map_err(failed)?;
    let config = kube::Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default())
        .await
        .map_err(failed)?;
    kube::Client::try_from(config).map_err(|source| Error::Client {
        path: path.to_owned(),
        source: Box::new(source),
    })
}

/// Whether the API server says it is ready; else what it says.
pub(crate) async fn ready(client: &kube::Client) -> Result<(), String> {
    let request = http::Request::get("/readyz?verbose")
        .body(Vec::new())
        .map_err(|error| error.to_string())?;
    match client.request_text(request).await {
        Ok(text) if text.ends_with("check passed\n") => Ok(()),
        Ok(text) => Err(text),
        Err(error) => Err(error.to_string()),
    }
}

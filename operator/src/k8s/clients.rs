//! Two clients from one configuration.

use std::time::Duration;

use kube::{Client, Config};

/// The clients of the operator.
#[derive(Clone)]
pub struct Clients {
    /// For watches: no read timeout, because the watcher notices silence itself.
    pub watch: Client,
    /// For everything else: a request that hangs ends, and retries are the caller's.
    pub request: Client,
}

/// Why no client could be made.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Neither a service account nor a kubeconfig.
    #[error("no access to a Kubernetes API server: run in a pod with a service account, or set KUBECONFIG")]
    Infer(#[source] kube::config::InferConfigError),
    /// The configuration cannot be used.
    #[error("the Kubernetes client cannot be built from its configuration")]
    Build(#[source] kube::Error),
}

const REQUEST_TIMEOUT: Duration = Duration::from_secs(15);

impl Clients {
    /// From the pod's service account, or from the user's kubeconfig.
    ///
    /// # Errors
    /// [`ClientError`] when there is neither, or when it cannot be used.
    pub async fn infer() -> Result<Self, ClientError> {
        Self::from_config(Config::infer().await.map_err(ClientError::Infer)?)
    }

    /// From a given configuration.
    ///
    /// # Errors
    /// [`ClientError::Build`] when it cannot be used.
    pub fn from_config(mut config: Config) -> Result<Self, ClientError> {
        config.connect_timeout = Some(Duration::from_secs(5));
        let watch = Client::try_from(config.clone()).map_err(ClientError::Build)?;
        config.read_timeout = Some(REQUEST_TIMEOUT);
        // Otherwise the time that a pooled connection was idle counts against the next answer.
        config.reset_reader_on_write = true;
        config.default_retry = false;
        let request = Client::try_from(config).map_err(ClientError::Build)?;
        Ok(Self { watch, request })
    }
}

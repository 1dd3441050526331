//! The operator's own Deployment and pods.

use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::Pod;
use keypool_tests::kubectl::Kubectl;
use keypool_tests::product::{LIMIT, OPERATOR, OPERATOR_NAMESPACE};
use keypool_tests::ring::Test;
use keypool_tests::wait;
use kube::Api;
use kube::api::ListParams;

/// The operator as the administrator handles it.
pub(crate) struct Operators {
    kubectl: Kubectl,
    pods: Api<Pod>,
}

impl Operators {
    pub(crate) fn new(test: &Test) -> anyhow::Result<Self> {
        Ok(Self {
            kubectl: test.kubectl_in(OPERATOR_NAMESPACE)?,
            pods: Api::namespaced(test.client(), OPERATOR_NAMESPACE),
        })
    }

    fn deployment() -> String {
        format!("deployment/{OPERATOR}")
    }

    /// How many pods it should have.
    pub(crate) async fn replicas(&self) -> anyhow::Result<u32> {
        let command = ["get", &Self::deployment(), "--output=jsonpath={.spec.replicas}"];
        Ok(self.kubectl.run(&command).await?.trim().parse()?)
    }

    pub(crate) async fn scale(&self, replicas: u32) -> anyhow::Result<()> {
        let to = format!("--replicas={replicas}");
        self.kubectl.run(&["scale", &Self::deployment(), &to]).await?;
        Ok(())
    }

    /// Replaces all pods and waits until none of the old ones is left.
    pub(crate) async fn roll(&self) -> anyhow::Result<()> {
        let old = self.list().await?;
        self.kubectl
            .run(&["rollout", "restart", &Self::deployment()])
            .await?;
        self.kubectl
            .run(&["rollout", "status", &Self::deployment(), "--timeout=120s"])
            .await?;
        wait::until("the old operator pods to be gone", LIMIT, || async {
            let now = self.list().await.map_err(|error| error.to_string())?;
            let left: Vec<_> = names(&now)
                .filter(|name| names(&old).any(|old| old == *name))
                .collect();
            if left.is_empty() {
                Ok(())
            } else {
                Err(format!("{left:?}"))
            }
        })
        .await?;
        Ok(())
    }

    /// Waits until no pod is left, terminating ones included.
    pub(crate) async fn gone(&self) -> anyhow::Result<()> {
        wait::until("the operator to be gone", LIMIT, || async {
            let pods = self.list().await.map_err(|error| error.to_string())?;
            if pods.is_empty() {
                Ok(())
            } else {
                Err(names(&pods).collect::<Vec<_>>().join(", "))
            }
        })
        .await?;
        Ok(())
    }

    /// When the first pod was seen to be Ready.
    pub(crate) async fn ready(&self, limit: Duration) -> anyhow::Result<Instant> {
        let ready = |pod: &Pod| {
            let conditions = pod
                .status
                .iter()
                .flat_map(|status| status.conditions.iter().flatten());
            conditions
                .into_iter()
                .any(|condition| condition.type_ == "Ready" && condition.status == "True")
        };
        wait::until("an operator pod to be Ready", limit, || async {
            let pods = self.list().await.map_err(|error| error.to_string())?;
            if pods.iter().any(ready) {
                Ok(())
            } else {
                Err(names(&pods).collect::<Vec<_>>().join(", "))
            }
        })
        .await?;
        Ok(Instant::now())
    }

    async fn list(&self) -> kube::Result<Vec<Pod>> {
        Ok(self.pods.list(&ListParams::default()).await?.items)
    }
}

fn names(pods: &[Pod]) -> impl Iterator<Item = String> {
    pods.iter().filter_map(|pod| pod.metadata.name.clone())
}

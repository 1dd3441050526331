//! The identity Secret: made once, never rotated by itself.

use std::collections::BTreeMap;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::PostParams;
use kube::{Api, Client};
use zeroize::Zeroizing;

use crate::controller::load_balance_group::build::MANAGED_BY;
use crate::identity::{IDENTITY_KEY, IDENTITY_SECRET, Identity, WeakIdentity};
use crate::material::{MaterialError, fresh_identity};

/// Why there is no identity.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// The Secret could not be read or created.
    #[error("Secret {IDENTITY_SECRET} in namespace {namespace} could not be {operation}")]
    Request {
        /// The operator's namespace.
        namespace: String,
        /// `read` or `created`.
        operation: &'static str,
        /// What the API server or the connection said.
        #[source]
        source: kube::Error,
    },
    /// No random bytes.
    #[error(transparent)]
    Random(#[from] MaterialError),
    /// The Secret is not one of ours any more.
    #[error(
        "Secret {IDENTITY_SECRET} in namespace {namespace} is not usable: {source}; delete it to get a new one, with new fingerprints"
    )]
    Weak {
        /// The operator's namespace.
        namespace: String,
        /// What is wrong.
        #[source]
        source: WeakIdentity,
    },
}

/// Reads the identity, or makes it where there is none.
///
/// # Errors
/// [`IdentityError`].
pub async fn read_or_create(client: &Client, namespace: &str) -> Result<Identity, IdentityError> {
    let api: Api<Secret> = Api::namespaced(client.clone(), namespace);
    let failed = |operation| {
        move |source| IdentityError::Request {
            namespace: namespace.to_owned(),
            operation,
            source,
        }
    };
    let mut found = api.get_opt(IDENTITY_SECRET).await.map_err(failed("read"))?;
    if found.is_none() {
        let bytes = fresh_identity()?;
        let secret = Secret {
            metadata: ObjectMeta {
                name: Some(IDENTITY_SECRET.into()),
                labels: Some(BTreeMap::from([(
                    "app.kubernetes.io/managed-by".to_owned(),
                    MANAGED_BY.to_owned(),
                )])),
                ..ObjectMeta::default()
            },
            data: Some(BTreeMap::from([(
                IDENTITY_KEY.to_owned(),
                ByteString(bytes.to_vec()),
            )])),
            type_: Some("keypool.dev/identity".into()),
            ..Secret::default()
        };
        match api.create(&PostParams::default(), &secret).await {
            Ok(_) => {}
            // Another instance was faster: its identity is everybody's.
            Err(kube::Error::Api(status)) if status.code == 409 => {}
            Err(error) => return Err(failed("created")(error)),
        }
        found = api.get_opt(IDENTITY_SECRET).await.map_err(failed("read"))?;
    }
    let data = found.and_then(|secret| secret.data).unwrap_or_default();
    let bytes = data
        .get(IDENTITY_KEY)
        .map(|bytes| bytes.0.clone())
        .unwrap_or_default();
    Identity::new(Zeroizing::new(bytes)).map_err(|source| IdentityError::Weak {
        namespace: namespace.to_owned(),
        source,
    })
}

//! What the operator would hold in a cluster, for one proxy in this process.
//!
//! The same pure functions in the same order: validate and build give the document, the ledger takes in what the proxy learned, and from
//! both come the statuses. The parts that a cluster keeps between two passes are kept here: generations, stored statuses, what
//! was written last. Fingerprints are keyed with bytes that live as long as the process: what was learned about a key survives
//! every reload that keeps its value.

use std::collections::BTreeMap;

use keypool_contract::document::{Content, DocumentHash};
use keypool_contract::exchange::{ClearCooldown, ExchangeResponse};
use keypool_contract::{Document, Secret};
use keypool_crds::v1alpha1::{LoadBalanceGroup, ModelProvider};
use keypool_operator::conditions::Check;
use keypool_operator::controller::load_balance_group::status::{Applied, PodExchange};
use keypool_operator::controller::load_balance_group::{InvalidGroup, ValidatedGroup};
use keypool_operator::controller::model_provider::{InvalidProvider, ValidatedProvider};
use keypool_operator::identity::{Identity, WeakIdentity};
use keypool_operator::install::{Install, ObjectId};
use keypool_operator::ledger::{DocumentScope, Ledger};
use keypool_operator::material::{ClientSecret, Material, MaterialError, fresh_identity};
use keypool_operator::moment::{Moment, Monotonic};

mod render;
mod rows;
mod survey;

pub(crate) use rows::Row;
pub(crate) use survey::Survey;

/// The random parts of a run could not be made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StartError {
    /// Of the documents.
    #[error(transparent)]
    Material(#[from] MaterialError),
    /// Of the fingerprints.
    #[error(transparent)]
    Identity(#[from] WeakIdentity),
}

/// The operator's memory.
pub(crate) struct World {
    install: Install,
    identity: Identity,
    material: Material,
    /// Root URL of the clients' side.
    root: String,
    began: Monotonic,
    providers: BTreeMap<ObjectId, Provider>,
    groups: BTreeMap<ObjectId, Group>,
    written: Option<Written>,
    ledger: Ledger,
    proxy: Option<PodExchange>,
}

struct Provider {
    /// With the stored status.
    resource: ModelProvider,
    judged: Result<ValidatedProvider, InvalidProvider>,
    /// The last `keypool.dev/clear-cooldown`.
    wish: Option<ClearCooldown>,
}

struct Group {
    /// With the stored status.
    resource: LoadBalanceGroup,
    judged: Result<ValidatedGroup, InvalidGroup>,
    /// Why no document can be made of it.
    refused: Option<Check>,
    /// What the document says of it; of the last good manifest where the current one is not.
    content: Option<Content>,
    /// What was written of it, and the generation of its spec then.
    applied: Option<Applied>,
}

/// The document of all groups.
struct Written {
    document: Document,
    hash: DocumentHash,
    scope: DocumentScope,
}

impl World {
    /// Without manifests. `root` is the root URL of the clients' side.
    ///
    /// # Errors
    /// When the system gives no random bytes.
    pub(crate) fn new(root: String, client_key: Secret, now: Moment) -> Result<Self, StartError> {
        Ok(Self {
            install: Install {
                proxy_image: String::new(),
                proxy_image_pull_policy: String::new(),
                require_allowed_hosts: false,
            },
            identity: Identity::new(fresh_identity()?)?,
            material: Material::complete(None, ClientSecret::Holds(client_key), now.wall)?,
            root,
            began: now.monotonic,
            providers: BTreeMap::new(),
            groups: BTreeMap::new(),
            written: None,
            ledger: Ledger::default(),
            proxy: None,
        })
    }

    /// Takes in what the proxy learned.
    pub(crate) fn receive(&mut self, response: ExchangeResponse, now: Moment) {
        if let Some(written) = &self.written {
            self.ledger.receive(&written.scope, &response, now);
        }
        self.proxy = Some(PodExchange {
            instance: response.instance,
            acknowledgement: response.acknowledgement,
            heard: now.monotonic,
        });
    }

    /// What persons wish by annotation.
    pub(crate) fn wishes(&self) -> Vec<ClearCooldown> {
        self.providers
            .values()
            .filter_map(|provider| provider.wish.clone())
            .collect()
    }

    /// Generation of the document.
    pub(crate) fn generation(&self) -> u64 {
        self.written
            .as_ref()
            .map_or(0, |written| written.document.stamp.generation)
    }

    /// Whether the proxy has judged a document: before, nothing can be said about anything.
    pub(crate) fn settled(&self) -> bool {
        let acknowledged = self.proxy.as_ref().map(|proxy| &proxy.acknowledgement);
        acknowledged.is_some_and(|told| told.hash.is_some() || told.last_error.is_some())
    }

    /// Root URL of a group.
    pub(crate) fn endpoint(&self, group: &str) -> String {
        format!("{}/g/{group}", self.root)
    }

    /// The groups that are served.
    pub(crate) fn served(&self) -> impl Iterator<Item = &LoadBalanceGroup> {
        self.groups
            .values()
            .filter(|group| group.content.is_some())
            .map(|group| &group.resource)
    }

    /// Providers, groups and keys of the manifests.
    pub(crate) fn size(&self) -> [usize; 3] {
        let keys = self.providers.values().map(|provider| match &provider.judged {
            Ok(validated) => validated.credentials.len(),
            Err(_) => provider.resource.spec.credentials.len(),
        });
        [self.providers.len(), self.groups.len(), keys.sum()]
    }
}

#[cfg(test)]
mod tests;

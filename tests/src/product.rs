//! The product on the cluster of the ring, as users get it: charts installed
//! with helm, resources applied with kubectl, requests through Services.
//!
//! One operator serves all tests of a program; it is installed when the first
//! one asks. A test has a [`Scene`]: its namespace, a fake provider of its own,
//! keys that occur nowhere else, and the clients of its groups.
//!
//! ```ignore
//! let scene = Scene::set(&test).await?;
//! let fake = scene.provider("openai").await?;
//! let keys = scene.keys(&fake, &["team-a", "team-b"]).await?;
//! scene.apply(&[
//!     manifests::secret("openai-keys", &keys),
//!     manifests::provider("openai", &fake, &["team-a", "team-b"]),
//!     manifests::group("chat", &[Member::new("a", "openai", "gpt-4.1")]).at("/spec/proxy/replicas", 2),
//! ]).await?;
//! scene.healthy(&["openai"], "chat").await?;
//! let caller = scene.caller("chat").await?;
//! assert!(caller.chat("hello").await?.is_answer());
//! scene.finish().await
//! ```

pub mod bucket;
mod caller;
mod example;
mod keys;
pub mod manifests;
mod metrics;
mod operator;
mod provider;
mod proxies;
mod scene;
mod sdk;
pub mod status;
mod steady;
mod told;
mod volumes;

pub use caller::{Caller, Reply, all_answered};
pub use example::Quickstart;
pub use keys::Keys;
pub use manifests::{Manifest, Member};
pub use metrics::Metrics;
pub use operator::{DEPLOYMENT as OPERATOR, NAMESPACE as OPERATOR_NAMESPACE};
pub use provider::Provider;
pub use proxies::Proxy;
pub use scene::{LIMIT, Scene};
pub use sdk::{Chat, Sdk};
pub use steady::Steady;
pub use volumes::VolumesHeld;

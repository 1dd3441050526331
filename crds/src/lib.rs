//! The Kubernetes API of Keypool: types only.
//!
//! The CustomResourceDefinitions under `yaml/` and the reference page are generated from these types by the binary `crdgen`;
//! the doc comment of a field is what `kubectl explain` prints.

pub mod v1alpha1;

/// The API group of all kinds.
pub const GROUP: &str = "keypool.dev";

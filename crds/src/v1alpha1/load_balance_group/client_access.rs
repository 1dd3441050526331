//! Who may call a group.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::v1alpha1::shared::{SecretKeyRef, rule, text, yes};

/// Who may call a group.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default)]
#[schemars(extend("x-kubernetes-validations" = [
    rule(
        "!(self.insecure && has(self.keys) && size(self.keys) > 0)",
        "clientAccess.insecure lets everybody call the group, so clientAccess.keys would have no effect; remove one of the two",
    ),
    rule(
        "self.generated || self.insecure || (has(self.keys) && size(self.keys) > 0)",
        "nobody could call the group; set clientAccess.generated to true, add an entry to clientAccess.keys, or set \
         clientAccess.insecure to true",
    )
]))]
pub struct ClientAccess {
    /// Whether Keypool makes a key and keeps it in the Secret <group>-client as OPENAI_API_KEY, beside OPENAI_BASE_URL: ready for
    /// envFrom. Switched off, that Secret is removed and its key stops working. Left out: true.
    #[serde(default = "yes")]
    pub generated: bool,
    /// Keys of your own that clients may use, at most 64. Left out: none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    pub keys: Vec<ClientKey>,
    /// Whether everybody who reaches the Service may call the group, without a key. Left out: false.
    #[serde(default)]
    pub insecure: bool,
}

impl Default for ClientAccess {
    fn default() -> Self {
        Self {
            generated: yes(),
            keys: Vec::new(),
            insecure: false,
        }
    }
}

/// One key that clients may use.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [
    rule(
        "self.name != 'generated'",
        "generated is the name of the key that Keypool makes; give this one another name",
    )
]))]
pub struct ClientKey {
    /// Name of the client, unique in this group; not generated, which is the name of the key that Keypool makes. It stands in logs,
    /// never the value.
    #[schemars(length(min = 1, max = 63), regex(pattern = text::LABEL))]
    pub name: String,
    /// The value: a data key of a Secret in the same namespace.
    pub secret_key_ref: SecretKeyRef,
}

//! The client Secret: what an application takes with `envFrom`.

use std::collections::BTreeMap;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;

use super::{SecretResource, metadata};
use crate::controller::load_balance_group::{ValidatedGroup, names};
use crate::material::CLIENT_KEY;

/// Data key for the base URL that OpenAI's SDKs read.
const BASE_URL: &str = "OPENAI_BASE_URL";

pub(super) fn build(
    group: &ValidatedGroup,
    key: &keypool_contract::Secret,
    endpoint: &str,
) -> SecretResource {
    SecretResource(Secret {
        metadata: metadata(group, names::client(&group.id.name)),
        data: Some(BTreeMap::from([
            (
                BASE_URL.to_owned(),
                ByteString(format!("{endpoint}/v1").into_bytes()),
            ),
            (
                CLIENT_KEY.to_owned(),
                ByteString(key.expose().as_bytes().to_vec()),
            ),
        ])),
        type_: Some("Opaque".into()),
        ..Secret::default()
    })
}

//! The rendered Secret: what the pods mount.

use std::collections::BTreeMap;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use keypool_contract::limits::{CERTIFICATE_FILE, DOCUMENT_FILE, PRIVATE_KEY_FILE, TOKEN_FILE};

use super::{NextDocument, SecretResource, proxy_metadata};
use crate::controller::load_balance_group::ValidatedGroup;
use crate::material::{Material, PREVIOUS_CERTIFICATE_FILE, RENEW_AFTER, SPEC_SINCE};

pub(super) fn build(group: &ValidatedGroup, material: &Material, document: &NextDocument) -> SecretResource {
    let certificate = &material.certificate;
    let bytes = |text: &str| ByteString(text.as_bytes().to_vec());
    let mut data = BTreeMap::from([
        (
            DOCUMENT_FILE.to_owned(),
            ByteString(document.encoded.bytes().to_vec()),
        ),
        (TOKEN_FILE.to_owned(), bytes(&material.token)),
        (CERTIFICATE_FILE.to_owned(), bytes(&certificate.certificate)),
        (PRIVATE_KEY_FILE.to_owned(), bytes(&certificate.private_key)),
    ]);
    if let Some(previous) = &certificate.previous {
        data.insert(PREVIOUS_CERTIFICATE_FILE.to_owned(), bytes(previous));
    }
    let mut metadata = proxy_metadata(group);
    metadata.annotations = Some(BTreeMap::from([
        (RENEW_AFTER.to_owned(), certificate.renew_after.to_string()),
        (SPEC_SINCE.to_owned(), document.spec_since.to_string()),
    ]));
    SecretResource(Secret {
        metadata,
        data: Some(data),
        type_: Some("keypool.dev/rendered".into()),
        ..Secret::default()
    })
}

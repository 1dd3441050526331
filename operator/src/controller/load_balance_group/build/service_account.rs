//! The pods' ServiceAccount: no rights and no token.

use k8s_openapi::api::core::v1::ServiceAccount;

use super::proxy_metadata;
use crate::controller::load_balance_group::ValidatedGroup;

pub(super) fn build(group: &ValidatedGroup) -> ServiceAccount {
    ServiceAccount {
        metadata: proxy_metadata(group),
        automount_service_account_token: Some(false),
        ..ServiceAccount::default()
    }
}

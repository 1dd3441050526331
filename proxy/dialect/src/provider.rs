//! One file per provider type: what its errors mean and how its keys are checked.

use std::time::SystemTime;

use http::{HeaderMap, StatusCode};
use keypool_contract::ProviderType;

use crate::outcome::{Class, Outcome};

pub(crate) fn classify(
    _: ProviderType,
    status: StatusCode,
    _: &HeaderMap,
    _: &[u8],
    _: SystemTime,
) -> Outcome {
    if status.is_success() {
        Outcome::success()
    } else {
        Outcome::new(Class::Client, "other")
    }
}

pub(crate) fn answered(_: ProviderType, _: &HeaderMap, _: &[u8], _: SystemTime) -> Outcome {
    Outcome::success()
}

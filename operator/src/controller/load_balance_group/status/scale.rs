//! Whether the fleet is empty because it was asked to be. Only of the spec that is written: the one that is read may be held or refused,
//! and the pods of the one before serve on.

use keypool_crds::v1alpha1::{ConditionType, Reason};

use super::{Observed, old_conditions};
use crate::conditions::Check;

/// What is said of a fleet that the spec that is written wants to be empty.
pub(super) fn scaled_to_zero(observed: &Observed<'_>) -> Option<Check> {
    let written = observed.applied?.desired.spec_generation;
    if Some(written) == observed.group.metadata.generation {
        let zero = observed.fleet.wanted == 0;
        return zero.then(|| {
            Check::no(
                Reason::ScaledToZero,
                "proxy.replicas is 0; set it to 1 or more to serve.",
            )
        });
    }
    // How many pods an earlier spec wanted is written nowhere but in what was said since: under its own generation, and again under
    // each later one that was not written.
    let said = old_conditions(observed).iter().any(|condition| {
        condition.type_ == ConditionType::Available.as_str()
            && condition.reason == Reason::ScaledToZero.as_str()
            && condition.observed_generation >= Some(written)
    });
    let zero = said && observed.fleet.counted().next().is_none();
    zero.then(|| {
        Check::no(
            Reason::ScaledToZero,
            format!(
                "proxy.replicas is 0 in generation {written}, and the spec of now is not written; once that is, its number counts."
            ),
        )
    })
}

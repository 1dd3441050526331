//! How many keys are in which state.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::v1alpha1::conditions::KeyState;

/// How many keys are in which state. The counts add up to `total`.
#[derive(Clone, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct KeySummary {
    /// All keys.
    #[schemars(range(min = 0))]
    pub total: i32,
    /// Keys that are proven, with nothing known against them.
    #[schemars(range(min = 0))]
    pub healthy: i32,
    /// Keys that are not used for a while and come back by themselves.
    #[schemars(range(min = 0))]
    pub cooling_down: i32,
    /// Keys whose credit or plan is used up.
    #[schemars(range(min = 0))]
    pub exhausted: i32,
    /// Keys that the provider refuses.
    #[schemars(range(min = 0))]
    pub invalid: i32,
    /// Keys whose Secret or data key is not there.
    #[schemars(range(min = 0))]
    pub missing: i32,
    /// Keys whose value cannot be a key.
    #[schemars(range(min = 0))]
    pub malformed: i32,
    /// Keys that are switched off or drained.
    #[schemars(range(min = 0))]
    pub disabled: i32,
    /// Keys that have not been proven yet; they are used.
    #[schemars(range(min = 0))]
    pub unknown: i32,
    /// Usable keys of all, such as `7/10`. Usable are the healthy and the unknown.
    #[schemars(length(max = 32))]
    pub display: String,
}

impl KeySummary {
    /// Keys that requests may be sent with now.
    pub const fn usable(&self) -> i32 {
        self.healthy + self.unknown
    }

    fn count(&mut self, state: KeyState) {
        self.total += 1;
        let of_state = match state {
            KeyState::Unknown => &mut self.unknown,
            KeyState::Healthy => &mut self.healthy,
            KeyState::CoolingDown => &mut self.cooling_down,
            KeyState::Exhausted => &mut self.exhausted,
            KeyState::Invalid => &mut self.invalid,
            KeyState::Missing => &mut self.missing,
            KeyState::Malformed => &mut self.malformed,
            KeyState::Disabled => &mut self.disabled,
        };
        *of_state += 1;
    }
}

impl FromIterator<KeyState> for KeySummary {
    fn from_iter<I: IntoIterator<Item = KeyState>>(states: I) -> Self {
        let mut summary = Self::default();
        for state in states {
            summary.count(state);
        }
        summary.display = format!("{}/{}", summary.usable(), summary.total);
        summary
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_counts_add_up_to_the_total() {
        let summary: KeySummary = KeyState::ALL.iter().copied().chain([KeyState::Healthy]).collect();
        let KeySummary {
            total,
            healthy,
            cooling_down,
            exhausted,
            invalid,
            missing,
            malformed,
            disabled,
            unknown,
            display,
        } = summary;
        assert_eq!(
            total,
            healthy + cooling_down + exhausted + invalid + missing + malformed + disabled + unknown
        );
        assert_eq!((total, healthy, display.as_str()), (9, 2, "3/9"));
    }
}

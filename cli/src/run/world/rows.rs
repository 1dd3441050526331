//! One row for every key of every member.

use std::collections::BTreeMap;
use std::time::Duration;

use keypool_crds::v1alpha1::KeyState;
use keypool_operator::controller::load_balance_group::status::member_states;
use keypool_operator::controller::load_balance_group::{MemberProvider, ValidatedGroup, ValidatedMember};
use keypool_operator::controller::model_provider::{KeyHealth, ProviderHealth, ValidatedProvider};
use keypool_operator::install::ObjectId;
use keypool_operator::ledger::{Held, Ledger};
use keypool_operator::moment::Monotonic;

use super::Group;

/// How one key of one member stands.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Row {
    pub(crate) group: String,
    /// Empty for a group that cannot be served.
    pub(crate) member: String,
    /// Name of the credential; empty for a member without keys.
    pub(crate) key: String,
    pub(crate) state: &'static str,
    pub(crate) reason: &'static str,
    /// How long the state lasts, where that is known.
    pub(crate) left: Option<Duration>,
    /// Requests that were answered with this key.
    pub(crate) requests: u64,
}

pub(super) fn of_group(
    group: &Group,
    standing: &BTreeMap<ObjectId, ProviderHealth>,
    ledger: &Ledger,
    now: Monotonic,
) -> Vec<Row> {
    let validated = match &group.judged {
        Ok(validated) => validated,
        Err(invalid) => {
            return vec![Row {
                group: invalid.id.name.clone(),
                state: "NotAccepted",
                reason: invalid.accepted.reason.as_str(),
                ..Row::default()
            }];
        }
    };
    let members = validated.members.iter();
    members
        .flat_map(|member| of_member(validated, member, standing, ledger, now))
        .collect()
}

fn of_member(
    group: &ValidatedGroup,
    member: &ValidatedMember,
    standing: &BTreeMap<ObjectId, ProviderHealth>,
    ledger: &Ledger,
    now: Monotonic,
) -> Vec<Row> {
    let base = Row {
        group: group.id.name.clone(),
        member: member.name.clone(),
        ..Row::default()
    };
    let served = match group.provider_of(member) {
        MemberProvider::Served(provider) => standing.get(&provider.id).map(|health| (provider, health)),
        _ => None,
    };
    let Some((provider, health)) = served else {
        let states = member_states(group, &BTreeMap::new());
        let state = states.into_iter().find(|state| state.name == member.name);
        let (state, reason) =
            state.map_or(("", ""), |member| (member.state.as_str(), member.reason.as_str()));
        return vec![Row {
            state,
            reason,
            ..base
        }];
    };
    let keys = health.keys.iter().filter(|key| key.serves(&member.model));
    keys.map(|key| {
        let of_model = key
            .models
            .iter()
            .find(|model| model.name == member.model)
            .filter(|_| key.state.usable());
        let (state, reason) = of_model.map_or((key.state, key.reason), |model| (model.state, model.reason));
        Row {
            key: key.name.clone(),
            state: state.as_str(),
            reason: reason.as_str(),
            left: left(provider, key, member, state, ledger, now),
            ..base.clone()
        }
    })
    .collect()
}

/// To the second, unlike the status, which is rounded for the sake of what reads it.
fn left(
    provider: &ValidatedProvider,
    key: &KeyHealth,
    member: &ValidatedMember,
    state: KeyState,
    ledger: &Ledger,
    now: Monotonic,
) -> Option<Duration> {
    if !matches!(state, KeyState::CoolingDown | KeyState::Exhausted) {
        return None;
    }
    let group = key.quota_group.as_ref();
    let mates: Vec<&str> = provider
        .credentials
        .iter()
        .filter(|other| group.is_some() && other.quota_group.as_ref() == group)
        .filter_map(|other| other.value.fingerprint())
        .collect();
    let standing = ledger.standing(&provider.id.uid, key.fingerprint.as_deref()?, &mates, now);
    let of_member = standing
        .holds
        .iter()
        .filter(|hold| hold.model.as_ref().is_none_or(|model| *model == member.model));
    let until = of_member
        .filter(|hold| hold.held != Held::Invalid)
        .filter_map(|hold| hold.until)
        .max()?;
    Some(Duration::from_millis(now.until_ms(until)))
}

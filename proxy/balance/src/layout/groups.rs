//! Groups, and the turns that go on.

use std::sync::Arc;

use crate::config::{Config, CredentialConfig, GroupConfig};
use crate::group::{Group, Member};
use crate::provider::Provider;

/// Lays out every group. A member and a class keep their turns where nothing about them changed.
pub(crate) fn groups(
    config: &Config,
    providers: &[Provider],
    old: &Config,
    mut kept: Vec<Group>,
) -> Vec<Group> {
    let lay = |group: &GroupConfig| {
        let before = kept.iter_mut().find(|kept| kept.config.name == group.name);
        let mut laid = Group::new(group.clone(), Vec::new());
        for member in &group.members {
            let provider = providers
                .iter()
                .position(|p| p.config.uid == member.provider)
                .unwrap_or(usize::MAX);
            let lanes = providers.get(provider).map_or(&[][..], |p| &p.lanes);
            let lane = lanes
                .iter()
                .position(|lane| lane.model == member.model)
                .unwrap_or(usize::MAX);
            laid.members.push(Member::new(provider, lane));
        }
        let Some(before) = before.filter(|before| before.config.strategy == group.strategy) else {
            return laid;
        };
        for (index, member) in group.members.iter().enumerate() {
            let same = before.config.members.iter().position(|m| {
                m.name == member.name && m.provider == member.provider && m.model == member.model
            });
            let unchanged = credentials_of(old, &member.provider) == credentials_of(config, &member.provider);
            if let (Some(same), true) = (same, unchanged)
                && let (Some(from), Some(to)) = (before.members.get_mut(same), laid.members.get_mut(index))
            {
                to.tiers = std::mem::take(&mut from.tiers);
            }
        }
        if before.config.members == group.members {
            laid.classes = std::mem::take(&mut before.classes);
        }
        laid
    };
    config.groups.iter().map(lay).collect()
}

fn credentials_of<'a>(config: &'a Config, uid: &Arc<str>) -> Option<&'a [CredentialConfig]> {
    config
        .providers
        .iter()
        .find(|p| p.uid == *uid)
        .map(|p| &p.credentials[..])
}

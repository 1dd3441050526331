//! What a configuration may not say.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::config::{Config, ConfigError, MAX_MEMBERS, MAX_WEIGHT};

/// Refuses what contradicts itself.
pub(crate) fn check(config: &Config) -> Result<(), ConfigError> {
    let mut uids = BTreeSet::new();
    let too_heavy = |owner: &Arc<str>, weight: u32| match weight > MAX_WEIGHT {
        true => Err(ConfigError::WeightTooLarge {
            owner: Arc::clone(owner),
            weight,
        }),
        false => Ok(()),
    };
    for provider in &config.providers {
        if !uids.insert(&provider.uid) {
            return Err(ConfigError::DuplicateProvider {
                uid: Arc::clone(&provider.uid),
            });
        }
        for credential in &provider.credentials {
            too_heavy(&credential.name, credential.weight)?;
        }
    }
    for group in &config.groups {
        let count = group.members.len();
        if count > MAX_MEMBERS {
            return Err(ConfigError::TooManyMembers {
                group: Arc::clone(&group.name),
                count,
            });
        }
        for member in &group.members {
            too_heavy(&member.name, member.weight)?;
            if !uids.contains(&member.provider) {
                return Err(ConfigError::UnknownProvider {
                    group: Arc::clone(&group.name),
                    member: Arc::clone(&member.name),
                    uid: Arc::clone(&member.provider),
                });
            }
        }
    }
    Ok(())
}

//! The rules that a document keeps beyond its shape; writer and reader share them.

use std::collections::HashSet;

use super::{ConfigError, ConfigErrorCode, Document, Group, Provider};
use crate::limits::{MAX_CREDENTIALS, MAX_MEMBERS};

impl Document {
    /// Checks names, references and ranges.
    ///
    /// # Errors
    /// The first rule that is broken, with its place.
    pub fn check(&self) -> Result<(), ConfigError> {
        for (uid, provider) in &self.content.providers {
            check_provider(provider, &format!("/providers/{uid}"))?;
        }
        let mut names = HashSet::new();
        for (index, group) in self.content.groups.iter().enumerate() {
            let path = format!("/groups/{index}");
            if !names.insert((&group.namespace, &group.name)) {
                return Err(ConfigError::new(ConfigErrorCode::Duplicate, path));
            }
            self.check_group(group, &path)?;
        }
        Ok(())
    }

    fn check_group(&self, group: &Group, path: &str) -> Result<(), ConfigError> {
        if group.members.len() > MAX_MEMBERS {
            return Err(ConfigError::new(
                ConfigErrorCode::OutOfRange,
                format!("{path}/members"),
            ));
        }
        if group.retry.attempts == 0 || group.retry.deadline_ms == 0 {
            return Err(ConfigError::new(
                ConfigErrorCode::OutOfRange,
                format!("{path}/retry"),
            ));
        }
        let mut names = HashSet::new();
        for (index, member) in group.members.iter().enumerate() {
            let path = format!("{path}/members/{index}");
            if !names.insert(&member.name) {
                return Err(ConfigError::new(ConfigErrorCode::Duplicate, path));
            }
            if !self.content.providers.contains_key(&member.provider) {
                return Err(ConfigError::new(ConfigErrorCode::UnknownProvider, path));
            }
            in_range(member.weight, member.priority, &path)?;
        }
        Ok(())
    }
}

fn check_provider(provider: &Provider, path: &str) -> Result<(), ConfigError> {
    if provider.credentials.len() > MAX_CREDENTIALS {
        return Err(ConfigError::new(
            ConfigErrorCode::OutOfRange,
            format!("{path}/credentials"),
        ));
    }
    let cooldown = &provider.cooldown;
    if cooldown.initial_ms == 0 || cooldown.initial_ms > cooldown.max_ms {
        return Err(ConfigError::new(
            ConfigErrorCode::OutOfRange,
            format!("{path}/cooldown"),
        ));
    }
    let timeouts = &provider.timeouts;
    if [
        timeouts.connect_ms,
        timeouts.first_event_ms,
        timeouts.response_ms,
        timeouts.idle_ms,
    ]
    .contains(&0)
    {
        return Err(ConfigError::new(
            ConfigErrorCode::OutOfRange,
            format!("{path}/timeouts"),
        ));
    }
    if provider.probe.enabled && (provider.probe.interval_ms == 0 || provider.probe.timeout_ms == 0) {
        return Err(ConfigError::new(
            ConfigErrorCode::OutOfRange,
            format!("{path}/probe"),
        ));
    }
    let mut names = HashSet::new();
    for (index, credential) in provider.credentials.iter().enumerate() {
        let path = format!("{path}/credentials/{index}");
        if !names.insert(&credential.name) {
            return Err(ConfigError::new(ConfigErrorCode::Duplicate, path));
        }
        in_range(credential.weight, credential.priority, &path)?;
    }
    Ok(())
}

fn in_range(weight: u32, priority: u32, path: &str) -> Result<(), ConfigError> {
    if weight > 1000 || priority > 1000 {
        return Err(ConfigError::new(ConfigErrorCode::OutOfRange, path));
    }
    Ok(())
}

//! Who may call, and which group a call is for.
//!
//! A path `/g/<group>/…` names the group; otherwise the client's key does. A key is hashed once per request; its hash is
//! looked up by a prefix and then compared in constant time. What is denied is a type of its own, which nothing turns
//! into an identity; whether a group exists is told only to callers with a valid key or where no key is needed.

use std::collections::HashMap;
use std::sync::Arc;

use keypool_contract::client_key::{ClientKeyDigest, Salt};

use super::group::Group;

/// A caller that may go on.
#[derive(Clone, Debug)]
pub struct Admitted {
    /// The group it asks.
    pub group: Arc<Group>,
    /// The name of its key; none where no key is needed.
    pub client: Option<Arc<str>>,
}

/// A caller that may not.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Denied {
    /// 401: no key was presented.
    #[error("no client key")]
    NoKey,
    /// 401: the key is unknown, or not this group's.
    #[error("unknown client key")]
    UnknownKey,
    /// 404: no group of the path's name.
    #[error("no such group")]
    UnknownGroup,
    /// 400: more than one group could be meant; the path must name one.
    #[error("the client key is accepted by more than one group: name one in the path")]
    AmbiguousGroup,
}

/// The accepted keys of all groups.
#[derive(Debug)]
pub(super) struct Clients {
    salt: Salt,
    by_prefix: HashMap<u64, Vec<Accepted>>,
    by_name: HashMap<Box<str>, usize>,
    groups: Vec<Arc<Group>>,
}

#[derive(Debug)]
struct Accepted {
    digest: ClientKeyDigest,
    group: usize,
    name: Arc<str>,
}

impl Clients {
    pub(super) fn new(salt: Salt, groups: Vec<Arc<Group>>) -> Self {
        let by_name = groups
            .iter()
            .map(|group| (group.name.clone(), group.index))
            .collect();
        Self {
            salt,
            by_prefix: HashMap::new(),
            by_name,
            groups,
        }
    }

    pub(super) fn accept(&mut self, group: usize, digest: ClientKeyDigest, name: &str) {
        self.by_prefix.entry(digest.prefix()).or_default().push(Accepted {
            digest,
            group,
            name: name.into(),
        });
    }

    pub(super) fn groups(&self) -> &[Arc<Group>] {
        &self.groups
    }

    pub(super) fn named(&self, name: &str) -> Option<&Arc<Group>> {
        self.by_name.get(name).and_then(|index| self.groups.get(*index))
    }

    pub(super) fn admit(&self, path_group: Option<&str>, key: Option<&[u8]>) -> Result<Admitted, Denied> {
        let digest = key.map(|key| ClientKeyDigest::of(&self.salt, key));
        let known = digest.as_ref().map_or(&[][..], |digest| {
            self.by_prefix
                .get(&digest.prefix())
                .map_or(&[][..], Vec::as_slice)
        });
        let known = || {
            known
                .iter()
                .filter(|accepted| Some(&accepted.digest) == digest.as_ref())
        };
        let refused = if key.is_some() {
            Denied::UnknownKey
        } else {
            Denied::NoKey
        };

        if let Some(name) = path_group {
            let Some(group) = self.named(name) else {
                let may_know = known().next().is_some() || self.groups.iter().any(|group| group.insecure);
                return Err(if may_know { Denied::UnknownGroup } else { refused });
            };
            let client = known().find(|accepted| accepted.group == group.index);
            return admitted(group, client).ok_or(refused);
        }
        let mut accepting = known();
        if let Some(first) = accepting.next() {
            if accepting.any(|other| other.group != first.group) {
                return Err(Denied::AmbiguousGroup);
            }
            return self
                .groups
                .get(first.group)
                .and_then(|group| admitted(group, Some(first)))
                .ok_or(refused);
        }
        let mut open = self.groups.iter().filter(|group| group.insecure);
        match (open.next(), open.next()) {
            (Some(group), None) => admitted(group, None).ok_or(refused),
            (Some(_), Some(_)) => Err(Denied::AmbiguousGroup),
            (None, _) => Err(refused),
        }
    }
}

fn admitted(group: &Arc<Group>, client: Option<&Accepted>) -> Option<Admitted> {
    if client.is_none() && !group.insecure {
        return None;
    }
    Some(Admitted {
        group: group.clone(),
        client: client.map(|accepted| accepted.name.clone()),
    })
}

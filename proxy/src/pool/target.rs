//! What a request is sent to.

use std::sync::Arc;

use crate::runtime::{Credential, Member, Provider};

/// A member and one credential of its provider, both of one snapshot.
#[derive(Clone, Debug)]
pub struct Target {
    /// The member; its provider and upstream model with it.
    pub member: Arc<Member>,
    credential: usize,
    /// True when this attempt decides whether something that rested is used again.
    pub trial: bool,
}

impl Target {
    /// A target; `None` when the provider has no such credential.
    pub(super) fn new(member: Arc<Member>, credential: usize, trial: bool) -> Option<Self> {
        (credential < member.provider.credentials.len()).then_some(Self {
            member,
            credential,
            trial,
        })
    }

    /// The provider.
    pub fn provider(&self) -> &Arc<Provider> {
        &self.member.provider
    }

    /// The credential.
    pub fn credential(&self) -> &Credential {
        // `new` has checked the place.
        &self.member.provider.credentials[self.credential]
    }

    /// Place of the credential in the provider.
    pub fn credential_index(&self) -> usize {
        self.credential
    }
}

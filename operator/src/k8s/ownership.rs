//! Whose an object is that stands under a child's name. What is not the owner's is never adopted.

use kube::Resource;

/// Whose an existing object is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Ownership {
    /// It is the owner's.
    Ours,
    /// Somebody else made it.
    Foreign,
    /// An earlier resource of the owner's name made it.
    Leftover,
}

/// Whose an existing object is. Only the UID makes it the owner's.
pub fn ownership(existing: &impl Resource, owner: Owner<'_>) -> Ownership {
    let references = existing.meta().owner_references.as_deref().unwrap_or_default();
    if references.iter().any(|reference| reference.uid == owner.uid) {
        return Ownership::Ours;
    }
    let earlier = references
        .iter()
        .any(|reference| reference.kind == owner.kind && reference.name == owner.name);
    if earlier {
        Ownership::Leftover
    } else {
        Ownership::Foreign
    }
}

/// Whose child it is.
#[derive(Clone, Copy, Debug)]
pub struct Owner<'a> {
    /// UID of the resource.
    pub uid: &'a str,
    /// Kind of the resource.
    pub kind: &'a str,
    /// Name of the resource.
    pub name: &'a str,
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::api::core::v1::Secret;
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};

    fn owned_by(uid: &str, kind: &str, name: &str) -> Secret {
        let owner = OwnerReference {
            uid: uid.into(),
            kind: kind.into(),
            name: name.into(),
            ..OwnerReference::default()
        };
        Secret {
            metadata: ObjectMeta {
                owner_references: Some(vec![owner]),
                ..ObjectMeta::default()
            },
            ..Secret::default()
        }
    }

    #[test]
    fn only_the_uid_makes_it_ours() {
        let judge = |secret: &Secret| {
            ownership(
                secret,
                Owner {
                    uid: "u2",
                    kind: "LoadBalanceGroup",
                    name: "chat",
                },
            )
        };
        assert_eq!(
            judge(&owned_by("u2", "LoadBalanceGroup", "chat")),
            Ownership::Ours
        );
        assert_eq!(
            judge(&owned_by("u1", "LoadBalanceGroup", "chat")),
            Ownership::Leftover
        );
        assert_eq!(
            judge(&owned_by("u1", "LoadBalanceGroup", "other")),
            Ownership::Foreign
        );
        assert_eq!(judge(&owned_by("u1", "Deployment", "chat")), Ownership::Foreign);
        assert_eq!(judge(&Secret::default()), Ownership::Foreign);
    }
}

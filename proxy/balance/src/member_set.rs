//! Which members of a group may serve a request.

/// A set of member indices of one group.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct MemberSet(u64);

impl MemberSet {
    /// Every member.
    pub const ALL: Self = Self(u64::MAX);
    /// None.
    pub const NONE: Self = Self(0);

    /// These members; an index beyond [`crate::config::MAX_MEMBERS`] names none.
    pub fn of(members: impl IntoIterator<Item = usize>) -> Self {
        members.into_iter().fold(Self::NONE, Self::with)
    }

    /// This set and one more member.
    #[must_use]
    pub fn with(self, member: usize) -> Self {
        Self(
            self.0
                | u32::try_from(member)
                    .ok()
                    .and_then(|m| 1u64.checked_shl(m))
                    .unwrap_or(0),
        )
    }

    /// Members of both sets.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Members of this set that are not in the other.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Whether a member is in it.
    pub fn has(self, member: usize) -> bool {
        !self.and(Self::NONE.with(member)).is_empty()
    }

    /// Whether no member is in it.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Its members, ascending.
    pub fn iter(self) -> impl Iterator<Item = usize> {
        let mut rest = self.0;
        std::iter::from_fn(move || {
            (rest != 0).then(|| {
                let member = rest.trailing_zeros() as usize;
                rest &= rest - 1;
                member
            })
        })
    }
}

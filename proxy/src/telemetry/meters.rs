//! Handles that a group and a member hold for their whole life, so that counting costs an atomic and no look-up. A series
//! begins with its first event and ends when a reload drops what it is about.

mod group;
mod member;

pub(crate) use group::GroupMeters;
pub(crate) use member::MemberMeters;

//! Conditions: a named check decides, and a set remembers when its word changed.
//!
//! Rules: conditions of positive polarity stand from the first status on, in a fixed order; `Reconciling`, `Stalled` and `Paused` stand only
//! while they are true; each carries the generation it speaks of; `lastTransitionTime` changes only with the status. A message
//! is a sentence for the person who must act: what, where, remedy. It never holds key bytes or text of others.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use keypool_crds::v1alpha1::{ConditionStatus, ConditionType, Reason};

use crate::moment::whole_seconds;

/// What a check found.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Check {
    /// Whether it holds.
    pub status: ConditionStatus,
    /// Why, as a word of the closed set.
    pub reason: Reason,
    /// Why, for a person.
    pub message: String,
}

impl Check {
    /// It holds.
    pub fn yes(reason: Reason, message: impl Into<String>) -> Self {
        Self::of(ConditionStatus::True, reason, message)
    }

    /// It does not hold.
    pub fn no(reason: Reason, message: impl Into<String>) -> Self {
        Self::of(ConditionStatus::False, reason, message)
    }

    /// Nobody knows.
    pub fn unknown(reason: Reason, message: impl Into<String>) -> Self {
        Self::of(ConditionStatus::Unknown, reason, message)
    }

    /// `Accepted` of an object whose latest generation this build cannot read, while an earlier one may serve on.
    pub fn unsupported(generation: i64, serving: Option<i64>) -> Self {
        let keeps = serving.map_or_else(String::new, |old| format!("generation {old} keeps serving; "));
        Self::no(
            Reason::UnsupportedValue,
            format!(
                "generation {generation} holds a value that this version of the operator does not know; {keeps}finish the upgrade of the operator, or take the value back."
            ),
        )
    }

    fn of(status: ConditionStatus, reason: Reason, message: impl Into<String>) -> Self {
        Self {
            status,
            reason,
            message: message.into(),
        }
    }

    /// Whether it holds.
    pub fn holds(&self) -> bool {
        self.status == ConditionStatus::True
    }

    /// What a stored condition says of this generation.
    pub fn stored_of(conditions: &[Condition], kind: ConditionType, generation: i64) -> Option<Self> {
        let speaks = |c: &&Condition| c.type_ == kind.as_str() && c.observed_generation == Some(generation);
        conditions.iter().find(speaks)?;
        Self::stored(conditions, kind)
    }

    /// What a stored condition says.
    pub fn stored(conditions: &[Condition], kind: ConditionType) -> Option<Self> {
        let condition = conditions.iter().find(|c| c.type_ == kind.as_str())?;
        Some(Self::of(
            ConditionStatus::parse(&condition.status)?,
            Reason::parse(&condition.reason)?,
            condition.message.clone(),
        ))
    }
}

/// The conditions of one status under construction.
#[derive(Debug)]
pub struct Conditions<'a> {
    old: &'a [Condition],
    generation: i64,
    now: Timestamp,
    new: Vec<Condition>,
}

impl<'a> Conditions<'a> {
    /// Begins a set that replaces `old`.
    pub fn new(old: &'a [Condition], generation: i64, now: Timestamp) -> Self {
        Self {
            old,
            generation,
            now: whole_seconds(now),
            new: Vec::new(),
        }
    }

    /// Puts a check's result in.
    #[must_use]
    pub fn put(self, kind: ConditionType, check: &Check) -> Self {
        let generation = self.generation;
        self.put_of(generation, kind, check)
    }

    /// Keeps what was said, of the generation of which it was said; where nothing was, puts a check's result in.
    #[must_use]
    pub fn keep(mut self, kind: ConditionType, otherwise: &Check) -> Self {
        let said = |c: &&Condition| c.type_ == kind.as_str() && c.observed_generation.is_some();
        match self.old.iter().find(said) {
            Some(said) => {
                self.new.push(said.clone());
                self
            }
            None => self.put(kind, otherwise),
        }
    }

    /// Puts the result of a check of another generation in.
    #[must_use]
    pub fn put_of(mut self, generation: i64, kind: ConditionType, check: &Check) -> Self {
        let status = check.status.as_str();
        let before = self
            .old
            .iter()
            .find(|c| c.type_ == kind.as_str() && c.status == status);
        self.new.push(Condition {
            type_: kind.as_str().into(),
            status: status.into(),
            reason: check.reason.as_str().into(),
            message: check.message.clone(),
            observed_generation: Some(generation),
            last_transition_time: before.map_or(Time(self.now), |c| c.last_transition_time.clone()),
        });
        self
    }

    /// Puts a check in that stands only while it is true.
    #[must_use]
    pub fn put_while_true(self, kind: ConditionType, check: Option<&Check>) -> Self {
        match check {
            Some(check) => self.put(kind, check),
            None => self,
        }
    }

    /// The whole set.
    pub fn finish(self) -> Vec<Condition> {
        self.new
    }
}

/// Joins what several things have to say: the first few in full, the rest as a number.
pub(crate) fn sentences(all: &[String]) -> String {
    const SHOWN: usize = 4;
    let mut text = all
        .iter()
        .take(SHOWN)
        .map(|one| format!("{one}."))
        .collect::<Vec<_>>()
        .join(" ");
    if all.len() > SHOWN {
        text.push_str(&format!(" And {} more.", all.len() - SHOWN));
    }
    text
}

/// `1 key`, `2 keys`.
pub(crate) fn count(number: usize, noun: &str) -> String {
    if number == 1 {
        format!("1 {noun}")
    } else {
        format!("{number} {noun}s")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::moment::tests::at;

    #[test]
    fn the_transition_time_changes_with_the_status_alone() {
        let yes = Check::yes(Reason::Accepted, "3 credentials");
        let first = Conditions::new(&[], 1, at(0).wall)
            .put(ConditionType::Accepted, &yes)
            .finish();
        assert_eq!(first[0].last_transition_time.0, at(0).wall);
        assert_eq!(first[0].observed_generation, Some(1));

        let other_words = Check::yes(Reason::Accepted, "4 credentials");
        let second = Conditions::new(&first, 2, at(60).wall)
            .put(ConditionType::Accepted, &other_words)
            .finish();
        assert_eq!(second[0].last_transition_time.0, at(0).wall);
        assert_eq!(
            (second[0].observed_generation, second[0].message.as_str()),
            (Some(2), "4 credentials")
        );

        let no = Check::no(Reason::InvalidSpec, "no");
        let kept = Conditions::new(&second, 3, at(70).wall)
            .keep(ConditionType::Accepted, &yes)
            .keep(ConditionType::Ready, &yes)
            .finish();
        assert_eq!(kept[0], second[0]);
        assert_eq!(kept[1].observed_generation, Some(3));
        assert_eq!(Check::stored_of(&kept, ConditionType::Accepted, 3), None);
        assert_eq!(
            Check::stored_of(&kept, ConditionType::Accepted, 2),
            Some(other_words)
        );

        let third = Conditions::new(&second, 2, at(90).wall)
            .put(ConditionType::Accepted, &no)
            .finish();
        assert_eq!(third[0].last_transition_time.0, at(90).wall);
        assert_eq!(Check::stored(&third, ConditionType::Accepted), Some(no));
    }

    #[test]
    fn only_the_first_few_sentences_are_told() {
        let all: Vec<String> = (0..6).map(|n| format!("s{n}")).collect();
        assert_eq!(sentences(&all), "s0. s1. s2. s3. And 2 more.");
        assert_eq!(sentences(&all[..1]), "s0.");
        assert_eq!(sentences(&[]), "");
    }
}

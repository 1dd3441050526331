//! The closed sets of words that a status speaks in, spelt here and nowhere else.
//!
//! Every set reads leniently: a status that a newer operator wrote must not make an older one fail to decode the whole
//! object, so a word it does not know reads as the set's fallback. Spec enums are strict, the API server checks them.

use schemars::{Schema, json_schema};

mod keys;
mod members;
mod reason;

pub use keys::{KeyReason, KeyState};
pub use members::{MemberReason, MemberState};
pub use reason::Reason;

/// Defines an enum of unit variants whose text is the variant's name.
macro_rules! closed_set {
    ($(#[$meta:meta])* $name:ident, fallback $fallback:ident, { $($(#[doc = $doc:literal])+ $variant:ident,)+ }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
        pub enum $name {
            $($(#[doc = $doc])+ $variant,)+
        }

        impl $name {
            /// All words of the set, in the order in which they are declared.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The word as it stands in a status.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => stringify!($variant),)+
                }
            }

            /// What the word means, for the reference page.
            pub const fn meaning(self) -> &'static str {
                match self {
                    $(Self::$variant => concat!($($doc),+),)+
                }
            }

            /// The member of the set that is spelt so.
            pub fn parse(text: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|word| word.as_str() == text)
            }
        }

        impl ::std::fmt::Display for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl ::serde::Serialize for $name {
            fn serialize<S: ::serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> ::serde::Deserialize<'de> for $name {
            fn deserialize<D: ::serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = ::std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                Ok(Self::parse(&text).unwrap_or(Self::$fallback))
            }
        }
    };
}
use closed_set;

/// Gives a closed set the schema that a function makes from its words.
macro_rules! set_schema {
    ($name:ident, $schema:path) => {
        impl ::schemars::JsonSchema for $name {
            fn schema_name() -> ::std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut ::schemars::SchemaGenerator) -> ::schemars::Schema {
                $schema(Self::ALL.iter().map(|word| word.as_str()))
            }
        }
    };
}
use set_schema;

closed_set! {
    /// The type of a condition. All have positive polarity and stand from the first status on, except the last three, which
    /// are present only while true.
    ConditionType, fallback Ready, {
        /// The object as written can be served.
        Accepted,
        /// Every reference resolves; False names those that do not, the rest keeps serving.
        ResolvedRefs,
        /// A provider's endpoint is reached by the proxies that tried.
        EndpointHealthy,
        /// No key of a provider waits for a person.
        KeysHealthy,
        /// Every counted proxy pod acknowledged the group's current document.
        Programmed,
        /// A ready proxy pod and at least one target that is Healthy, Unknown or CoolingDown.
        Available,
        /// No member of a group waits for a person.
        MembersHealthy,
        /// The summary that tools wait for.
        Ready,
        /// Work on the current generation is under way. Only while true.
        Reconciling,
        /// The object cannot be served until a person changes it. Only while true.
        Stalled,
        /// The annotation `keypool.dev/paused` holds the object. Only while true.
        Paused,
    }
}

closed_set! {
    /// The status of a condition.
    ConditionStatus, fallback Unknown, {
        /// It holds.
        True,
        /// It does not hold.
        False,
        /// Nothing is known about it yet.
        Unknown,
    }
}

impl From<bool> for ConditionStatus {
    fn from(holds: bool) -> Self {
        if holds { Self::True } else { Self::False }
    }
}

/// Schema of a set whose words the API server checks: a state.
fn checked(words: impl Iterator<Item = &'static str>) -> Schema {
    json_schema!({ "type": "string", "enum": words.collect::<Vec<_>>() })
}

/// Schema of a set that may grow with an operator that is newer than its CRDs: a reason. An unlisted word there must not
/// make the API server refuse the whole status.
fn open(_: impl Iterator<Item = &'static str>) -> Schema {
    json_schema!({ "type": "string", "pattern": "^[A-Za-z]+$", "maxLength": 64 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_their_names_and_unknown_ones_read_as_the_fallback() {
        for word in KeyState::ALL {
            assert_eq!(KeyState::parse(word.as_str()), Some(*word));
            assert_eq!(
                serde_json::from_value::<KeyState>(serde_json::json!(word.as_str())).unwrap(),
                *word
            );
        }
        assert_eq!(
            serde_json::from_str::<KeyState>("\"Levitating\"").unwrap(),
            KeyState::Unknown
        );
        assert_eq!(
            serde_json::from_str::<MemberState>("\"Levitating\"").unwrap(),
            MemberState::Unresolved
        );
        assert_eq!(
            serde_json::to_string(&KeyState::CoolingDown).unwrap(),
            "\"CoolingDown\""
        );
        assert_eq!(
            Reason::AwaitingAcknowledgement.to_string(),
            "AwaitingAcknowledgement"
        );
    }
}

//! Who is calling: the key table and what it says to an operation.

use std::collections::HashMap;
use std::sync::Arc;

use crate::request::Operation;
use crate::scenario::{Key, KeyState, Scenario};
use crate::vendor::ErrorKind;

/// The keys by value.
#[derive(Debug, Default)]
pub(crate) struct KeyTable {
    by_value: HashMap<String, Arc<Key>>,
    any: bool,
}

/// A caller as the provider sees it.
#[derive(Debug, Clone)]
pub(crate) enum Caller {
    /// Its key is in the table.
    Known(Arc<Key>),
    /// Its key is not, but any is served.
    Any,
    /// Its key is not.
    Unknown,
    /// It sent none.
    Nobody,
}

impl KeyTable {
    pub(crate) fn new(scenario: &Scenario) -> Self {
        let by_value = scenario
            .keys
            .iter()
            .map(|key| (key.value.clone(), Arc::new(key.clone())))
            .collect();
        Self {
            by_value,
            any: scenario.accepts_any_key(),
        }
    }

    pub(crate) fn caller(&self, token: Option<&str>) -> Caller {
        match token {
            None if self.any => Caller::Any,
            None => Caller::Nobody,
            Some(token) => match self.by_value.get(token) {
                Some(key) => Caller::Known(key.clone()),
                None if self.any => Caller::Any,
                None => Caller::Unknown,
            },
        }
    }
}

impl Caller {
    /// The name under which it is counted.
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Known(key) => &key.name,
            Self::Any | Self::Unknown => "?",
            Self::Nobody => "-",
        }
    }

    /// The quota group it is counted in.
    pub(crate) fn group(&self) -> &str {
        match self {
            Self::Known(key) => key.quota_group(),
            other => other.name(),
        }
    }

    /// The error it gets for who it is.
    pub(crate) fn refusal(&self, operation: &Operation, model: Option<&str>) -> Option<ErrorKind> {
        let key = match self {
            Self::Any => return None,
            Self::Nobody => return Some(ErrorKind::NoApiKey),
            Self::Unknown => return Some(ErrorKind::InvalidApiKey),
            Self::Known(key) => key,
        };
        match key.state {
            KeyState::Revoked => return Some(ErrorKind::InvalidApiKey),
            KeyState::Deactivated => return Some(ErrorKind::AccountDeactivated),
            KeyState::Refused(kind) => return Some(kind),
            KeyState::ListForbidden if operation.lists_models() => {
                return Some(ErrorKind::MissingScopesForbidden);
            }
            KeyState::ListUnauthorized if operation.lists_models() => return Some(ErrorKind::MissingScopes),
            KeyState::Active | KeyState::ListForbidden | KeyState::ListUnauthorized => {}
        }
        model
            .filter(|model| !key.models.allow(model))
            .map(|_| ErrorKind::ModelNotFound)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(state: KeyState, operation: &Operation) -> Option<ErrorKind> {
        let key = Key {
            state,
            models: "gpt-*".into(),
            ..Key::new("a", "sk-a")
        };
        let table = KeyTable::new(&Scenario {
            keys: vec![key],
            ..Scenario::default()
        });
        table.caller(Some("sk-a")).refusal(operation, Some("gpt-4o"))
    }

    #[test]
    fn a_state_decides_per_operation() {
        let (chat, list) = (Operation::Chat, Operation::ListModels);
        for (state, on_chat, on_list) in [
            (KeyState::Active, None, None),
            (
                KeyState::Revoked,
                Some(ErrorKind::InvalidApiKey),
                Some(ErrorKind::InvalidApiKey),
            ),
            (
                KeyState::ListForbidden,
                None,
                Some(ErrorKind::MissingScopesForbidden),
            ),
            (KeyState::ListUnauthorized, None, Some(ErrorKind::MissingScopes)),
            (
                KeyState::Refused(ErrorKind::InsufficientQuota),
                Some(ErrorKind::InsufficientQuota),
                Some(ErrorKind::InsufficientQuota),
            ),
        ] {
            assert_eq!(refusal(state, &chat), on_chat, "{state:?}");
            assert_eq!(refusal(state, &list), on_list, "{state:?}");
        }
    }

    #[test]
    fn strangers_are_served_only_where_any_key_is() {
        let closed = KeyTable::new(&Scenario {
            keys: vec![Key::new("a", "sk-a")],
            ..Scenario::default()
        });
        let open = KeyTable::new(&Scenario::default());
        assert_eq!(
            closed.caller(Some("x")).refusal(&Operation::Chat, None),
            Some(ErrorKind::InvalidApiKey)
        );
        assert_eq!(
            closed.caller(None).refusal(&Operation::Chat, None),
            Some(ErrorKind::NoApiKey)
        );
        assert_eq!(open.caller(Some("x")).refusal(&Operation::Chat, None), None);
    }

    #[test]
    fn a_model_outside_the_keys_list_is_not_found() {
        let key = Key {
            models: "gpt-*".into(),
            ..Key::new("a", "sk-a")
        };
        let caller = KeyTable::new(&Scenario {
            keys: vec![key],
            ..Scenario::default()
        })
        .caller(Some("sk-a"));
        assert_eq!(
            caller.refusal(&Operation::Chat, Some("o1")),
            Some(ErrorKind::ModelNotFound)
        );
    }
}

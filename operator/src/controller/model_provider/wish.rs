//! The annotation `keypool.dev/clear-cooldown`: a person's wish that cooldowns end, acted upon once per value.

use std::collections::BTreeMap;

use keypool_contract::exchange::ClearCooldown;
use keypool_crds::v1alpha1::shared::{CLEAR_COOLDOWN, MAX_HANDLED_LENGTH, RECONCILE_REQUESTED_AT};
use keypool_crds::v1alpha1::{ModelProvider, ModelProviderStatus};

/// The wish that has not been acted upon yet.
pub fn clear_cooldown(provider: &ModelProvider) -> Option<ClearCooldown> {
    let value = handled(provider.metadata.annotations.as_ref(), CLEAR_COOLDOWN)?;
    let last = provider
        .status
        .as_ref()
        .and_then(|status| status.last_handled_clear_cooldown.as_ref());
    if last == Some(&value) {
        return None;
    }
    let (token, names) = value.split_once(':').unwrap_or((&value, ""));
    let names = names.split(',').map(str::trim).filter(|name| !name.is_empty());
    Some(ClearCooldown {
        provider: provider.metadata.uid.clone().unwrap_or_default(),
        // The names belong to the wish: the same token with other names is another one.
        token: if value.contains(':') {
            value.clone()
        } else {
            token.to_owned()
        },
        credentials: names.map(str::to_owned).collect(),
    })
}

/// An annotation's value as the status remembers it.
pub(crate) fn handled(annotations: Option<&BTreeMap<String, String>>, name: &str) -> Option<String> {
    let value = annotations?.get(name).filter(|value| !value.is_empty())?;
    Some(value.chars().take(MAX_HANDLED_LENGTH).collect())
}

/// What the status remembers of both annotations once a pass has acted upon them.
pub(super) fn remember(provider: &ModelProvider, status: &mut ModelProviderStatus) {
    let annotations = provider.metadata.annotations.as_ref();
    status.last_handled_reconcile_at = handled(annotations, RECONCILE_REQUESTED_AT);
    status.last_handled_clear_cooldown = handled(annotations, CLEAR_COOLDOWN);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn provider(value: &str, handled: Option<&str>) -> ModelProvider {
        let mut provider: ModelProvider = serde_yaml::from_str(
            "{apiVersion: keypool.dev/v1alpha1, kind: ModelProvider, metadata: {name: p, uid: u}, spec: {type: OpenAI}}",
        )
        .unwrap();
        provider.metadata.annotations = Some(BTreeMap::from([(CLEAR_COOLDOWN.into(), value.into())]));
        provider.status = Some(ModelProviderStatus {
            last_handled_clear_cooldown: handled.map(str::to_owned),
            ..ModelProviderStatus::default()
        });
        provider
    }

    #[test]
    fn a_wish_is_acted_upon_once_per_value() {
        for (value, handled, want) in [
            ("now", None, Some(vec![])),
            ("now", Some("now"), None),
            ("again", Some("now"), Some(vec![])),
            ("t1:a, b", None, Some(vec!["a", "b"])),
            ("t1:a,b", Some("t1:a"), Some(vec!["a", "b"])),
            ("", None, None),
        ] {
            let wish = clear_cooldown(&provider(value, handled));
            assert_eq!(
                wish.map(|wish| wish.credentials),
                want.map(|names| names.iter().map(|n| (*n).to_owned()).collect()),
                "{value}"
            );
        }
    }
}

//! The annotation `keypool.dev/clear-cooldown`: a person's wish that cooldowns end, acted upon once per value.

use std::collections::BTreeMap;

use keypool_contract::exchange::ClearCooldown;
use keypool_crds::v1alpha1::shared::{CLEAR_COOLDOWN, MAX_HANDLED_LENGTH, RECONCILE_REQUESTED_AT};
use keypool_crds::v1alpha1::{KeyStatus, ModelProvider, ModelProviderStatus};

use super::ValidatedCredential;
use crate::ledger::Ledger;
use crate::moment::Monotonic;

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

/// Clears what the leader itself knows, once: a pod that comes later has nothing to clear, and then must not be told of it. Pods do the
/// same for themselves, with the rests of the credentials' quota groups.
pub(super) fn act(
    wish: &ClearCooldown,
    stored: &[KeyStatus],
    credentials: &[ValidatedCredential],
    ledger: &mut Ledger,
    now: Monotonic,
) {
    // A value that is away for a moment has the name that the status knows.
    let stored = stored
        .iter()
        .map(|key| (&key.name, key.fingerprint.as_deref(), key.quota_group.as_ref()));
    let read = credentials
        .iter()
        .map(|c| (&c.name, c.value.fingerprint(), c.quota_group.as_ref()));
    let known: Vec<_> = stored.chain(read).collect();
    let named: Vec<_> = known
        .iter()
        .filter(|(name, ..)| wish.credentials.contains(name))
        .collect();
    let is_value = |value: &str| named.iter().any(|(_, of, _)| *of == Some(value));
    let is_mate = |value: &str| {
        let groups = known
            .iter()
            .filter(|(_, of, group)| *of == Some(value) && group.is_some());
        groups
            .into_iter()
            .any(|(.., group)| named.iter().any(|(.., of)| of == group))
    };
    let concerns = |value: &str, quota_group: bool| {
        wish.credentials.is_empty() || is_value(value) || (quota_group && is_mate(value))
    };
    ledger.clear_cooldown(&wish.provider, concerns, now);
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
    use keypool_contract::exchange::{Acknowledgement, ExchangeResponse};
    use keypool_contract::verdict::{Finding, Scope, Verdict, VerdictId};

    use super::*;
    use crate::fixtures::refused_key;
    use crate::ledger::tests::P;
    use crate::ledger::tests::unproven::used;
    use crate::ledger::{DocumentScope, Held};
    use crate::moment::tests::at;

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

    #[test]
    fn a_wish_clears_the_verdicts_about_what_it_names_and_about_nothing_else() {
        let (mut ledger, now) = (Ledger::default(), at(0));
        let scope = DocumentScope::of(&used(&[("f", Some("org")), ("g", Some("org")), ("h", None)]));
        let dead = |fingerprint: &str| Finding::Invalid {
            fingerprint: fingerprint.into(),
        };
        let exhausted = |fingerprint: &str, quota_group| Finding::Exhausted {
            scope: Scope {
                fingerprint: fingerprint.into(),
                quota_group,
                model: None,
            },
            remaining_ms: 3_600_000,
        };
        let answer = |findings: Vec<(u64, Finding)>| ExchangeResponse {
            instance: "a".into(),
            acknowledgement: Acknowledgement::default(),
            snapshot: false,
            sequence: 9,
            verdicts: findings
                .into_iter()
                .map(|(sequence, finding)| Verdict {
                    id: VerdictId {
                        instance: "a".into(),
                        sequence,
                    },
                    provider: P.into(),
                    finding,
                    age_ms: 0,
                })
                .collect(),
        };
        let all = answer(vec![
            (1, dead("f")),
            (2, dead("g")),
            (3, exhausted("g", true)),
            (4, dead("h")),
        ]);
        ledger.receive(&scope, &all, now);
        let stored = [("a", "f", Some("org")), ("b", "g", Some("org")), ("c", "h", None)];
        let stored = stored.map(|(name, fingerprint, group)| KeyStatus {
            quota_group: group.map(str::to_owned),
            ..refused_key(name, fingerprint)
        });
        let wish = |credentials: &[&str]| ClearCooldown {
            provider: P.into(),
            token: "t".into(),
            credentials: credentials.iter().map(|name| (*name).to_owned()).collect(),
        };
        let held = |ledger: &Ledger| {
            let group = ["f", "g"];
            [("f", &group[..]), ("g", &group), ("h", &[])].map(|(fingerprint, mates)| {
                let standing = ledger.standing(P, fingerprint, mates, now.monotonic);
                standing.holds.first().map(|hold| hold.held)
            })
        };
        act(&wish(&["a"]), &stored, &[], &mut ledger, now.monotonic);
        assert_eq!(held(&ledger), [None, Some(Held::Invalid), Some(Held::Invalid)]);
        ledger.receive(&scope, &all, now);
        assert_eq!(held(&ledger)[0], None, "its maker had not heard of the wish");
        ledger.receive(&scope, &answer(vec![(5, dead("f"))]), now);
        assert_eq!(held(&ledger)[0], Some(Held::Invalid), "it knows better by now");

        act(&wish(&["c"]), &stored, &[], &mut ledger, now.monotonic);
        assert_eq!(held(&ledger), [Some(Held::Invalid), Some(Held::Invalid), None]);
        act(&wish(&[]), &[], &[], &mut ledger, now.monotonic);
        assert_eq!(held(&ledger), [None; 3]);
    }
}

//! What is gone is forgotten.

use std::sync::Arc;

use kube::runtime::reflector::{ObjectRef, Store};
use kube::{Resource, ResourceExt};

use super::Writer;
use crate::controller::context::{Context, Subject};
use crate::install::ObjectId;

impl Writer {
    /// Forgets what is gone. Verdicts of a pod that is gone stay; those of a provider that is gone do not.
    pub(super) fn keep_house(&mut self) {
        let context = Arc::clone(&self.context);
        for (gone, view) in context.views.keep_groups(|id| lives(&context.stores.groups, id)) {
            context.roster.dismiss(&gone);
            context.children.forget(&gone);
            self.wake_providers_of(&view.resource);
        }
        context
            .views
            .keep_providers(|id| lives(&context.stores.providers, id));
        keep_verdicts(&context);
        let pods = context.stores.pods.state();
        context
            .knowledge
            .keep_pods(&pods.iter().filter_map(|pod| pod.uid()).collect());
        self.acknowledged
            .retain(|group, _| lives(&context.stores.groups, group));
        self.count_acknowledged();
        let live = |subject: &Subject| match subject {
            Subject::Provider(provider) => context.stores.providers.get(provider).is_some(),
            Subject::Group(group) => context.stores.groups.get(group).is_some(),
            Subject::Gone => true,
        };
        self.buckets.retain(|subject, _| live(subject));
        self.due.retain(|subject, _| live(subject));
        self.failures.retain(|subject, _| live(subject));
    }
}

/// Every provider that exists counts, judged or not: a new leader takes over a stored status just before it remembers its first judgement,
/// and of one that cannot be read the pods still tell what an earlier leader gave them.
fn keep_verdicts(context: &Context) {
    context.knowledge.amend(|ledger| {
        let kept = context.stores.providers.state().into_iter().map(|provider| {
            let view = context.views.provider(&ObjectId::of(provider.as_ref()));
            let validated = view.and_then(|view| view.judged.ok());
            (
                provider.uid().unwrap_or_default(),
                validated.and_then(|validated| validated.fingerprints()),
            )
        });
        let sealed = context.stores.unreadable_providers.uids().into_iter();
        // The judgement of one that was read before comes last: it stands.
        ledger.keep(&sealed.map(|uid| (uid, None)).chain(kept).collect());
    });
}

fn lives<K: Resource<DynamicType = ()> + Clone + 'static>(store: &Store<K>, id: &ObjectId) -> bool {
    let object = store.get(&ObjectRef::new(&id.name).within(&id.namespace));
    object.is_some_and(|object| ObjectId::of(object.as_ref()) == *id)
}

#[cfg(test)]
mod tests {
    use keypool_crds::v1alpha1::{KeyStatus, ModelProvider};

    use super::*;
    use crate::controller::load_balance_group::reconcile::reconcile;
    use crate::fixtures::api::Led;
    use crate::fixtures::{CHAT, NAMESPACE, OPENAI, VLLM, group, provider};
    use crate::k8s::events::Events;
    use crate::telemetry::Metrics;

    /// A new leader knows a provider's stored keys a moment before it remembers its judgement; and what is not judged at all keeps them.
    #[tokio::test]
    async fn a_provider_keeps_its_verdicts_until_it_is_gone() {
        let mut led = Led::new();
        let openai = provider("openai", OPENAI);
        led.provider(&openai);
        let seed = |uid: &str| {
            let key = serde_json::json!([{
                "name": "a", "state": "Invalid", "reason": "RefusedByProvider", "fingerprint": "7f3a91c2",
                "since": "2026-11-20T09:12:00Z",
            }]);
            let keys: Vec<KeyStatus> = serde_json::from_value(key).unwrap();
            let now = led.context.clock.now();
            led.context
                .knowledge
                .amend(|ledger| ledger.seed(uid, &keys, |_| true, now));
        };
        let gone = provider("vllm", VLLM);
        let sealed = provider("newer", OPENAI);
        led.context.stores.unreadable_providers.note(&sealed);
        for provider in [&openai, &gone, &sealed] {
            seed(&provider.uid().unwrap());
        }
        keep_verdicts(&led.context);
        let held = |provider: &ModelProvider| {
            let (uid, now) = (provider.uid().unwrap(), led.context.clock.now().monotonic);
            let standing = led
                .context
                .knowledge
                .ledger(|ledger| ledger.standing(&uid, "7f3a91c2", &[], now));
            standing.holds.len()
        };
        assert_eq!((held(&openai), held(&gone), held(&sealed)), (1, 0, 1));
    }

    #[tokio::test]
    async fn a_group_that_was_made_anew_leaves_nothing_of_the_old_one() {
        let mut led = Led::new();
        led.provider(&provider("vllm", VLLM));
        let old = group("chat", CHAT);
        led.group(&old);
        reconcile(&led.context, Arc::new(old.clone())).await.unwrap();
        let mut new = old.clone();
        new.metadata.uid = Some("another".into());
        led.group(&new);
        let events = Events::new(led.context.clients.request.clone(), "me");
        let mut writer = Writer::new(Arc::clone(&led.context), events, Metrics::default());
        assert!(led.context.roster.desired(&ObjectId::of(&old)).is_some());
        writer.wake(Subject::Gone);
        writer.look_at_what_is_due();
        assert!(led.context.views.groups_in(NAMESPACE).is_empty());
        assert!(led.context.roster.desired(&ObjectId::of(&old)).is_none());
        assert!(
            writer
                .due
                .contains_key(&Subject::Provider(ObjectRef::new("vllm").within(NAMESPACE)))
        );
    }
}

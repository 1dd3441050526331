use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::runtime::watcher::Event;

use super::*;
use crate::fixtures::api::Led;
use crate::fixtures::{NAMESPACE, group, provider};
use crate::k8s::watch::heard_of;

const OPENAI: &str = "
type: OpenAI
endpoint: {caBundleRef: {name: authorities}}
credentials: [{name: a, secretKeyRef: {name: keys, key: a}}]
";
const CHAT: &str = "
members: [{name: a, providerRef: {name: openai}, model: m}]
clientAccess: {keys: [{name: app, secretKeyRef: {name: clients, key: app}}]}
";

/// A provider with a Secret and a ConfigMap, a group with that provider as member, and another provider.
struct World {
    led: Led,
    waker: Waker,
}

impl World {
    fn new() -> Self {
        let mut led = Led::new();
        led.provider(&provider("openai", OPENAI));
        led.provider(&provider("other", "{type: OpenAI}"));
        led.group(&group("chat", CHAT));
        let waker = Waker {
            stores: led.context.stores.clone(),
            wakes: led.context.wakes.clone(),
        };
        Self { led, waker }
    }

    fn woken(&mut self) -> Vec<String> {
        let mut woken = Vec::new();
        while let Ok(provider) = self.led.provider_wakes.try_recv() {
            woken.push(format!("provider {}", provider.name));
        }
        while let Ok(group) = self.led.group_wakes.try_recv() {
            woken.push(format!("group {}", group.name));
        }
        let surveyed = self.led.surveyed();
        woken.extend(surveyed.into_iter().map(|name| format!("status of {name}")));
        woken
    }

    /// Who is woken by an object's end: one that the watch tells, and one that came in a gap.
    fn woken_by_the_end_of<K: Resource + Clone>(
        &mut self,
        object: &K,
        hear: impl Fn(&Waker, &Change<K>),
    ) -> Vec<String> {
        let there = [Event::Init, Event::InitApply(object.clone()), Event::InitDone];
        let by = |last: Vec<Event<K>>, world: &mut Self| {
            let before = heard_of(there.to_vec()).len();
            let all = heard_of(there.iter().cloned().chain(last).collect());
            all.iter()
                .skip(before)
                .for_each(|change| hear(&world.waker, change));
            world.woken()
        };
        let told = by(vec![Event::Delete(object.clone())], self);
        let in_a_gap = by(vec![Event::Init, Event::InitDone], self);
        assert_eq!(told, in_a_gap);
        told
    }
}

fn named(name: &str, group: Option<&str>) -> ObjectMeta {
    ObjectMeta {
        uid: Some(format!("uid of {name}")),
        namespace: Some(NAMESPACE.into()),
        name: Some(name.into()),
        labels: group.map(|group| [(GROUP_LABEL.to_owned(), group.to_owned())].into()),
        ..ObjectMeta::default()
    }
}

#[tokio::test]
async fn the_end_of_anything_wakes_whoever_depends_on_it() {
    let mut world = World::new();
    let provider = provider("openai", OPENAI);
    assert_eq!(
        world.woken_by_the_end_of(&provider, Waker::provider),
        ["provider openai", "group chat", "status of gone"]
    );
    let group = group("chat", CHAT);
    assert_eq!(
        world.woken_by_the_end_of(&group, Waker::group),
        ["status of gone"]
    );
    let pod = Pod {
        metadata: named("chat-keypool-1", Some("chat")),
        ..Pod::default()
    };
    assert_eq!(
        world.woken_by_the_end_of(&pod, Waker::pod),
        ["status of group chat"]
    );
    let child = Deployment {
        metadata: named("chat-keypool", Some("chat")),
        ..Deployment::default()
    };
    assert_eq!(
        world.woken_by_the_end_of(&child, |waker, change| waker.owner(change.meta())),
        ["group chat"]
    );
    for (name, of, want) in [
        ("keys", None, &["provider openai"][..]),
        ("clients", None, &["group chat"]),
        ("chat-client", Some("chat"), &["group chat"]),
        ("others", None, &[]),
    ] {
        let secret = Secret {
            metadata: named(name, of),
            ..Secret::default()
        };
        let woken = world.woken_by_the_end_of(&secret, |waker, change| {
            waker.source(change, Reference::secret);
        });
        assert_eq!(woken, want, "{name}");
    }
    let map = ConfigMap {
        metadata: named("authorities", None),
        ..ConfigMap::default()
    };
    let woken = world.woken_by_the_end_of(&map, |waker, change| {
        waker.source(change, Reference::config_map);
    });
    assert_eq!(woken, ["provider openai"]);
}

/// The group's own Secrets are watched with all others, not by their label: nothing else tells that somebody took it off.
#[tokio::test]
async fn a_secret_without_its_label_wakes_the_group_that_owns_it() {
    let mut world = World::new();
    let owned = |labelled: Option<&str>, kind: &str| Secret {
        metadata: ObjectMeta {
            owner_references: Some(vec![OwnerReference {
                kind: kind.into(),
                name: "chat".into(),
                uid: "uid-chat".into(),
                ..OwnerReference::default()
            }]),
            ..named("chat-client", labelled)
        },
        ..Secret::default()
    };
    for (labelled, kind, want) in [
        (None, "LoadBalanceGroup", &["group chat"][..]),
        (Some("chat"), "LoadBalanceGroup", &["group chat"]),
        (Some("other"), "LoadBalanceGroup", &["group other", "group chat"]),
        (None, "Deployment", &[]),
    ] {
        let secret = owned(labelled, kind);
        let hear = |waker: &Waker, change: &Change<Secret>| waker.source(change, Reference::secret);
        for change in heard_of(vec![Event::Apply(secret.clone())]) {
            hear(&world.waker, &change);
        }
        assert_eq!(world.woken(), want, "{labelled:?} {kind}");
        assert_eq!(
            world.woken_by_the_end_of(&secret, hear),
            want,
            "{labelled:?} {kind}"
        );
    }
}

#[tokio::test]
async fn a_provider_that_cannot_be_read_wakes_the_groups_that_use_it() {
    let mut world = World::new();
    world.waker.unreadable_provider(NAMESPACE, "openai");
    assert_eq!(world.woken(), ["provider openai", "group chat"]);
    world.waker.unreadable_group(NAMESPACE, "chat");
    assert_eq!(world.woken(), ["status of group chat"]);
    world.waker.unreadable_provider("elsewhere", "openai");
    assert_eq!(world.woken(), ["provider openai"]);
}

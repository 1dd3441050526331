use futures::channel::mpsc::UnboundedReceiver;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::runtime::reflector;
use kube::runtime::watcher::Event;

use super::*;
use crate::fixtures::{NAMESPACE, group, provider};
use crate::k8s::watch::heard_of;

/// A provider with a Secret and a ConfigMap, a group with that provider as member, and who of them is woken.
struct World {
    waker: Waker,
    providers: UnboundedReceiver<ObjectRef<ModelProvider>>,
    groups: UnboundedReceiver<ObjectRef<LoadBalanceGroup>>,
    subjects: tokio::sync::mpsc::UnboundedReceiver<Subject>,
}

const OPENAI: &str = "
type: OpenAI
endpoint: {caBundleRef: {name: authorities}}
credentials: [{name: a, secretKeyRef: {name: keys, key: a}}]
";
const CHAT: &str = "
members: [{name: a, providerRef: {name: openai}, model: m}]
clientAccess: {keys: [{name: app, secretKeyRef: {name: clients, key: app}}]}
";

impl World {
    fn new() -> Self {
        let (providers, mut known_providers) = reflector::store();
        let (groups, mut known_groups) = reflector::store();
        let (pods, _) = reflector::store();
        known_providers.apply_watcher_event(&Event::Apply(provider("openai", OPENAI)));
        known_providers.apply_watcher_event(&Event::Apply(provider("other", "{type: OpenAI}")));
        known_groups.apply_watcher_event(&Event::Apply(group("chat", CHAT)));
        let stores = Stores {
            providers,
            groups,
            pods,
        };
        let (to_providers, providers) = futures::channel::mpsc::unbounded();
        let (to_groups, groups) = futures::channel::mpsc::unbounded();
        let (to_subjects, subjects) = tokio::sync::mpsc::unbounded_channel();
        let wakes = Wakes {
            providers: to_providers,
            groups: to_groups,
            subjects: to_subjects,
        };
        Self {
            waker: Waker { stores, wakes },
            providers,
            groups,
            subjects,
        }
    }

    fn woken(&mut self) -> Vec<String> {
        let mut woken = Vec::new();
        while let Ok(provider) = self.providers.try_recv() {
            woken.push(format!("provider {}", provider.name));
        }
        while let Ok(group) = self.groups.try_recv() {
            woken.push(format!("group {}", group.name));
        }
        while let Ok(subject) = self.subjects.try_recv() {
            woken.push(match subject {
                Subject::Provider(provider) => format!("status of provider {}", provider.name),
                Subject::Group(group) => format!("status of group {}", group.name),
            });
        }
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

#[test]
fn the_end_of_anything_wakes_whoever_depends_on_it() {
    let mut world = World::new();
    let provider = provider("openai", OPENAI);
    assert_eq!(
        world.woken_by_the_end_of(&provider, Waker::provider),
        ["provider openai", "group chat", "status of provider openai"]
    );
    let group = group("chat", CHAT);
    assert_eq!(
        world.woken_by_the_end_of(&group, Waker::group),
        ["status of group chat"]
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

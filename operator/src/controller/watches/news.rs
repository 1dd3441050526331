//! What of a change is news to a reconcile.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use futures::{Stream, StreamExt};
use kube::Resource;

use crate::k8s::watch::Change;

/// Lets through what has another generation or other annotations than before: a status that we write must not wake our own reconcile.
pub(super) fn distinct<K>(changes: impl Stream<Item = Change<K>>) -> impl Stream<Item = Change<K>>
where
    K: Resource<DynamicType = ()>,
{
    let mut seen: HashMap<String, u64> = HashMap::new();
    changes.filter(move |change| {
        let uid = change.meta().uid.clone().unwrap_or_default();
        let news = match change {
            Change::Applied(object) => {
                let mut hasher = DefaultHasher::new();
                object.meta().generation.hash(&mut hasher);
                object.meta().annotations.hash(&mut hasher);
                let hash = hasher.finish();
                seen.insert(uid, hash) != Some(hash)
            }
            Change::Deleted(_) => {
                seen.remove(&uid);
                true
            }
        };
        std::future::ready(news)
    })
}

/// Generations and labels of children: what we write there. A Deployment's status changes all the time and is not ours to mend.
#[derive(Default)]
pub(super) struct Generations(HashMap<String, u64>);

impl Generations {
    /// Whether somebody changed what we wrote, as far as can be told: what has no generation may always have been changed.
    pub(super) fn differ<K: Resource>(&mut self, change: &Change<K>) -> bool {
        let meta = change.meta();
        let uid = meta.uid.clone().unwrap_or_default();
        if matches!(change, Change::Deleted(_)) {
            self.0.remove(&uid);
            return true;
        }
        let Some(generation) = meta.generation else {
            return true;
        };
        let mut hasher = DefaultHasher::new();
        (generation, &meta.labels).hash(&mut hasher);
        let now = hasher.finish();
        self.0.insert(uid, now) != Some(now)
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::apps::v1::Deployment;
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

    use super::*;

    fn there(uid: &str, generation: Option<i64>, token: &str) -> Change<Deployment> {
        Change::Applied(Deployment {
            metadata: ObjectMeta {
                uid: Some(uid.into()),
                generation,
                annotations: Some([("asked".to_owned(), token.to_owned())].into()),
                ..ObjectMeta::default()
            },
            ..Deployment::default()
        })
    }

    fn gone(uid: &str) -> Change<Deployment> {
        Change::Deleted(Box::new(ObjectMeta {
            uid: Some(uid.into()),
            ..ObjectMeta::default()
        }))
    }

    #[tokio::test]
    async fn only_another_generation_or_annotation_is_news() {
        for (told, want) in [
            (vec![there("a", Some(1), "x"), there("a", Some(1), "x")], 1),
            (vec![there("a", Some(1), "x"), there("a", Some(2), "x")], 2),
            (vec![there("a", Some(1), "x"), there("a", Some(1), "y")], 2),
            (vec![there("a", Some(1), "x"), there("b", Some(1), "x")], 2),
            // Nothing of one that is gone is remembered.
            (
                vec![there("a", Some(1), "x"), gone("a"), there("a", Some(1), "x")],
                3,
            ),
        ] {
            let what = format!("{told:?}");
            let news: Vec<_> = distinct(futures::stream::iter(told)).collect().await;
            assert_eq!(news.len(), want, "{what}");
        }
    }

    #[test]
    fn a_child_is_news_with_another_generation_or_label_or_without_a_generation() {
        let mut generations = Generations::default();
        let mut labelled = there("a", Some(1), "x");
        if let Change::Applied(child) = &mut labelled {
            child.metadata.labels = Some([("who".to_owned(), "us".to_owned())].into());
        }
        for (change, want) in [
            (labelled, true),
            (there("a", Some(1), "x"), true),
            (there("a", Some(1), "y"), false),
            (there("a", Some(2), "y"), true),
            (there("b", None, "x"), true),
            (there("b", None, "x"), true),
            (gone("a"), true),
        ] {
            assert_eq!(generations.differ(&change), want, "{change:?}");
        }
        assert!(
            generations.0.is_empty(),
            "nothing of one that is gone is remembered"
        );
    }
}

//! The one writer of status: looks at what was woken or is due, compares, asks the object's bucket, writes.
//!
//! Writes of different objects go out side by side, of one object one after the other. A write that fails is due again a little
//! later, with whatever the status is by then.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use keypool_crds::v1alpha1::{LoadBalanceGroup, ModelProvider};
use kube::ResourceExt;
use kube::runtime::reflector::ObjectRef;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio_util::sync::CancellationToken;

use super::{Bucket, Change, Comparable, Permit, key_events};
use crate::controller::context::{Context, Subject};
use crate::controller::load_balance_group::fleet;
use crate::fleet::knowledge::News;
use crate::install::ObjectId;
use crate::k8s::events::Events;
use crate::moment::Monotonic;
use crate::telemetry::Metrics;

mod announcer;
mod flights;
mod housekeeping;
mod look;
mod patch;

use announcer::Announcer;
use flights::{Flights, Landed, Landing};

/// A failed write is tried again after this, and each time later,
const TRY_AGAIN: Duration = Duration::from_secs(2);
/// up to this.
const TRY_AGAIN_AT_LAST: Duration = Duration::from_secs(60);
/// Between two looks at an object that nothing woke.
const SHORTEST_PAUSE: Duration = Duration::from_millis(50);
/// What is gone is forgotten, and every pod list is counted, this often.
const HOUSEKEEPING: Duration = Duration::from_secs(30);

/// A run of failed writes of one object: whatever wakes it, it is not written before the next try is due.
#[derive(Clone, Copy, Debug, Default)]
struct Failures {
    count: u32,
    until: Monotonic,
}

impl Failures {
    fn again(&mut self, now: Monotonic) -> Monotonic {
        let pause = TRY_AGAIN.saturating_mul(1 << self.count.min(10));
        self.count = self.count.saturating_add(1);
        self.until = now + pause.min(TRY_AGAIN_AT_LAST);
        self.until
    }
}

/// The one writer of status.
pub struct Writer {
    context: Arc<Context>,
    announcer: Announcer,
    metrics: Metrics,
    due: HashMap<Subject, Monotonic>,
    buckets: HashMap<Subject, Bucket>,
    failures: HashMap<Subject, Failures>,
    flights: Flights<Subject>,
    acknowledged: BTreeMap<ObjectId, usize>,
    /// Nothing is written later any more.
    ends: bool,
}

impl Writer {
    /// Writes nothing yet.
    pub fn new(context: Arc<Context>, events: Events, metrics: Metrics) -> Self {
        Self {
            context,
            announcer: Announcer::start(events),
            metrics,
            due: HashMap::new(),
            buckets: HashMap::new(),
            failures: HashMap::new(),
            flights: Flights::default(),
            acknowledged: BTreeMap::new(),
            ends: false,
        }
    }

    /// Runs until it is told to stop, or nobody wakes it any more. What waited to be written by then is written, for it is all that the
    /// next leader knows, and the writes have ended, with the Events that they were worth.
    pub async fn run(
        mut self,
        mut subjects: UnboundedReceiver<Subject>,
        mut news: UnboundedReceiver<News>,
        stop: CancellationToken,
    ) {
        let mut housekeeping = tokio::time::interval(HOUSEKEEPING);
        loop {
            let now = self.context.clock.now().monotonic;
            let next = self
                .due
                .values()
                .min()
                .map_or(HOUSEKEEPING, |at| Duration::from_millis(now.until_ms(*at)));
            tokio::select! {
                subject = subjects.recv() => match subject {
                    Some(subject) => self.wake(subject),
                    None => break,
                },
                () = stop.cancelled() => break,
                Some(news) = news.recv() => self.hear(&news),
                Some(landed) = self.flights.landed() => self.take_in(landed),
                () = tokio::time::sleep(next) => {}
                _ = housekeeping.tick() => self.keep_house(),
            }
            // What has come together by now is looked at together.
            while let Ok(subject) = subjects.try_recv() {
                self.wake(subject);
            }
            while let Ok(news) = news.try_recv() {
                self.hear(&news);
            }
            self.look_at_what_is_due();
        }
        self.look_at_what_waits();
        self.flights.all_landed().await;
        self.announcer.end().await;
    }

    fn take_in(&mut self, landed: Landed<Subject>) {
        let subject = landed.subject;
        match landed.landing {
            Landing::Failed => {
                if let Some(bucket) = self.buckets.get_mut(&subject) {
                    bucket.give_back();
                }
                let failures = self.failures.entry(subject.clone()).or_default();
                let again = failures.again(self.context.clock.now().monotonic);
                self.look_again(subject, again);
            }
            Landing::Done => {
                self.failures.remove(&subject);
                if landed.asked {
                    self.wake(subject);
                }
            }
        }
    }

    fn count_acknowledged(&self) {
        self.metrics.pods_acknowledged(self.acknowledged.values().sum());
    }

    fn wake(&mut self, subject: Subject) {
        self.look_again(subject, Monotonic(i64::MIN));
    }

    /// At this point, or earlier if that was due already.
    fn look_again(&mut self, subject: Subject, at: Monotonic) {
        let due = self.due.entry(subject).or_insert(at);
        *due = at.min(*due);
    }

    /// What is known about a provider shows in the provider and in the groups that use it.
    fn hear(&mut self, news: &News) {
        match news {
            News::Group(id) => {
                self.raise_generation(id);
                self.wake(Subject::Group(ObjectRef::new(&id.name).within(&id.namespace)));
            }
            News::Provider(uid) => {
                let Some(provider) = self.context.views.provider_of_uid(uid) else {
                    return;
                };
                self.wake(Subject::Provider(ObjectRef::from_obj(provider.as_ref())));
                self.wake_groups_of(&provider);
            }
        }
    }

    /// A pod that runs a later document of the same lineage than the stored one keeps it (a restored backup): the next pass
    /// goes above it.
    fn raise_generation(&self, id: &ObjectId) {
        let Some(view) = self.context.views.group(id) else {
            return;
        };
        let Some(applied) = &view.applied else { return };
        let (stamp, hash) = (&applied.desired.stamp, &applied.desired.hash);
        let fleet = fleet::view(&self.context, &view.resource);
        if fleet.reported_generation(&stamp.lineage, stamp.generation, hash) > 0 {
            self.context
                .wakes
                .group(ObjectRef::from_obj(view.resource.as_ref()));
        }
    }

    fn wake_groups_of(&mut self, provider: &ModelProvider) {
        let name = provider.name_any();
        for group in self
            .context
            .views
            .groups_in(&provider.namespace().unwrap_or_default())
        {
            if group
                .resource
                .spec
                .members
                .iter()
                .any(|member| member.provider_ref.name == name)
            {
                self.wake(Subject::Group(ObjectRef::from_obj(group.resource.as_ref())));
            }
        }
    }

    fn look_at_what_is_due(&mut self) {
        let now = self.context.clock.now().monotonic;
        let due: Vec<Subject> = self
            .due
            .iter()
            .filter(|(_, at)| **at <= now)
            .map(|(subject, _)| subject.clone())
            .collect();
        for subject in due {
            self.due.remove(&subject);
            if self.flights.ask(&subject) {
                continue;
            }
            let next = match &subject {
                Subject::Provider(provider) => self.look_at_provider(provider, &subject),
                Subject::Group(group) => self.look_at_group(group, &subject),
                Subject::Gone => {
                    self.keep_house();
                    None
                }
            };
            if let Some(next) = next {
                // A point that has passed would be due at once, again and again.
                self.look_again(subject, next.max(now + SHORTEST_PAUSE));
            }
        }
    }

    /// The last look.
    fn look_at_what_waits(&mut self) {
        self.ends = true;
        let waiting = self.buckets.iter().filter(|(_, bucket)| bucket.waits());
        let waiting: Vec<Subject> = waiting.map(|(subject, _)| subject.clone()).collect();
        for subject in waiting {
            self.wake(subject);
        }
        self.look_at_what_is_due();
    }

    /// A provider's status tells how many pods report about it.
    fn wake_providers_of(&mut self, group: &LoadBalanceGroup) {
        let namespace = group.namespace().unwrap_or_default();
        for member in &group.spec.members {
            self.wake(Subject::Provider(
                ObjectRef::new(&member.provider_ref.name).within(&namespace),
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc;

    use super::*;
    use crate::controller::model_provider::reconcile::look;
    use crate::fixtures::api::Led;
    use crate::fixtures::{VLLM, provider};

    #[tokio::test]
    async fn what_waits_for_its_moment_is_written_before_the_end() {
        let mut led = Led::new();
        let vllm = provider("vllm", VLLM);
        led.provider(&vllm);
        let context = Arc::clone(&led.context);
        look(&context, &Arc::new(vllm.clone())).await.unwrap().unwrap();
        let written = || {
            let view = context.views.provider(&ObjectId::of(&vllm))?;
            context.views.provider_status(&view)
        };
        let events = Events::new(context.clients.request.clone(), "me");
        let mut writer = Writer::new(Arc::clone(&context), events, Metrics::default());
        writer.wake(Subject::Provider(ObjectRef::from_obj(&vllm)));
        writer.look_at_what_is_due();
        writer.flights.all_landed().await;
        assert_eq!(written(), None, "others may come");

        let (_subjects, subjects) = mpsc::unbounded_channel();
        let (_news, news) = mpsc::unbounded_channel();
        let stop = CancellationToken::new();
        stop.cancel();
        writer.run(subjects, news, stop).await;
        assert!(written().is_some());
    }

    #[test]
    fn a_write_that_keeps_failing_is_tried_less_and_less_often() {
        let (mut failures, mut now) = (Failures::default(), Monotonic(0));
        let pauses = (0..8).map(|_| {
            let until = failures.again(now);
            let pause = until.since(now).as_secs();
            now = until;
            pause
        });
        assert_eq!(pauses.collect::<Vec<_>>(), [2, 4, 8, 16, 32, 60, 60, 60]);
    }
}

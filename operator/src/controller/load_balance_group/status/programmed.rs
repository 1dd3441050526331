//! `Programmed`: whether every counted pod acknowledged the document, and how far the current spec has come.
//!
//! A new leader has heard nobody yet. What the stored status says of the very same document stands for its first seconds, for the
//! pods that it has not heard: a change of leaders is no news.

use std::time::Duration;

use keypool_contract::ConfigError;
use keypool_crds::v1alpha1::shared::PAUSED;
use keypool_crds::v1alpha1::{ConfigStatus, Reason};

use super::failure::Failure;
use super::fleet::{Fleet, PodView, SILENT_AFTER};
use super::{Applied, not_yet};
use crate::conditions::Check;
use crate::moment::Monotonic;

/// A spec that is not acknowledged for so long is no longer on its way.
pub(super) const LATE_AFTER: Duration = Duration::from_secs(30);
/// Until the first pod is ready after a spec was written: as long as a Deployment has to make progress, an image to be pulled.
const STARTING: Duration = Duration::from_secs(600);
/// Names in a message.
const NAMED: usize = 5;

/// How far the current spec has come.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Progress {
    /// Every counted pod runs it.
    Done,
    /// On its way.
    Pending,
    /// On its way for too long.
    Late,
}

/// What the current spec is measured by.
#[derive(Clone, Copy)]
pub(super) struct Rollout<'a> {
    /// The spec's generation.
    pub(super) generation: i64,
    /// What was written last.
    pub(super) applied: Option<&'a Applied>,
    /// What could not be written since.
    pub(super) failure: Option<&'a Failure>,
    /// Nothing is written while a person holds the group.
    pub(super) paused: bool,
    /// Said of a fleet that the written spec wants to be empty.
    pub(super) scaled_to_zero: Option<&'a Check>,
    /// The pods.
    pub(super) fleet: &'a Fleet,
    /// What the stored status says of the document.
    pub(super) stored: Option<&'a ConfigStatus>,
    /// Now.
    pub(super) now: Monotonic,
}

impl Rollout<'_> {
    /// The spec is not in the document that was written last.
    fn unwritten(&self) -> bool {
        self.applied
            .is_none_or(|applied| applied.desired.spec_generation != self.generation)
    }

    fn told_failure(&self) -> Option<&Failure> {
        self.failure.filter(|failure| self.now >= failure.told_at())
    }

    fn why_unwritten(&self, applied: &Applied) -> String {
        let old = applied.desired.spec_generation;
        let new = self.generation;
        if self.paused {
            format!(
                "generation {new} is held by the annotation {PAUSED}, the proxies keep generation {old}; remove the annotation to go on."
            )
        } else {
            format!("generation {new} is not written yet, the proxies keep generation {old}")
        }
    }
}

pub(super) fn programmed(rollout: &Rollout<'_>, before: Option<Check>) -> Check {
    let (fleet, now) = (rollout.fleet, rollout.now);
    let counted: Vec<&PodView> = fleet.counted().collect();
    let waiting = if counted.is_empty() {
        Reason::NoProxies
    } else {
        Reason::AwaitingAcknowledgement
    };
    if let Some(failure) = rollout.told_failure() {
        return Check::no(waiting, failure.sentence());
    }
    let Some(applied) = rollout.applied else {
        return before.unwrap_or_else(not_yet);
    };
    if rollout.unwritten() {
        return Check::no(waiting, rollout.why_unwritten(applied));
    }
    if let Some(scaled) = rollout.scaled_to_zero {
        return scaled.clone();
    }
    if counted.is_empty() {
        return Check::no(
            Reason::NoProxies,
            "no proxy pod runs; kubectl describe the group's Deployment and its pods to see why.",
        );
    }
    if let Some((_, error)) = rejections(applied, fleet).next() {
        let pods = names(rejections(applied, fleet).map(|(pod, _)| pod));
        return Check::no(
            Reason::ConfigRejected,
            format!(
                "{pods} refused the configuration ({:?} at {}); the last good one keeps serving. If operator and proxies are of different versions, finish the upgrade; otherwise report this.",
                error.code,
                if error.path.is_empty() { "/" } else { &error.path }
            ),
        );
    }
    let held = held(applied, fleet, rollout.stored, now);
    let answered_for = |pod: &PodView| held && pod.exchange.is_none();
    let silent: Vec<&PodView> = counted
        .iter()
        .copied()
        .filter(|pod| now >= pod.silent_at() && !answered_for(pod))
        .collect();
    if !silent.is_empty() {
        return Check::no(
            Reason::AdminUnreachable,
            format!(
                "the operator has had no exchange with {} for 15 s; allow it to reach port 8443 of the proxy pods (NetworkPolicy), and look at the pods' logs. Changes still arrive through the volume within two minutes.",
                names(silent.into_iter())
            ),
        );
    }
    let missing: Vec<&PodView> = counted
        .iter()
        .copied()
        .filter(|pod| !(pod.acknowledged(applied) || answered_for(pod)))
        .collect();
    if !missing.is_empty() {
        return Check::no(
            Reason::AwaitingAcknowledgement,
            format!(
                "{} did not acknowledge revision {} yet",
                names(missing.into_iter()),
                revision(applied)
            ),
        );
    }
    let yes = Check::yes(
        Reason::Programmed,
        format!("every proxy runs revision {}", revision(applied)),
    );
    before.filter(|before| *before == yes).unwrap_or(yes)
}

pub(super) fn progress(rollout: &Rollout<'_>) -> Progress {
    let (fleet, now) = (rollout.fleet, rollout.now);
    let until = |late: Monotonic| {
        if now < late {
            Progress::Pending
        } else {
            Progress::Late
        }
    };
    let counts = |failure: &&Failure| rollout.unwritten() || now >= failure.told_at();
    if let Some(failure) = rollout.failure.filter(counts) {
        return until(failure.late_at());
    }
    if rollout.paused && rollout.unwritten() {
        return Progress::Late;
    }
    let Some(applied) = rollout.applied.filter(|_| !rollout.unwritten()) else {
        return Progress::Pending;
    };
    if rollout.scaled_to_zero.is_none() && !fleet.counted().any(|pod| pod.ready) {
        return until(started_at(applied));
    }
    let held = held(applied, fleet, rollout.stored, now);
    let answered_for = |pod: &PodView| held && pod.exchange.is_none();
    let lagging = fleet
        .counted()
        .filter(|pod| !(pod.runs_current_spec(applied) || answered_for(pod)));
    lagging
        .map(|pod| late_at(pod, applied))
        .min()
        .map_or(Progress::Done, until)
}

/// When the first pod should be ready at the latest.
fn started_at(applied: &Applied) -> Monotonic {
    applied.spec_written + STARTING
}

/// A pod has as long from its own start as from the spec's.
fn late_at(pod: &PodView, applied: &Applied) -> Monotonic {
    applied.spec_written.max(pod.running_since) + LATE_AFTER
}

/// The points at which a wait ends, past ones included.
pub(super) fn waits(rollout: &Rollout<'_>) -> Vec<Monotonic> {
    let fleet = rollout.fleet;
    let failure = rollout.failure.into_iter();
    let told = failure.flat_map(|failure| [failure.told_at(), failure.late_at()]);
    let lagging = |applied: &Applied| {
        let late = fleet.counted().filter(|pod| !pod.runs_current_spec(applied));
        let late = late.map(|pod| late_at(pod, applied));
        late.chain([started_at(applied)]).collect::<Vec<_>>()
    };
    let late = rollout.applied.map(lagging).unwrap_or_default();
    let silent = fleet.counted().map(PodView::silent_at);
    let settled = std::iter::once(fleet.leading_since + SILENT_AFTER);
    told.chain(late).chain(silent).chain(settled).collect()
}

/// The pods that run the document, those included that a new leader takes the stored word for.
pub(super) fn acknowledged<'a>(
    applied: &'a Applied,
    fleet: &'a Fleet,
    stored: Option<&ConfigStatus>,
    now: Monotonic,
) -> impl Iterator<Item = &'a PodView> {
    let held = held(applied, fleet, stored, now);
    fleet
        .counted()
        .filter(move |pod| pod.acknowledged(applied) || (held && pod.exchange.is_none()))
}

/// The pods that refused a newer document than they run.
pub(super) fn rejections<'a>(
    applied: &'a Applied,
    fleet: &'a Fleet,
) -> impl Iterator<Item = (&'a PodView, &'a ConfigError)> {
    fleet
        .counted()
        .filter(|pod| !pod.acknowledged(applied))
        .filter_map(|pod| Some((pod, pod.exchange.as_ref()?.acknowledgement.last_error.as_ref()?)))
}

/// Whether the stored status answers for pods that this new leader has not heard.
fn held(applied: &Applied, fleet: &Fleet, stored: Option<&ConfigStatus>, now: Monotonic) -> bool {
    fleet.settling(now)
        && stored.is_some_and(|stored| {
            stored.hash == applied.desired.hash.0
                && usize::try_from(stored.applied_replicas)
                    .is_ok_and(|applied| applied >= fleet.counted().count())
        })
}

fn revision(applied: &Applied) -> u64 {
    applied.desired.stamp.generation
}

fn names<'a>(pods: impl Iterator<Item = &'a PodView>) -> String {
    let mut names: Vec<&str> = pods.map(|pod| pod.name.as_str()).collect();
    names.sort_unstable();
    let more = names.len().saturating_sub(NAMED);
    names.truncate(NAMED);
    let shown = names.join(", ");
    if more > 0 {
        format!("{shown} and {more} more")
    } else {
        shown
    }
}

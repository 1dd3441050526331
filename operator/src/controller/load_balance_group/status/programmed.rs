//! `Programmed`: whether every counted pod acknowledged the document, and how far the current spec has come.
//!
//! A new leader has heard nobody yet. What the stored status says of the very same document stands for its first seconds, for the
//! pods that it has not heard: a change of leaders is no news.

use std::time::Duration;

use keypool_contract::ConfigError;
use keypool_crds::v1alpha1::{ConfigStatus, Reason};

use super::Applied;
use super::fleet::{Fleet, PodView, SILENT_AFTER};
use crate::conditions::Check;
use crate::moment::Monotonic;

/// A spec that is not acknowledged for so long is no longer on its way.
const LATE_AFTER: Duration = Duration::from_secs(30);
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

pub(super) fn programmed(
    applied: &Applied,
    fleet: &Fleet,
    stored: Option<&ConfigStatus>,
    before: Option<Check>,
    now: Monotonic,
) -> Check {
    if fleet.wanted == 0 {
        return Check::no(
            Reason::ScaledToZero,
            "proxy.replicas is 0; set it to 1 or more to serve.",
        );
    }
    let counted: Vec<&PodView> = fleet.counted().collect();
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
    let held = held(applied, fleet, stored, now);
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

pub(super) fn progress(
    applied: &Applied,
    fleet: &Fleet,
    stored: Option<&ConfigStatus>,
    now: Monotonic,
) -> Progress {
    let held = held(applied, fleet, stored, now);
    let answered_for = |pod: &PodView| held && pod.exchange.is_none();
    let lagging = fleet
        .counted()
        .filter(|pod| !(pod.runs_current_spec(applied) || answered_for(pod)));
    match lagging.map(|pod| late_at(pod, applied)).min() {
        None => Progress::Done,
        Some(late) if now < late => Progress::Pending,
        Some(_) => Progress::Late,
    }
}

/// A pod has as long from its own start as from the spec's.
fn late_at(pod: &PodView, applied: &Applied) -> Monotonic {
    applied.spec_written.max(pod.running_since) + LATE_AFTER
}

/// The points at which a wait ends, past ones included.
pub(super) fn waits(applied: &Applied, fleet: &Fleet) -> Vec<Monotonic> {
    let late = fleet
        .counted()
        .filter(|pod| !pod.runs_current_spec(applied))
        .map(|pod| late_at(pod, applied));
    let silent = fleet.counted().map(PodView::silent_at);
    let settled = std::iter::once(fleet.leading_since + SILENT_AFTER);
    late.chain(silent).chain(settled).collect()
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

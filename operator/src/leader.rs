//! A process while it leads, and the order in which it stops.
//!
//! Two rules. The Lease is renewed from the first moment: whatever the work begins with may take long, and must not be done in another leader's
//! time. And the Lease is left to others only when the work has ended: a write that is still under way would come after theirs. Work
//! that does not end in time keeps the others waiting until the Lease runs out.

use std::future::Future;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::k8s::lease::{Candidate, Lost, Term};

/// How long the work may take to end.
const END_WITHIN: Duration = Duration::from_secs(10);

/// Why a process does not lead any more.
#[derive(Debug)]
pub enum Ended<W> {
    /// It was told to end: the work is done, the Lease released.
    Released,
    /// It was told to end, and the work went on for too long.
    Unfinished,
    /// Another may lead now.
    Lost(Lost),
    /// The work ended by itself.
    Worked(W),
}

/// Works while the Lease is held, until `told` comes. The work has to end when its token is cancelled, and to leave nothing behind that still
/// writes; when leadership is lost, it is dropped.
pub async fn lead<W, F: Future<Output = W>>(
    candidate: &mut Candidate,
    term: &Term,
    told: impl Future<Output = ()>,
    work: impl FnOnce(CancellationToken) -> F,
) -> Ended<W> {
    let stop = CancellationToken::new();
    {
        let mut holding = std::pin::pin!(candidate.hold(term));
        let mut working = std::pin::pin!(work(stop.clone()));
        tokio::select! {
            lost = &mut holding => return Ended::Lost(lost),
            worked = &mut working => return Ended::Worked(worked),
            () = told => stop.cancel(),
        }
        tokio::select! {
            lost = &mut holding => return Ended::Lost(lost),
            _ = &mut working => {}
            () = tokio::time::sleep(END_WITHIN) => return Ended::Unfinished,
        }
    }
    candidate.release().await;
    Ended::Released
}

#[cfg(test)]
mod tests;

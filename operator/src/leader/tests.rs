use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::oneshot;

use super::*;
use crate::k8s::lease::fake::{FakeLease, Told};

const NEVER: Duration = Duration::from_secs(1_000_000);

async fn leading() -> (FakeLease, UnboundedReceiver<Told>, Candidate, Term) {
    let (server, mut told) = FakeLease::start();
    let mut candidate = server.candidate("me");
    let term = candidate.acquire().await;
    assert_eq!(told.recv().await, Some(Told::written("me", 1)));
    (server, told, candidate, term)
}

#[tokio::test(start_paused = true)]
async fn the_lease_is_left_to_others_only_when_the_work_has_ended() {
    let (_, mut told, mut candidate, term) = leading().await;
    let (end, ended) = oneshot::channel::<()>();
    let lead = tokio::spawn(async move {
        let work = |stop: CancellationToken| async move {
            stop.cancelled().await;
            ended.await
        };
        lead(&mut candidate, &term, async {}, work).await
    });
    for _ in 0..3 {
        assert_eq!(
            told.recv().await,
            Some(Told::written("me", 1)),
            "a write is under way"
        );
    }
    end.send(()).unwrap();
    assert!(matches!(lead.await.unwrap(), Ended::Released));
    assert_eq!(told.recv().await, Some(Told::written("", 1)));
    assert_eq!(told.recv().await, None);
}

#[tokio::test(start_paused = true)]
async fn work_that_does_not_end_keeps_the_others_waiting() {
    let (server, _told, mut candidate, term) = leading().await;
    let work = |_| tokio::time::sleep(NEVER);
    let ended = lead(&mut candidate, &term, async {}, work).await;
    assert!(matches!(ended, Ended::Unfinished));
    assert_eq!(server.holder().as_deref(), Some("me"));
}

/// The work may begin with slow reads: longer than others wait.
#[tokio::test(start_paused = true)]
async fn the_lease_is_renewed_from_the_first_moment() {
    let (server, mut told, mut candidate, term) = leading().await;
    let work = |_| tokio::time::sleep(Duration::from_secs(60));
    let ended = lead(&mut candidate, &term, std::future::pending(), work).await;
    assert!(matches!(ended, Ended::Worked(())));
    let mut renewals = 0;
    while told.try_recv().is_ok() {
        renewals += 1;
    }
    assert!(renewals >= 25, "{renewals} renewals in 60 s");

    server.take("other");
    let work = |_| tokio::time::sleep(NEVER);
    let ended = lead(&mut candidate, &term, std::future::pending(), work).await;
    assert!(matches!(ended, Ended::Lost(_)), "{ended:?}");
}

//! Which of two documents runs.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use keypool_contract::exchange::Acknowledgement;
use keypool_contract::limits::DOCUMENT_FILE;
use keypool_contract::{ConfigError, ConfigErrorCode, Document, Encoded};
use tokio::sync::watch;

use super::{Decision, Directory, Intake, Origin, Source};
use crate::pool::Pool;
use crate::runtime::Runtime;
use crate::runtime::fixtures::{encode, simple};
use crate::telemetry::Metrics;

struct Desk {
    intake: Arc<Intake>,
    runtime: Arc<Runtime>,
    metrics: Arc<Metrics>,
}

impl Desk {
    fn new() -> Self {
        let runtime = Arc::new(Runtime::default());
        let metrics = Metrics::new();
        let pool = Pool::new("instance".into(), 1);
        Self {
            intake: Arc::new(Intake::new(runtime.clone(), pool, metrics.clone())),
            runtime,
            metrics,
        }
    }

    fn running(&self) -> Option<(String, u64)> {
        let snapshot = self.runtime.current()?;
        Some((snapshot.id.lineage.to_string(), snapshot.id.generation))
    }
}

fn stamped(lineage: &str, generation: u64) -> Document {
    let mut document = simple(generation);
    document.stamp.lineage = lineage.into();
    document
}

/// The same generation with other content.
fn altered(lineage: &str, generation: u64) -> Document {
    let mut document = stamped(lineage, generation);
    document.content.groups[0].aliases = vec!["altered".into()];
    document
}

#[test]
fn lineages_and_generations_decide() {
    use Origin::{Exchange, Mounted};
    let other_lineage = || Decision::Refused(ConfigError::new(ConfigErrorCode::OtherLineage, "/lineage"));
    for (origin, offered, decision) in [
        (Mounted, stamped("a", 6), Decision::Taken),
        (Exchange, stamped("a", 6), Decision::Taken),
        (Mounted, stamped("a", 5), Decision::Same),
        (Exchange, stamped("a", 5), Decision::Same),
        (Mounted, stamped("a", 4), Decision::Older),
        (Exchange, stamped("a", 4), Decision::Older),
        // Only the mount changes lineages, upwards or downwards.
        (Mounted, stamped("b", 1), Decision::Taken),
        (Mounted, stamped("b", 9), Decision::Taken),
        (Exchange, stamped("b", 1), other_lineage()),
        (Exchange, stamped("b", 9), other_lineage()),
        // A restored backup: one generation, two contents.
        (Exchange, altered("a", 5), Decision::Taken),
        (Mounted, altered("a", 5), Decision::Older),
    ] {
        let desk = Desk::new();
        assert_eq!(
            desk.intake.offer(Mounted, &encode(&stamped("a", 5))),
            Decision::Taken
        );
        assert_eq!(
            desk.intake.offer(origin, &encode(&offered)),
            decision,
            "{origin:?} {:?}",
            offered.stamp
        );
        let runs = match decision {
            Decision::Taken => (offered.stamp.lineage.clone(), offered.stamp.generation),
            _ => ("a".to_owned(), 5),
        };
        assert_eq!(desk.running(), Some(runs));
    }
    // Without a document any is better than none.
    let desk = Desk::new();
    assert_eq!(
        desk.intake.offer(Exchange, &encode(&stamped("b", 1))),
        Decision::Taken
    );
}

#[test]
fn what_cannot_be_used_changes_nothing_but_the_last_error() {
    let desk = Desk::new();
    let mut broken = stamped("a", 6);
    broken.content.providers.values_mut().next().unwrap().url = "nonsense".into();
    let good = encode(&stamped("a", 5));
    for (bad, code) in [
        (encode(&broken), ConfigErrorCode::InvalidUrl),
        (Encoded::from_bytes(b"{".to_vec()), ConfigErrorCode::Unreadable),
        (
            Encoded::from_bytes(br#"{"schemaVersion":2,"lineage":"a","generation":7}"#.to_vec()),
            ConfigErrorCode::SchemaVersion,
        ),
    ] {
        desk.intake.offer(Origin::Mounted, &good);
        let acknowledgement = desk.intake.acknowledgement();
        assert_eq!(acknowledgement.borrow().last_error, None);
        for origin in [Origin::Mounted, Origin::Exchange] {
            assert!(
                matches!(desk.intake.offer(origin, &bad), Decision::Refused(error) if error.code == code)
            );
            assert_eq!(desk.running(), Some(("a".into(), 5)));
            let told = acknowledgement.borrow().clone();
            assert_eq!(told.hash.as_ref(), Some(good.hash()));
            assert_eq!(told.last_error.map(|error| error.code), Some(code));
            assert_eq!(desk.metrics.config_successful.get(), 0);
        }
        // The good one again: nothing to take over. What the other origin brought is still wrong. What is older from there says nothing,
        // but that it can be read.
        assert_eq!(desk.intake.offer(Origin::Mounted, &good), Decision::Same);
        let older = encode(&stamped("a", 4));
        assert_eq!(desk.intake.offer(Origin::Exchange, &older), Decision::Older);
        let told = acknowledgement.borrow().last_error.clone();
        let stays = Some(code).filter(|code| *code != ConfigErrorCode::Unreadable);
        assert_eq!(told.map(|error| error.code), stays);
        let successful = i64::from(stays.is_none());
        assert_eq!(desk.metrics.config_successful.get(), successful);
        // From there too: nothing is wrong any more.
        assert_eq!(desk.intake.offer(Origin::Exchange, &good), Decision::Same);
        assert_eq!(acknowledgement.borrow().last_error, None);
        assert_eq!(desk.metrics.config_successful.get(), 1);
        assert_eq!(desk.metrics.config_generation.get(), 5);
    }
}

#[test]
fn a_volume_that_lags_and_can_be_read_again_has_no_error() {
    let desk = Desk::new();
    desk.intake.offer(Origin::Mounted, &encode(&stamped("a", 4)));
    desk.intake.offer(Origin::Exchange, &encode(&stamped("a", 5)));
    let code = || {
        let last = desk.intake.acknowledgement().borrow().last_error.clone();
        last.map(|error| error.code)
    };
    desk.intake.unreadable(std::io::ErrorKind::Other);
    assert_eq!(code(), Some(ConfigErrorCode::Unreadable));
    // What the leader sends says nothing of the volume.
    let older = encode(&stamped("a", 4));
    assert_eq!(desk.intake.offer(Origin::Exchange, &older), Decision::Older);
    assert_eq!(code(), Some(ConfigErrorCode::Unreadable));
    assert_eq!(desk.intake.offer(Origin::Mounted, &older), Decision::Older);
    assert_eq!((code(), desk.metrics.config_successful.get()), (None, 1));
}

#[test]
fn a_good_document_ends_every_error() {
    let desk = Desk::new();
    desk.intake.offer(Origin::Mounted, &encode(&stamped("a", 5)));
    let bad = Encoded::from_bytes(b"{".to_vec());
    for origin in [Origin::Exchange, Origin::Mounted] {
        desk.intake.offer(origin, &bad);
    }
    let next = encode(&stamped("a", 6));
    assert_eq!(desk.intake.offer(Origin::Exchange, &next), Decision::Taken);
    assert_eq!(desk.intake.acknowledgement().borrow().last_error, None);
}

#[test]
fn requests_in_flight_keep_their_snapshot() {
    let desk = Desk::new();
    desk.intake.offer(Origin::Mounted, &encode(&stamped("a", 1)));
    let held = desk.runtime.current().unwrap();
    desk.intake.offer(Origin::Mounted, &encode(&altered("a", 2)));
    assert_eq!(held.id.generation, 1);
    assert!(held.groups()[0].models.iter().all(|model| &**model != "altered"));
    assert!(
        desk.runtime.current().unwrap().groups()[0]
            .models
            .iter()
            .any(|model| &**model == "altered")
    );
}

/// Writes a document the way the kubelet does: a directory of its own, then one switch of the link.
fn mount(volume: &Path, name: &str, bytes: &[u8]) {
    let data = volume.join(name);
    fs::create_dir(&data).unwrap();
    fs::write(data.join(DOCUMENT_FILE), bytes).unwrap();
    switch(volume, name);
    let file = volume.join(DOCUMENT_FILE);
    if !file.exists() {
        symlink(Path::new("..data").join(DOCUMENT_FILE), file).unwrap();
    }
}

fn switch(volume: &Path, name: &str) {
    let link = volume.join("..data_tmp");
    symlink(name, &link).unwrap();
    fs::rename(link, volume.join("..data")).unwrap();
}

async fn until(acknowledgement: &mut watch::Receiver<Acknowledgement>, generation: u64) {
    let wait = acknowledgement.wait_for(|now| now.generation == generation);
    tokio::time::timeout(Duration::from_secs(10), wait)
        .await
        .unwrap()
        .unwrap();
}

#[tokio::test]
async fn a_mounted_directory_is_followed_by_its_link() {
    let volume = tempfile::tempdir().unwrap();
    let desk = Desk::new();
    let changed = watch::Sender::new(0);
    let seen = changed.subscribe();
    mount(volume.path(), "..1", encode(&stamped("a", 1)).bytes());
    let source = Source::Directory(Directory::new(volume.path()));
    let following = source.begin(desk.intake.clone(), changed).await;
    assert_eq!(
        desk.running(),
        Some(("a".into(), 1)),
        "what is there already runs at once"
    );
    assert_eq!(*seen.borrow(), 1);
    let task = tokio::spawn(following.follow());
    let mut acknowledgement = desk.intake.acknowledgement();

    // The file alone is never looked at: a half-written one under the same link is not seen.
    fs::write(volume.path().join("..1").join(DOCUMENT_FILE), b"{").unwrap();
    mount(volume.path(), "..2", encode(&stamped("a", 2)).bytes());
    until(&mut acknowledgement, 2).await;
    assert_eq!(acknowledgement.borrow().last_error, None);
    // A broken one is told, the next good one mends it.
    mount(volume.path(), "..3", b"{");
    acknowledgement
        .wait_for(|now| now.last_error.is_some())
        .await
        .unwrap();
    assert_eq!(desk.running(), Some(("a".into(), 2)));
    mount(volume.path(), "..4", encode(&stamped("b", 1)).bytes());
    until(&mut acknowledgement, 1).await;
    assert_eq!(desk.running(), Some(("b".into(), 1)));
    // What could not be read is read as soon as it can be, without another switch.
    fs::create_dir(volume.path().join("..5")).unwrap();
    switch(volume.path(), "..5");
    let unreadable = |now: &Acknowledgement| {
        let error = now.last_error.as_ref();
        error.is_some_and(|error| error.code == ConfigErrorCode::Unreadable)
    };
    acknowledgement.wait_for(unreadable).await.unwrap();
    let late = volume.path().join("..5").join("late");
    fs::write(&late, encode(&stamped("b", 2)).bytes()).unwrap();
    fs::rename(late, volume.path().join("..5").join(DOCUMENT_FILE)).unwrap();
    until(&mut acknowledgement, 2).await;
    task.abort();
}

#[tokio::test]
async fn a_plain_directory_and_a_channel_are_followed_too() {
    let plain = tempfile::tempdir().unwrap();
    let desk = Desk::new();
    let source = Source::Directory(Directory::new(plain.path()));
    let following = source.begin(desk.intake.clone(), watch::Sender::new(0)).await;
    assert_eq!(desk.running(), None);
    assert_eq!(
        desk.intake
            .acknowledgement()
            .borrow()
            .last_error
            .as_ref()
            .map(|error| error.code),
        Some(ConfigErrorCode::Unreadable)
    );
    let task = tokio::spawn(following.follow());
    fs::write(plain.path().join(DOCUMENT_FILE), encode(&stamped("a", 3)).bytes()).unwrap();
    until(&mut desk.intake.acknowledgement(), 3).await;
    task.abort();

    let desk = Desk::new();
    let (documents, receiver) = watch::channel(Some(encode(&stamped("a", 1))));
    let following = Source::Channel(receiver)
        .begin(desk.intake.clone(), watch::Sender::new(0))
        .await;
    assert_eq!(desk.running(), Some(("a".into(), 1)));
    let task = tokio::spawn(following.follow());
    documents.send(Some(encode(&stamped("a", 2)))).unwrap();
    until(&mut desk.intake.acknowledgement(), 2).await;
    drop(documents);
    task.await.unwrap();
}

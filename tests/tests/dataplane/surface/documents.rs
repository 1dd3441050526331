//! Documents that change, and files that are none.

use super::{LIMIT, two_members};
use crate::dataplane::rig::{CLIENT_KEY, Setup, chat, post, provider};
use futures::future::join_all;
use keypool_fake_provider::{Answer, Latency, Rule, Stream};
use keypool_proxy::config::{Directory, Source};
use keypool_tests::wait;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

#[tokio::test]
async fn documents_change_under_load_and_nobody_notices() {
    let fakes = [provider(&["a0", "a1", "a2"]), provider(&["b0"])];
    let long = Stream {
        events: Some(100),
        cadence: Some(Latency::millis(10)),
        ..Stream::default()
    };
    fakes[0].add_rule(Rule::new(Answer {
        stream: Some(long),
        ..Answer::default()
    }));
    let rig = two_members(&fakes[0], &fakes[1]).start().await;
    let (done, served) = (AtomicBool::new(false), AtomicUsize::new(0));
    let client = |streamed: bool| {
        let (rig, done, served) = (&rig, &done, &served);
        async move {
            while !done.load(Ordering::Relaxed) {
                let reply = rig.exchange(post(&chat("gpt", streamed))).await;
                assert_eq!((reply.status, reply.whole), (200, true), "{}", reply.text());
                served.fetch_add(1, Ordering::Relaxed);
            }
        }
    };
    let writer = async {
        let mut generation = 1;
        for round in 0..24 {
            generation += 1;
            let keys: &[&str] = if round % 2 == 0 {
                &["a0", "a1", "a2"]
            } else {
                &["a1"]
            };
            let mut setup = Setup::new()
                .member("a", &fakes[0], keys)
                .member("b", &fakes[1], &["b0"]);
            let invalid = round % 4 == 3;
            if invalid {
                setup = setup.each_provider(|provider| provider.url = "not a url".into());
            }
            let before = served.load(Ordering::Relaxed);
            rig.write(setup.encoded(generation));
            let mut told = rig.proxy.acknowledgement();
            told.wait_for(|told| {
                if invalid {
                    told.last_error.is_some() && told.generation < generation
                } else {
                    told.last_error.is_none() && told.generation == generation
                }
            })
            .await
            .unwrap();
            // Some traffic under each of them.
            wait::until("traffic", LIMIT, async || {
                if served.load(Ordering::Relaxed) >= before + 10 {
                    Ok(())
                } else {
                    Err(())
                }
            })
            .await
            .unwrap();
            let good = rig.metric("keypool_config_last_reload_successful").await;
            assert_eq!(good, Some(if invalid { 0.0 } else { 1.0 }));
        }
        done.store(true, Ordering::Relaxed);
    };
    let clients = join_all((0..8).map(|number| client(number % 2 == 0)));
    futures::future::join(clients, writer).await;
    rig.finish(&fakes.each_ref()).await;
}

#[tokio::test]
async fn a_file_that_is_no_document_leaves_the_last_good_one() {
    let fake = provider(&["a0"]);
    let directory = tempfile::tempdir().unwrap();
    let write = |bytes: &[u8]| {
        let new = directory.path().join("new");
        std::fs::write(&new, bytes).unwrap();
        std::fs::rename(&new, directory.path().join("config.json")).unwrap();
    };
    let setup = || Setup::new().member("a", &fake, &["a0"]);
    let good = setup().encoded(7);
    write(good.bytes());
    let source = Source::Directory(Directory::new(directory.path()));
    let rig = setup().serve(source, None).await;
    assert_eq!(rig.chat().await.status, 200);
    let half = &good.bytes()[..good.bytes().len() / 2];
    let future = String::from_utf8(good.bytes().to_vec())
        .unwrap()
        .replace("\"schemaVersion\":1", "\"schemaVersion\":9");
    let large = vec![b' '; 2 * 1024 * 1024];
    for bytes in [
        b"".as_slice(),
        b"{}",
        b"\xff\xfe",
        half,
        future.as_bytes(),
        &large,
    ] {
        write(bytes);
        let mut told = rig.proxy.acknowledgement();
        told.wait_for(|told| told.last_error.is_some()).await.unwrap();
        assert_eq!(told.borrow().generation, 7);
        assert_eq!(rig.chat().await.status, 200);
        write(good.bytes());
        told.wait_for(|told| told.last_error.is_none()).await.unwrap();
    }
    std::fs::remove_file(directory.path().join("config.json")).unwrap();
    let mut told = rig.proxy.acknowledgement();
    told.wait_for(|told| told.last_error.is_some()).await.unwrap();
    assert_eq!(rig.chat().await.status, 200);
    // A client's key that is taken away ends with the document.
    let closed = setup().change(|content| content.groups[0].client_access.keys.clear());
    write(closed.encoded(8).bytes());
    told.wait_for(|told| told.generation == 8).await.unwrap();
    let reply = rig.chat().await;
    assert_eq!((reply.status, &*reply.code()), (401, "invalid_client_key"));
    assert!(!reply.text().contains(CLIENT_KEY));
    rig.finish(&[&fake]).await;
}

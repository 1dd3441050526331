//! Where and how answers break, on the wire.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::io::Write as _;
use std::time::Duration;

use common::{End, ask, chat, connect, dechunk, exchange_for, read_end, status, until};
use keypool_fake_provider::{
    Answer, CloseHow, Cut, CutHow, CutPoint, FakeProvider, Latency, ListenerMode, ListenerName, Options,
    Outcome, Rule,
};

fn fake() -> FakeProvider {
    FakeProvider::start(Options::default()).unwrap()
}

fn broken(fake: &FakeProvider, answer: Answer, stream: bool) -> (String, End) {
    fake.clear_rules();
    fake.add_rule(Rule::new(answer));
    exchange_for(fake, &chat("k", stream), Duration::from_secs(10))
}

#[test]
fn streams_break_at_each_point() {
    let fake = fake();
    let (_, whole) = ask(&fake, &chat("k", true));
    let events: Vec<&str> = whole.split_inclusive("\n\n").collect();
    let before_done = &whole[..whole.len() - "data: [DONE]\n\n".len()];
    for (at, expected) in [
        (CutPoint::AfterHead, String::new()),
        (CutPoint::AfterFirstEvent, events[0].to_owned()),
        (CutPoint::AfterEvents(3), events[..3].concat()),
        (CutPoint::BeforeDone, before_done.to_owned()),
        (CutPoint::Bytes(777), whole[..777].to_owned()),
    ] {
        for (how, end) in [(CutHow::Close, End::Fin), (CutHow::Reset, End::Reset)] {
            let (text, ended) = broken(&fake, Answer::cut(at, how), true);
            let (head, body) = text.split_once("\r\n\r\n").unwrap();
            assert_eq!(
                (status(head), dechunk(body), ended),
                (200, expected.clone(), end),
                "{at:?} {how:?}"
            );
            assert!(
                !text.ends_with("0\r\n\r\n"),
                "{at:?} {how:?}: the body was terminated"
            );
            until("the cut is in the log", || {
                fake.log(0).last().unwrap().outcome == Outcome::Cut
            });
            assert_eq!(fake.log(0).last().unwrap().bytes_sent, expected.len() as u64);
        }
    }
}

#[test]
fn a_clean_end_without_done_looks_whole() {
    let fake = fake();
    let (text, _) = {
        fake.add_rule(Rule::new(Answer::cut(CutPoint::BeforeDone, CutHow::Clean)));
        ask(&fake, &chat("k", true))
    };
    assert_eq!(status(&text), 200);
    let (_, body) = ask(&fake, &chat("k", true));
    assert!(!body.contains("[DONE]") && body.contains(r#""finish_reason":"stop""#));
}

#[test]
fn json_breaks_within_its_length() {
    let fake = fake();
    let (_, whole) = ask(&fake, &chat("k", false));
    let (text, end) = broken(&fake, Answer::cut(CutPoint::Bytes(100), CutHow::Close), false);
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    assert_eq!(
        common::header(head, "content-length"),
        Some(whole.len().to_string().as_str())
    );
    assert_eq!((body, end), (&whole[..100], End::Fin));
}

#[test]
fn no_byte_comes_before_the_head() {
    let fake = fake();
    for (how, end) in [(CutHow::Close, End::Fin), (CutHow::Reset, End::Reset)] {
        assert_eq!(
            broken(&fake, Answer::cut(CutPoint::BeforeHead, how), false),
            (String::new(), end)
        );
    }
}

#[test]
fn a_head_breaks_in_the_middle() {
    let fake = fake();
    for how in [CutHow::Close, CutHow::Reset] {
        let (text, _) = broken(&fake, Answer::cut(CutPoint::WireBytes(20), how), false);
        assert_eq!(text, "HTTP/1.1 200 OK\r\ncon");
    }
    fake.clear_rules();
    assert_eq!(status(&ask(&fake, &chat("k", false)).0), 200);
}

#[test]
fn a_stall_and_a_blackhole_are_silent_until_the_client_leaves() {
    let fake = fake();
    for answer in [
        Answer::cut(CutPoint::AfterFirstEvent, CutHow::Stall),
        Answer::blackhole(),
    ] {
        fake.clear_rules();
        fake.clear_log();
        fake.add_rule(Rule::new(answer));
        let (_, end) = exchange_for(&fake, &chat("k", true), Duration::from_millis(200));
        assert_eq!(end, End::Silence);
        until("the client's leaving is in the log", || {
            fake.log(0)[0].outcome == Outcome::ClientGone
        });
        assert!(fake.log(0)[0].ended_ms.is_some());
    }
}

#[test]
fn a_client_that_leaves_a_paced_stream_is_noticed() {
    let fake = fake();
    let answer = Answer {
        first_event: Some(Latency::millis(3_600_000)),
        ..Answer::default()
    };
    fake.add_rule(Rule::new(answer));
    let mut tcp = connect(&fake);
    tcp.write_all(chat("k", true).as_bytes()).unwrap();
    until("the request is there", || !fake.log(0).is_empty());
    drop(tcp);
    until("its end is noticed", || {
        fake.log(0)[0].outcome == Outcome::ClientGone
    });
    assert_eq!(fake.log(0)[0].bytes_sent, 0);
}

#[test]
fn raw_bytes_and_interim_answers_go_on_the_wire() {
    let fake = fake();
    let raw = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\nnonsense";
    let (text, end) = broken(
        &fake,
        Answer {
            raw: Some(raw.to_owned()),
            ..Answer::default()
        },
        false,
    );
    assert_eq!((text.as_str(), end), (raw, End::Fin));
    fake.clear_rules();
    fake.add_rule(Rule::new(Answer {
        interim: vec![103, 103],
        ..Answer::default()
    }));
    let mut tcp = connect(&fake);
    tcp.write_all(
        chat("k", false)
            .replacen("\r\n\r\n", "\r\nconnection: close\r\n\r\n", 1)
            .as_bytes(),
    )
    .unwrap();
    let (text, _) = read_end(&mut tcp);
    assert_eq!(
        (
            text.matches("HTTP/1.1 103").count(),
            text.matches("HTTP/1.1 200").count()
        ),
        (2, 1),
        "{text}"
    );
}

#[tokio::test]
async fn a_listener_refuses_and_comes_back_on_its_port() {
    let fake = fake();
    let address = fake.addresses().http.unwrap();
    assert!(fake.set_listener(ListenerName::Http, ListenerMode::Refuse).await);
    let refused = std::net::TcpStream::connect(address).unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
    assert!(fake.set_listener(ListenerName::Http, ListenerMode::Open).await);
    assert_eq!(status(&ask(&fake, &chat("k", false)).0), 200);
    assert!(!fake.set_listener(ListenerName::Https, ListenerMode::Refuse).await);
}

#[tokio::test]
async fn a_listener_hangs_up_after_accept() {
    let fake = fake();
    for (mode, end) in [
        (ListenerMode::CloseAfterAccept, End::Fin),
        (ListenerMode::ResetAfterAccept, End::Reset),
        (ListenerMode::Silent, End::Silence),
    ] {
        fake.set_listener(ListenerName::Http, mode).await;
        let mut tcp = connect(&fake);
        tcp.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
        assert_eq!(read_end(&mut tcp), (String::new(), end), "{mode:?}");
    }
    assert!(fake.log(0).is_empty());
}

#[test]
fn open_connections_are_closed_on_command() {
    let fake = fake();
    for (how, end) in [(CloseHow::Close, End::Fin), (CloseHow::Reset, End::Reset)] {
        let mut idle = connect(&fake);
        until("it is open", || fake.counts().open_connections == 1);
        assert_eq!(fake.close_connections(how), 1);
        assert_eq!(read_end(&mut idle), (String::new(), end));
        until("it is gone", || fake.counts().open_connections == 0);
    }
}

#[test]
fn an_exchange_that_is_closed_on_command_is_told_as_such() {
    let fake = fake();
    fake.add_rule(Rule::new(Answer::blackhole()));
    let mut tcp = connect(&fake);
    tcp.write_all(chat("k", false).as_bytes()).unwrap();
    until("the request is there", || {
        fake.log(0).first().is_some_and(|entry| entry.body_len > 0)
    });
    fake.close_connections(CloseHow::Close);
    assert_eq!(read_end(&mut tcp), (String::new(), End::Fin));
    until("its end is told", || fake.log(0)[0].outcome == Outcome::Closed);
}

#[test]
fn an_early_answer_does_not_wait_for_the_body() {
    let fake = fake();
    fake.add_rule(Rule::new(Answer {
        early: true,
        ..Answer::status(413)
    }));
    let mut tcp = connect(&fake);
    let head = "POST /v1/chat/completions HTTP/1.1\r\nhost: fake\r\ncontent-length: 100000\r\n\r\n";
    tcp.write_all(head.as_bytes()).unwrap();
    let (text, end) = read_end(&mut tcp);
    assert_eq!((status(&text), end), (413, End::Fin));
    assert_eq!((fake.log(0)[0].status, fake.log(0)[0].body_len), (Some(413), 0));
}

#[test]
fn a_cut_is_for_one_exchange_only() {
    let fake = fake();
    let cut = Some(Cut {
        at: CutPoint::Bytes(u64::MAX),
        how: CutHow::Clean,
    });
    fake.add_rule(
        Rule::new(Answer {
            cut,
            interim: vec![103],
            ..Answer::default()
        })
        .times(1),
    );
    let mut tcp = connect(&fake);
    tcp.write_all(chat("k", false).as_bytes()).unwrap();
    until("the first is answered", || {
        fake.log(0)
            .first()
            .is_some_and(|e| e.outcome == Outcome::Complete)
    });
    tcp.write_all(
        chat("k", false)
            .replacen("\r\n\r\n", "\r\nconnection: close\r\n\r\n", 1)
            .as_bytes(),
    )
    .unwrap();
    let (text, end) = read_end(&mut tcp);
    assert_eq!(
        (
            text.matches("HTTP/1.1 103").count(),
            text.matches("HTTP/1.1 200").count(),
            end
        ),
        (1, 2, End::Fin)
    );
    assert_eq!(fake.counts().connections, 1);
}

use super::*;
use crate::{Answer, CutHow, CutPoint, FakeProvider, Options, Rule};

fn load(fake: &FakeProvider) -> LoadOptions {
    let target = fake.addresses().http.unwrap();
    LoadOptions {
        connections: 4,
        amount: Amount::Requests(100),
        ..LoadOptions::to(target)
    }
}

#[test]
fn so_many_requests_are_sent_and_all_are_answered() {
    let fake = FakeProvider::start(Options::default()).unwrap();
    for (stream, threads) in [(false, 1), (true, 2)] {
        fake.clear_log();
        let report = run(&LoadOptions {
            stream,
            threads,
            ..load(&fake)
        })
        .unwrap();
        assert_eq!(
            (report.answers, report.failures(), fake.log(0).len()),
            (100, 0, 100),
            "{report:?}"
        );
        assert_eq!(report.events, if stream { 51 * 100 } else { 0 });
        let sent: u64 = fake.log(0).iter().map(|entry| entry.bytes_sent).sum();
        assert_eq!(report.body_bytes, sent);
    }
}

#[test]
fn an_open_loop_counts_from_the_intended_start() {
    let fake = FakeProvider::start(Options::default()).unwrap();
    let report = run(&LoadOptions {
        rate: Some(2_000.0),
        ..load(&fake)
    })
    .unwrap();
    assert_eq!((report.answers, report.failures()), (100, 0), "{report:?}");
    assert!(report.seconds >= 0.049, "{report:?}");
    assert_eq!(report.start_delay.count, 100);
}

#[test]
fn cuts_and_refusals_are_no_answers() {
    let fake = FakeProvider::start(Options::default()).unwrap();
    fake.add_rule(Rule::new(Answer::cut(CutPoint::MidEvent, CutHow::Close)).times(10));
    fake.add_rule(Rule::new(Answer::cut(CutPoint::BeforeDone, CutHow::Clean)).times(10));
    fake.add_rule(Rule::new(Answer::status(500)).times(10));
    let report = run(&LoadOptions {
        stream: true,
        ..load(&fake)
    })
    .unwrap();
    assert_eq!((report.answers, report.failures()), (70, 30), "{report:?}");
    assert_eq!(
        (report.errors["closed before the end"], report.errors["no [DONE]"]),
        (10, 10)
    );
    assert_eq!((report.statuses[&500], report.reconnects), (10, 10));
}

#[test]
fn stamped_events_tell_their_delay() {
    let mut options = Options::default();
    let stream = crate::Stream {
        stamp: true,
        ..crate::Stream::default()
    };
    options.scenario.normal.stream = Some(stream);
    let fake = FakeProvider::start(options).unwrap();
    let report = run(&LoadOptions {
        stream: true,
        stamped: true,
        ..load(&fake)
    })
    .unwrap();
    assert_eq!(
        (report.answers, report.event_delay.count),
        (100, 50 * 100),
        "{report:?}"
    );
}

#[test]
fn nothing_to_do_or_nobody_there_is_an_error() {
    let free = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    assert!(matches!(
        run(&LoadOptions::to(free)),
        Err(LoadError::Connect { .. })
    ));
    assert!(matches!(
        run(&LoadOptions {
            connections: 0,
            ..LoadOptions::to(free)
        }),
        Err(LoadError::Nothing)
    ));
}

#[test]
fn a_target_that_is_gone_ends_in_errors_and_not_in_a_stack() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let options = LoadOptions {
        amount: Amount::Requests(50),
        ..LoadOptions::to(listener.local_addr().unwrap())
    };
    let running = thread::spawn(move || run(&options));
    drop(listener.accept().unwrap());
    drop(listener);
    let report = running.join().unwrap().unwrap();
    let lost: u64 = ["write", "read", "closed before the end"]
        .iter()
        .filter_map(|what| report.errors.get(*what))
        .sum();
    assert_eq!((report.answers, lost), (0, 50), "{report:?}");
}

//! What other processes saw.

use std::time::Duration;

use keypool_balance::health::{KeyReason, KeyState};
use keypool_balance::verdict::{Advice, CoolingReason, Finding, ForeignId, Scope, VerdictId};
use keypool_balance::{Advisory, Config, Observation, ProbeVerdict, Time};

use crate::world::{MODEL, World, dead, group, key, member, pool, provider, rate};

fn advisory(sequence: u64, advice: Advice) -> Advisory {
    Advisory {
        id: ForeignId {
            instance: "other".into(),
            sequence,
        },
        provider: "p".into(),
        advice,
    }
}

fn foreign(sequence: u64) -> VerdictId {
    VerdictId::Foreign(ForeignId {
        instance: "other".into(),
        sequence,
    })
}

fn limited(name: &str, until: Time, soft: bool) -> Advice {
    let scope = Scope {
        fingerprint: key(name).fingerprint,
        quota_group: true,
        model: Some(MODEL.into()),
    };
    Advice::Cooling {
        scope,
        reason: CoolingReason::RateLimited,
        until,
        soft,
    }
}

fn in_secs(world: &World, secs: u64) -> Time {
    world.now.after(Duration::from_secs(secs))
}

#[test]
fn advised_rests_hold_and_are_never_told_back() {
    let mut world = World::of(pool(&["a", "b"]));
    let until = in_secs(&world, 45);
    world
        .balancer
        .apply_advisories(&[advisory(1, limited("a", until, false))], world.now);
    assert_eq!(world.counts(100), [0, 100]);
    assert_eq!(world.state(0), (KeyState::CoolingDown, KeyReason::RateLimited));
    assert_eq!(world.health(0, 0).until, Some(until));
    let told = world.findings();
    assert!(
        told.iter()
            .all(|finding| matches!(finding, Finding::Proven { .. })),
        "{told:?}"
    );
    let snapshot = world.balancer.reports_since(None, world.now);
    assert!(
        snapshot
            .reports
            .iter()
            .all(|report| !matches!(report.finding, Finding::Cooling { .. }))
    );
    world.now = until;
    let trial = world.once(Observation::Success);
    assert_eq!((trial.credential, trial.trial), (0, true));
    let refuted = world.findings();
    assert!(
        refuted.contains(&Finding::Refuted {
            verdicts: vec![foreign(1)]
        }),
        "{refuted:?}"
    );
}

#[test]
fn the_later_deadline_of_own_and_advised_counts() {
    for (own, advised) in [(30, 200), (200, 30)] {
        let mut world = World::of(pool(&["a"]));
        world.once(rate(Some(own)));
        let own_until = world.health(0, 0).until.unwrap();
        let advised_until = in_secs(&world, advised);
        world
            .balancer
            .apply_advisories(&[advisory(1, limited("a", advised_until, false))], world.now);
        assert_eq!(world.health(0, 0).until, Some(own_until.max(advised_until)));
        world.balancer.apply_advisories(&[], world.now);
        if own > advised {
            assert_eq!(
                world.health(0, 0).until,
                Some(own_until),
                "the own verdict stands"
            );
        }
    }
}

#[test]
fn an_advice_that_is_withdrawn_leaves_one_trial() {
    let mut world = World::of(pool(&["a", "b"]));
    let until = in_secs(&world, 300);
    world
        .balancer
        .apply_advisories(&[advisory(1, limited("a", until, false))], world.now);
    world.balancer.apply_advisories(&[], world.now);
    let (trial, _) = world.pick();
    assert_eq!((trial.credential, trial.trial), (0, true));
    assert_eq!(world.pick().0.credential, 1);
}

#[test]
fn a_message_that_took_longer_moves_nothing() {
    let mut world = World::of(pool(&["a"]));
    let until = in_secs(&world, 45);
    for until in [until, Time::from_nanos(until.as_nanos() - 3_000_000), until] {
        world
            .balancer
            .apply_advisories(&[advisory(1, limited("a", until, false))], world.now);
    }
    assert_eq!(world.health(0, 0).until, Some(until));
}

#[test]
fn what_is_over_or_not_ours_changes_nothing() {
    let mut world = World::of(pool(&["a", "b"]));
    let until = in_secs(&world, 45);
    let foreign_provider = Advisory {
        provider: "elsewhere".into(),
        ..advisory(1, limited("a", until, false))
    };
    let over = advisory(2, limited("a", world.now, false));
    let unknown = advisory(3, limited("nobody", until, false));
    let scope = Scope {
        fingerprint: key("a").fingerprint,
        quota_group: true,
        model: Some("unused".into()),
    };
    let unused = advisory(4, Advice::Exhausted { scope, until });
    world
        .balancer
        .apply_advisories(&[foreign_provider, over, unknown, unused], world.now);
    assert!(!world.pick().0.trial);
    assert_eq!(world.counts(10), [5, 5]);
}

#[test]
fn a_refuted_advice_does_not_come_back_under_its_name() {
    let mut world = World::of(pool(&["a"]));
    let until = in_secs(&world, 45);
    let advised = [advisory(1, limited("a", until, true))];
    world.balancer.apply_advisories(&advised, world.now);
    world.refused();
    world.secs(5);
    assert!(
        world.once(Observation::Success).trial,
        "a soft one may be tried early"
    );
    world.balancer.apply_advisories(&advised, world.now);
    assert!(!world.pick().0.trial);
    let until = in_secs(&world, 45);
    world
        .balancer
        .apply_advisories(&[advisory(2, limited("a", until, true))], world.now);
    world.refused();
}

#[test]
fn a_hinted_advice_is_not_tried_early() {
    let mut world = World::of(pool(&["a"]));
    let until = in_secs(&world, 45);
    world
        .balancer
        .apply_advisories(&[advisory(1, limited("a", until, false))], world.now);
    world.secs(44);
    assert_eq!(world.refused().earliest, Some(until));
}

#[test]
fn an_advised_dead_key_is_looked_at_slowly_by_this_process_too() {
    let mut world = World::of(pool(&["a", "b"]));
    let advised = [advisory(
        7,
        Advice::Invalid {
            fingerprint: key("a").fingerprint,
        },
    )];
    for _ in 0..3 {
        world.balancer.apply_advisories(&advised, world.now);
    }
    assert_eq!(world.state(0), (KeyState::Invalid, KeyReason::RefusedByProvider));
    assert_eq!((world.counts(10), world.asked()), (vec![0, 10], vec![]));
    world.secs(900);
    world.balancer.apply_advisories(&advised, world.now);
    assert_eq!(world.asked(), [key("a").fingerprint]);
    world.secs(890);
    assert_eq!(world.asked(), []);
    let probe = world.balancer.start_probe("p", &key("a").fingerprint).unwrap();
    world.balancer.confirm(&probe, ProbeVerdict::Valid, world.now);
    assert!(world.findings().contains(&Finding::Refuted {
        verdicts: vec![foreign(7)]
    }));
    world.balancer.apply_advisories(&advised, world.now);
    assert_eq!(world.state(0), (KeyState::Healthy, KeyReason::CooldownOver));
}

#[test]
fn a_success_that_was_sent_before_the_advice_refutes_nothing() {
    let mut world = World::of(pool(&["a"]));
    let (pick, mut attempts) = world.pick();
    let until = in_secs(&world, 45);
    world
        .balancer
        .apply_advisories(&[advisory(1, limited("a", until, false))], world.now);
    world.settle(&pick, Observation::Success, &mut attempts);
    world.refused();
}

#[test]
fn advice_is_kept_for_a_configuration_to_come() {
    let mut world = World::of(pool(&["b"]));
    let until = in_secs(&world, 300);
    world
        .balancer
        .apply_advisories(&[advisory(1, limited("a", until, false))], world.now);
    assert_eq!(world.counts(4), [4]);
    world.balancer.update(pool(&["a", "b"]), world.now).unwrap();
    assert_eq!(world.counts(10), [0, 10]);
    world.balancer.update(pool(&["b", "a"]), world.now).unwrap();
    assert_eq!(world.counts(10), [10, 0]);
}

#[test]
fn advice_of_a_key_and_of_a_quota_group() {
    let shared = |name: &str| keypool_balance::config::CredentialConfig {
        quota_group: Some("org".into()),
        ..key(name)
    };
    let config = Config {
        providers: vec![provider("p", vec![shared("a"), shared("b"), key("c")])],
        groups: vec![group(vec![member("p")])],
    };
    let mut world = World::of(config.clone());
    let until = in_secs(&world, 300);
    let whole = Scope {
        fingerprint: key("b").fingerprint,
        quota_group: true,
        model: None,
    };
    world.balancer.apply_advisories(
        &[advisory(
            1,
            Advice::Exhausted {
                scope: whole.clone(),
                until,
            },
        )],
        world.now,
    );
    assert_eq!(world.counts(9), [0, 0, 9]);
    assert_eq!(world.state(0), (KeyState::Exhausted, KeyReason::CreditExhausted));
    let mut world = World::of(config);
    let alone = Scope {
        quota_group: false,
        ..whole
    };
    let refused = Advice::Cooling {
        scope: alone,
        reason: CoolingReason::Refused,
        until,
        soft: false,
    };
    world
        .balancer
        .apply_advisories(&[advisory(1, refused)], world.now);
    let counts = world.counts(10);
    assert_eq!(counts[1], 0);
    assert!(counts[0] >= 4 && counts[2] >= 4, "{counts:?}");
}

#[test]
fn a_reader_gets_what_it_lacks_or_a_snapshot() {
    let mut world = World::of(pool(&["a", "b"]));
    world.hit(0, 0, rate(Some(45)));
    world.hit(0, 1, dead());
    let all = world.balancer.reports_since(Some(0), world.now);
    assert!(!all.snapshot);
    assert_eq!(all.reports.len() as u64, all.sequence);
    let some = world.balancer.reports_since(Some(2), world.now);
    assert_eq!(some.reports[..], all.reports[2..]);
    assert!(
        world
            .balancer
            .reports_since(Some(all.sequence), world.now)
            .reports
            .is_empty()
    );
    let ahead = world.balancer.reports_since(Some(all.sequence + 1), world.now);
    assert!(ahead.snapshot, "a number of another process");
    let snapshot = world.balancer.reports_since(None, world.now);
    assert!(
        snapshot
            .reports
            .iter()
            .all(|report| all.reports.iter().any(|told| told.sequence == report.sequence))
    );
    let cooling = |reports: &[keypool_balance::Report]| {
        reports
            .iter()
            .filter(|report| matches!(report.finding, Finding::Cooling { .. }))
            .count()
    };
    assert_eq!(cooling(&snapshot.reports), 2);
    world.secs(80);
    assert_eq!(
        cooling(&world.balancer.reports_since(None, world.now).reports),
        0,
        "over is over"
    );
}

#[test]
fn a_snapshot_names_what_was_refuted_as_long_as_it_is_advised() {
    let mut world = World::of(pool(&["a"]));
    let refuted = |world: &World| -> Vec<_> {
        let reports = world.balancer.reports_since(None, world.now).reports;
        let reports = reports
            .into_iter()
            .filter(|report| matches!(report.finding, Finding::Refuted { .. }));
        reports.map(|report| (report.at, report.finding)).collect()
    };
    let dead = Advice::Invalid {
        fingerprint: key("a").fingerprint,
    };
    world
        .balancer
        .apply_advisories(&[advisory(5, dead.clone())], world.now);
    world.probe("a", ProbeVerdict::Valid);
    let mended = world.now;
    world.secs(30);
    let verdicts = vec![foreign(5)];
    assert_eq!(refuted(&world), [(mended, Finding::Refuted { verdicts })]);
    // It does not come back with another configuration either.
    world.balancer.update(pool(&["a", "b"]), world.now).unwrap();
    assert_eq!(world.state(0), (KeyState::Healthy, KeyReason::CooldownOver));
    world.balancer.apply_advisories(&[], world.now);
    assert_eq!(refuted(&world), []);
}

#[test]
fn what_a_refutation_proved_is_proven_anew_in_a_snapshot() {
    type Mend = fn(&mut World);
    let ways: [(bool, Mend); 4] = [
        (true, |world| world.probe("a", ProbeVerdict::Valid)),
        (true, |world| {
            world.once(Observation::Success);
        }),
        (true, |world| world.balancer.clear_cooldown("p", &[], world.now)),
        (false, |world| world.probe("a", ProbeVerdict::Dead)),
    ];
    for (index, (mends, mend)) in ways.into_iter().enumerate() {
        let mut world = World::of(pool(&["a"]));
        world.once(Observation::Success);
        let (served, _) = proof(&world);
        world.secs(600);
        match index {
            1 => drop(world.once(rate(Some(60)))),
            _ => world.probe("a", ProbeVerdict::Dead),
        }
        world.secs(60);
        assert_eq!(proof(&world).0, served, "a verdict proves nothing");
        world.secs(30);
        mend(&mut world);
        let proven = if mends { world.now } else { served };
        world.secs(5);
        assert_eq!(proof(&world), (proven, 1), "way {index}");
    }
}

/// When the one value was proven, as a snapshot tells it, and under which number.
fn proof(world: &World) -> (Time, u64) {
    let snapshot = world.balancer.reports_since(None, world.now);
    let mut reports = snapshot.reports.into_iter();
    let proven = reports.find(|report| matches!(report.finding, Finding::Proven { .. }));
    proven.map(|report| (report.at, report.sequence)).unwrap()
}

#[test]
fn a_reader_that_lags_far_gets_a_snapshot() {
    let mut world = World::of(pool(&["a"]));
    for _ in 0..5_000 {
        world.once(rate(Some(45)));
        world.secs(75);
    }
    let late = world.balancer.reports_since(Some(0), world.now);
    assert!(late.snapshot && late.reports.len() < 10);
    assert!(
        !world
            .balancer
            .reports_since(Some(late.sequence - 100), world.now)
            .snapshot
    );
}

//! The transitions, one by one.

use std::time::Duration;

use super::phase::{Event, Phase};
use crate::gate::{Gate, Lease};
use crate::ids::Tick;
use crate::time::Time;

const fn at(secs: u64) -> Time {
    Time::from_millis(secs * 1_000)
}

fn lease(holder: u64, until: u64) -> Lease {
    Lease {
        holder: Tick(holder),
        until: at(until),
    }
}

fn success(sent: u64, known: u64) -> Event {
    Event::Success {
        sent: Tick(sent),
        known: Tick(known),
    }
}

fn resting(until: u64) -> Phase {
    Phase::Resting {
        until: at(until),
        early: None,
    }
}

fn early(until: u64, held: Lease) -> Phase {
    Phase::Resting {
        until: at(until),
        early: Some(held),
    }
}

fn half_open(since: u64) -> Phase {
    Phase::HalfOpen {
        since: at(since),
        trial: None,
    }
}

fn on_trial(since: u64, held: Lease) -> Phase {
    Phase::HalfOpen {
        since: at(since),
        trial: Some(held),
    }
}

fn slow(halvings: u8, since: u64, until: u64) -> Phase {
    Phase::SlowStart {
        halvings,
        since: Tick(since),
        until: at(until),
    }
}

#[test]
fn every_transition_at_second_100() {
    let held = lease(7, 130);
    let verdict = |until| Event::Verdict { until: at(until) };
    let table = [
        ("a verdict rests", Phase::Clear, verdict(150), resting(150)),
        (
            "the caller gives the later deadline",
            resting(120),
            verdict(150),
            resting(150),
        ),
        (
            "an early trial stays out",
            early(120, held),
            verdict(150),
            early(150, held),
        ),
        (
            "a failed trial rests again",
            half_open(90),
            verdict(150),
            resting(150),
        ),
        (
            "a trial that is out stays the only one",
            on_trial(90, held),
            verdict(150),
            early(150, held),
        ),
        (
            "a slow start ends with a verdict",
            slow(2, 5, 140),
            verdict(150),
            resting(150),
        ),
        (
            "a verdict that is over asks for a trial",
            Phase::Clear,
            verdict(90),
            half_open(100),
        ),
        ("and keeps the moment", half_open(95), verdict(90), half_open(95)),
        ("the rest is over", resting(100), Event::Elapsed, half_open(100)),
        ("noticed late", resting(60), Event::Elapsed, half_open(60)),
        ("not yet", resting(101), Event::Elapsed, resting(101)),
        (
            "the early trial becomes the trial",
            early(100, held),
            Event::Elapsed,
            on_trial(100, held),
        ),
        (
            "unless its lease is over",
            early(100, lease(7, 100)),
            Event::Elapsed,
            half_open(100),
        ),
        (
            "an early lease ends",
            early(120, lease(7, 100)),
            Event::Elapsed,
            resting(120),
        ),
        (
            "a lease ends",
            on_trial(90, lease(7, 100)),
            Event::Elapsed,
            half_open(90),
        ),
        (
            "a lease holds",
            on_trial(90, held),
            Event::Elapsed,
            on_trial(90, held),
        ),
        ("a slow start ends", slow(3, 5, 100), Event::Elapsed, Phase::Clear),
        (
            "a slow start goes on",
            slow(3, 5, 101),
            Event::Elapsed,
            slow(3, 5, 101),
        ),
        ("a trial", half_open(90), Event::Trial(held), on_trial(90, held)),
        (
            "an early trial",
            resting(120),
            Event::Trial(held),
            early(120, held),
        ),
        (
            "no second trial",
            on_trial(90, held),
            Event::Trial(lease(8, 200)),
            on_trial(90, held),
        ),
        (
            "no second early trial",
            early(120, held),
            Event::Trial(lease(8, 200)),
            early(120, held),
        ),
        (
            "no trial without a rest",
            Phase::Clear,
            Event::Trial(held),
            Phase::Clear,
        ),
        (
            "given back",
            on_trial(90, held),
            Event::Undecided(Tick(7)),
            half_open(90),
        ),
        (
            "given back early",
            early(120, held),
            Event::Undecided(Tick(7)),
            resting(120),
        ),
        (
            "not by another",
            on_trial(90, held),
            Event::Undecided(Tick(8)),
            on_trial(90, held),
        ),
        (
            "a trial succeeds",
            on_trial(90, held),
            success(7, 20),
            slow(3, 20, 160),
        ),
        (
            "an early trial succeeds",
            early(120, held),
            success(7, 20),
            slow(3, 20, 160),
        ),
        ("a step", slow(3, 20, 160), success(21, 30), slow(2, 30, 160)),
        (
            "no step for what was sent before",
            slow(2, 30, 160),
            success(30, 40),
            slow(2, 30, 160),
        ),
        ("the last step", slow(1, 30, 160), success(31, 40), Phase::Clear),
        (
            "a success of the clear",
            Phase::Clear,
            success(31, 40),
            Phase::Clear,
        ),
        ("lifted", resting(120), Event::Lifted, half_open(100)),
        (
            "lifted while on trial",
            on_trial(90, held),
            Event::Lifted,
            on_trial(90, held),
        ),
        (
            "nothing to lift",
            slow(2, 30, 160),
            Event::Lifted,
            slow(2, 30, 160),
        ),
        ("reset", early(120, held), Event::Reset, Phase::Clear),
        ("reset half-open", on_trial(90, held), Event::Reset, Phase::Clear),
    ];
    for (name, from, event, to) in table {
        assert_eq!(from.on(event, at(100)), to, "{name}");
    }
}

#[test]
fn every_phase_but_a_free_trial_ends_by_itself() {
    let held = lease(7, 130);
    let table = [
        (Phase::Clear, Gate::OPEN, None),
        (resting(150), Gate::Block, Some(at(150))),
        (early(150, held), Gate::Block, Some(at(130))),
        (half_open(90), Gate::Trial, None),
        (on_trial(90, held), Gate::Block, Some(at(130))),
        (slow(2, 30, 160), Gate::Pass { slow: 2 }, Some(at(160))),
    ];
    for (phase, gate, deadline) in table {
        assert_eq!((phase.gate(), phase.deadline()), (gate, deadline), "{phase:?}");
        if let Some(deadline) = deadline {
            let later = phase.on(Event::Elapsed, deadline);
            assert_ne!(later, phase, "the deadline changes something");
            assert!(
                later
                    .deadline()
                    .is_none_or(|next| next.since(deadline) > Duration::ZERO)
            );
        }
    }
}

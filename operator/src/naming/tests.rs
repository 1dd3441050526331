use std::collections::{BTreeMap, BTreeSet};

use keypool_contract::exchange::FirstValidation;
use proptest::prelude::{Just, Strategy, any, prop, prop_oneof};
use proptest::test_runner::Config;
use proptest::{prop_assert, prop_assert_eq, proptest};

use super::{Naming, SILENT_AFTER, TOLD_WITHIN};
use crate::ledger::Unproven;
use crate::moment::Monotonic;
use crate::moment::tests::at;

fn key(name: &str) -> FirstValidation {
    FirstValidation {
        provider: "uid-p".into(),
        fingerprint: name.into(),
    }
}

fn untold(names: &[&str]) -> BTreeMap<FirstValidation, Unproven> {
    names.iter().map(|name| (key(name), Unproven::Untold)).collect()
}

/// Pods that all answered at the beginning.
fn naming(pods: &[&str]) -> Naming {
    let mut naming = Naming::default();
    pods.iter().for_each(|pod| naming.hear(pod, at(0).monotonic));
    naming
}

/// What a pod that runs the document is to validate.
fn ask(naming: &mut Naming, pod: &str, names: &[&str], second: i64) -> Vec<String> {
    let names = naming.names_for(pod, &untold(names), true, at(second).monotonic);
    names.keys.into_iter().map(|key| key.fingerprint).collect()
}

/// Pods answer, at this second.
fn hear(naming: &mut Naming, pods: &[&str], second: i64) {
    pods.iter().for_each(|pod| naming.hear(pod, at(second).monotonic));
}

const NONE: [&str; 0] = [];

#[test]
fn the_first_pod_that_runs_a_key_is_named_for_it_and_no_other() {
    let mut naming = naming(&["a", "b"]);
    let late = naming.names_for("a", &untold(&["f"]), false, at(0).monotonic);
    assert!(late.keys.is_empty(), "it does not run the key yet");
    assert_eq!(ask(&mut naming, "b", &["f"], 0), ["f"]);
    assert_eq!(ask(&mut naming, "a", &["f"], 0), NONE);
    assert_eq!(ask(&mut naming, "b", &["f"], 1), ["f"], "until it is proven");
    // A new document is on its way to it: what it has stays, what is new waits.
    let on_its_way = naming.names_for("b", &untold(&["f", "g"]), false, at(1).monotonic);
    assert_eq!(on_its_way.keys, [key("f")].into());
    assert_eq!(ask(&mut naming, "a", &["f", "g"], 1), ["g"]);
    assert_eq!(ask(&mut naming, "stranger", &["f"], 1), NONE);
    assert_eq!(ask(&mut naming, "b", &NONE, 2), NONE, "proven");
    assert_eq!(
        ask(&mut naming, "a", &["f", "g"], 2),
        ["f", "g"],
        "unproven again"
    );
}

#[test]
fn a_name_of_a_pod_that_is_gone_passes_on() {
    let mut all = naming(&["a", "b"]);
    ask(&mut all, "a", &["f"], 0);
    let mut gone = all.clone();
    assert!(gone.keep_instances(&["b".to_owned()].into()));
    assert!(!gone.keep_instances(&["b".to_owned()].into()));
    assert_eq!(ask(&mut gone, "b", &["f"], 0), ["f"]);

    let mut restarted = all.clone();
    assert!(!restarted.forget("b"), "it had no name");
    assert!(restarted.forget("a"));
    hear(&mut restarted, &["a2"], 1);
    assert_eq!(ask(&mut restarted, "a2", &["f"], 1), ["f"]);

    let silent = i64::try_from(SILENT_AFTER.as_secs()).unwrap();
    hear(&mut all, &["b"], silent);
    assert_eq!(ask(&mut all, "b", &["f"], silent - 1), NONE);
    assert_eq!(ask(&mut all, "b", &["f"], silent), ["f"]);
    hear(&mut all, &["a"], silent);
    assert_eq!(ask(&mut all, "a", &["f"], silent), NONE, "it comes back too late");
}

#[test]
fn a_pod_that_tells_nothing_gives_way_to_another_and_each_has_longer() {
    let mut naming = naming(&["a", "b"]);
    let mut second = 0;
    assert_eq!(ask(&mut naming, "a", &["f"], second), ["f"]);
    let mut holders = ["a", "b"];
    for bound in [30, 60, 120, 240, 480, 960, 960] {
        let [holder, other] = holders;
        hear(&mut naming, &holders, second + bound - 1);
        assert_eq!(
            ask(&mut naming, other, &["f"], second + bound - 1),
            NONE,
            "{bound}"
        );
        second += bound;
        hear(&mut naming, &holders, second);
        assert_eq!(
            ask(&mut naming, holder, &["f"], second),
            ["f"],
            "there is nobody else"
        );
        let taken = naming.names_for(other, &untold(&["f"]), true, at(second).monotonic);
        assert!(taken.taken && taken.keys.contains(&key("f")), "{bound}");
        assert_eq!(ask(&mut naming, holder, &["f"], second), NONE);
        holders.reverse();
    }
    // Who told that the call cannot tell has done its part.
    let told = [(key("f"), Unproven::NotVerifiable)].into();
    hear(&mut naming, &holders, 100_000);
    let [holder, other] = holders;
    let much_later = at(100_000).monotonic;
    assert!(naming.names_for(other, &told, true, much_later).keys.is_empty());
    assert_eq!(
        naming.names_for(holder, &told, true, much_later).keys,
        [key("f")].into()
    );
}

const PODS: [&str; 3] = ["a", "b", "c"];
const KEYS: [&str; 3] = ["f", "g", "h"];

#[derive(Clone, Debug)]
enum Step {
    /// Time passes, and the pods chosen answer at its end.
    Pass(i64, [bool; 3]),
    /// A pod's next exchange is put together.
    Ask(usize, bool),
    /// A key is proven, unproven, or cannot be verified.
    Key(usize, Option<bool>),
    /// A pod is gone; it may come back as an instance that was not heard.
    Gone(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        3 => (0..20_i64, any::<[bool; 3]>()).prop_map(|(seconds, answer)| Step::Pass(seconds, answer)),
        6 => (0..3_usize, prop::bool::weighted(0.8)).prop_map(|(pod, runs)| Step::Ask(pod, runs)),
        2 => (0..3_usize, prop_oneof![Just(None), Just(Some(false)), Just(Some(true))])
            .prop_map(|(key, told)| Step::Key(key, told)),
        1 => (0..3_usize).prop_map(Step::Gone),
    ];
    prop::collection::vec(step, 0..60)
}

/// A name that a pod was told.
#[derive(Clone, Copy, Debug)]
struct Held {
    pod: usize,
    since: Monotonic,
}

#[derive(Default)]
struct World {
    naming: Naming,
    second: i64,
    unproven: BTreeMap<FirstValidation, Unproven>,
    heard: BTreeMap<usize, Monotonic>,
    held: BTreeMap<FirstValidation, Held>,
}

impl World {
    fn now(&self) -> Monotonic {
        at(self.second).monotonic
    }

    fn hear(&mut self, pod: usize) {
        self.naming.hear(PODS[pod], self.now());
        self.heard.insert(pod, self.now());
    }

    fn live(&self, pod: usize) -> bool {
        self.heard
            .get(&pod)
            .is_some_and(|heard| self.now().since(*heard) < SILENT_AFTER)
    }

    /// A pod's names; the last one's right to each that it takes over has ended.
    fn ask(&mut self, pod: usize, runs: bool) -> Result<BTreeSet<FirstValidation>, String> {
        let now = self.now();
        let names = self.naming.names_for(PODS[pod], &self.unproven, runs, now).keys;
        for key in &names {
            let Some(told) = self.unproven.get(key) else {
                return Err(format!("{key:?} is proven"));
            };
            let before = self.held.get(key).copied();
            if let Some(before) = before.filter(|before| before.pod != pod) {
                let late = *told == Unproven::Untold && now.since(before.since) >= TOLD_WITHIN;
                if self.live(before.pod) && !late {
                    return Err(format!("{key:?} is {before:?}'s and {pod}'s at {now:?}"));
                }
            }
            if before.is_none_or(|before| before.pod != pod) {
                self.held.insert(key.clone(), Held { pod, since: now });
            }
        }
        self.held
            .retain(|key, held| held.pod != pod || names.contains(key));
        Ok(names)
    }

    fn step(&mut self, step: &Step) -> Result<(), String> {
        match *step {
            Step::Pass(seconds, answers) => {
                self.second += seconds;
                (0..3).filter(|pod| answers[*pod]).for_each(|pod| self.hear(pod));
            }
            Step::Ask(pod, runs) => {
                self.ask(pod, runs)?;
            }
            Step::Key(index, told) => {
                let key = key(KEYS[index]);
                match told {
                    None => {
                        self.unproven.remove(&key);
                    }
                    Some(false) => {
                        self.unproven.insert(key, Unproven::Untold);
                    }
                    Some(true) => {
                        self.unproven.insert(key, Unproven::NotVerifiable);
                    }
                }
            }
            Step::Gone(pod) => {
                self.heard.remove(&pod);
                self.naming.forget(PODS[pod]);
                self.held.retain(|_, held| held.pod != pod);
            }
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(Config { cases: 512, failure_persistence: None, ..Config::default() })]

    #[test]
    fn every_unproven_key_has_one_named_live_pod_and_never_two_within_the_bound(steps in steps()) {
        let mut world = World::default();
        for step in &steps {
            let done = world.step(step);
            prop_assert!(done.is_ok(), "{:?}", done);
        }
        // Whatever came before: once every living pod has asked, each key is named for one of them.
        world.hear(0);
        let live: Vec<usize> = (0..3).filter(|pod| world.live(*pod)).collect();
        for pod in &live {
            let asked = world.ask(*pod, true);
            prop_assert!(asked.is_ok(), "{:?}", asked);
        }
        let mut named = Vec::new();
        for pod in &live {
            named.extend(world.ask(*pod, true).unwrap_or_default());
        }
        named.sort();
        let unproven: Vec<_> = world.unproven.keys().cloned().collect();
        prop_assert_eq!(named, unproven);
    }
}

//! The README's scenario is one.
#![allow(clippy::unwrap_used)]

use keypool_fake_provider::{FakeProvider, Options, Scenario};

#[test]
fn the_scenario_of_the_readme_is_served() {
    let readme = include_str!("../README.md");
    let yaml = readme
        .split("```yaml\n")
        .nth(1)
        .and_then(|rest| rest.split("```").next())
        .unwrap();
    let scenario = Scenario::parse(yaml).unwrap();
    assert_eq!((scenario.keys.len(), scenario.rules.len()), (3, 3));
    FakeProvider::start(Options {
        scenario,
        ..Options::default()
    })
    .unwrap();
}

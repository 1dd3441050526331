//! The Argo CD health script over statuses as the operator writes them. Argo CD runs it in a Lua 5.1 without standard libraries and hands it
//! the object as `obj`.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use mlua::{Lua, LuaOptions, LuaSerdeExt as _, StdLib, Table};
use serde_json::{Value, json};

const SCRIPT: &str = include_str!("../../charts/keypool/argocd/health.lua");

fn health(object: &Value) -> (String, String) {
    // `ipairs` is in the base library, which is always there.
    let lua = Lua::new_with(StdLib::NONE, LuaOptions::default()).unwrap();
    lua.globals().set("obj", lua.to_value(object).unwrap()).unwrap();
    let answer: Table = lua.load(SCRIPT).eval().unwrap();
    (answer.get("status").unwrap(), answer.get("message").unwrap())
}

fn object(observed: i64, conditions: &[(&str, &str, &str)]) -> Value {
    let condition = |(type_, status, message): &(&str, &str, &str)| json!({ "type": type_, "status": status, "message": message });
    json!({
        "metadata": { "generation": 2 },
        "status": {
            "observedGeneration": observed,
            "conditions": conditions.iter().map(condition).collect::<Vec<_>>(),
        },
    })
}

#[test]
fn health_follows_the_conditions() {
    let ready = ("Ready", "True", "Serving");
    let cases = [
        (
            json!({ "metadata": { "generation": 1 } }),
            "Progressing",
            "Waiting for the operator",
        ),
        (object(1, &[ready]), "Progressing", "Waiting for the operator"),
        (object(2, &[ready]), "Healthy", "Serving"),
        (
            object(2, &[ready, ("KeysHealthy", "True", "all")]),
            "Healthy",
            "Serving",
        ),
        // One key of several waits for a person: told, but no failed sync.
        (
            object(2, &[("KeysHealthy", "False", "batch is refused"), ready]),
            "Healthy",
            "batch is refused",
        ),
        (
            object(2, &[ready, ("ResolvedRefs", "False", "Secret a is missing")]),
            "Healthy",
            "Secret a is missing",
        ),
        (
            object(
                2,
                &[("Ready", "False", "rolling"), ("Reconciling", "True", "rolling")],
            ),
            "Progressing",
            "rolling",
        ),
        (
            object(2, &[("Ready", "Unknown", "no news")]),
            "Progressing",
            "no news",
        ),
        (
            object(2, &[("Ready", "False", "no key can serve")]),
            "Degraded",
            "no key can serve",
        ),
        (
            object(
                2,
                &[
                    ("Ready", "False", "x"),
                    ("Stalled", "True", "choose another name"),
                ],
            ),
            "Degraded",
            "choose another name",
        ),
        (
            object(1, &[ready, ("Paused", "True", "held by keypool.dev/paused")]),
            "Suspended",
            "held by keypool.dev/paused",
        ),
    ];
    for (object, status, message) in cases {
        assert_eq!(
            health(&object),
            (status.to_owned(), message.to_owned()),
            "{object}"
        );
    }
}

/// What stands in a new object by the definition's default must not look like health.
#[test]
fn an_object_that_nobody_has_seen_is_progressing() {
    for yaml in [
        include_str!("../yaml/modelproviders.keypool.dev.yaml"),
        include_str!("../yaml/loadbalancegroups.keypool.dev.yaml"),
    ] {
        let definition: Value = serde_yaml::from_str(yaml).unwrap();
        let default = "/spec/versions/0/schema/openAPIV3Schema/properties/status/default";
        let status = definition.pointer(default).unwrap();
        let object = json!({ "metadata": { "generation": 1 }, "status": status });
        assert_eq!(health(&object).0, "Progressing");
    }
}

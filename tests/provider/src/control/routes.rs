//! One arm per control request.

use http::{Method, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use super::{Reply, no_route};
use crate::fake::{Controls, ListenerName};
use crate::provider::ChangeError;
use crate::scenario::{Key, Scenario};

pub(super) async fn route(
    controls: &Controls,
    method: &Method,
    path: &[&str],
    query: &str,
    body: &[u8],
) -> Reply {
    let provider = &controls.provider;
    match (method.as_str(), path) {
        ("GET", ["healthz"]) => Reply::Text("ok".to_owned()),
        ("GET", ["addresses"]) => json_of(&controls.addresses),
        ("GET", ["ca.pem"]) => match controls.ca_pem() {
            Some(pem) => Reply::Text(pem.to_owned()),
            None => refused("there is no HTTPS listener"),
        },
        ("GET", ["scenario"]) => json_of(&provider.scenario()),
        ("PUT", ["scenario"]) => match std::str::from_utf8(body).map(Scenario::parse) {
            Ok(Ok(scenario)) => changed(provider.set_scenario(scenario)),
            Ok(Err(error)) => refused(&error.to_string()),
            Err(error) => refused(&error.to_string()),
        },
        ("POST", ["reset"]) => changed(provider.reset()),
        ("PUT", ["keys", name]) => with(body, |key: Key| {
            changed(provider.put_key(Key {
                name: (*name).to_owned(),
                ..key
            }))
        }),
        ("DELETE", ["keys", name]) => changed(provider.remove_key(name)),
        ("PUT", ["keys", name, "state"]) => with(body, |state| changed(provider.set_key_state(name, state))),
        ("PUT", ["keys", name, "value"]) => {
            with(body, |value: String| changed(provider.rotate_key(name, &value)))
        }
        ("PUT", ["limits"]) => with(body, |limits| changed(provider.set_limits(limits))),
        ("GET", ["rules"]) => json_of(&provider.rules()),
        ("POST", ["rules"]) => with(body, |rule| json_of(&provider.add_rule(rule))),
        ("DELETE", ["rules"]) => {
            provider.clear_rules();
            done()
        }
        ("DELETE", ["rules", name]) => match provider.remove_rule(name) {
            true => done(),
            false => Reply::Refused(StatusCode::NOT_FOUND, format!("no rule is named {name:?}")),
        },
        ("GET", ["log"]) => {
            let since = query.strip_prefix("since=").map_or(Ok(0), str::parse);
            since.map_or_else(
                |_| refused("since is a number"),
                |since| json_of(&provider.log(since)),
            )
        }
        ("DELETE", ["log"]) => {
            provider.clear_log();
            done()
        }
        ("GET", ["counts"]) => json_of(&provider.counts()),
        ("PUT", ["record"]) => with(body, |on| {
            provider.record(on);
            done()
        }),
        ("PUT", ["listener", name]) => {
            let name = match *name {
                "http" => ListenerName::Http,
                "https" => ListenerName::Https,
                _ => return no_route(method, path),
            };
            let Ok(mode) = serde_json::from_slice(body) else {
                return refused("not a listener mode");
            };
            match controls.set_listener(name, mode).await {
                true => done(),
                false => refused("there is no such listener"),
            }
        }
        ("PUT", ["tls"]) => with(body, |fault| {
            controls.set_tls_fault(fault);
            done()
        }),
        ("POST", ["connections", "close"]) => with(body, |how| {
            Reply::Json(json!({"closed": controls.close_connections(how)}))
        }),
        _ => no_route(method, path),
    }
}

fn with<T: DeserializeOwned>(body: &[u8], change: impl FnOnce(T) -> Reply) -> Reply {
    match serde_json::from_slice(body) {
        Ok(value) => change(value),
        Err(error) => refused(&format!("body: {error}")),
    }
}

fn json_of(value: &impl Serialize) -> Reply {
    match serde_json::to_value(value) {
        Ok(value) => Reply::Json(value),
        Err(error) => Reply::Refused(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
    }
}

fn changed(result: Result<(), ChangeError>) -> Reply {
    match result {
        Ok(()) => done(),
        Err(error @ ChangeError::NoSuchKey(_)) => Reply::Refused(StatusCode::NOT_FOUND, error.to_string()),
        Err(error) => refused(&error.to_string()),
    }
}

fn done() -> Reply {
    Reply::Json(json!({}))
}

fn refused(why: &str) -> Reply {
    Reply::Refused(StatusCode::BAD_REQUEST, why.to_owned())
}

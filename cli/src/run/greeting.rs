//! What local mode says when it begins to serve: how to reach every group, ready to be pasted.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use keypool_crds::v1alpha1::LoadBalanceGroup;
use kube::ResourceExt;

use super::world::World;
use crate::args::{CLIENT_KEY_VARIABLE, DEMO_KEY};

/// How a client gets its key.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum ClientKey {
    /// The one that everybody knows.
    Demo,
    /// The person's own, which is not repeated.
    Own,
}

impl ClientKey {
    pub(crate) fn of(key: &str) -> Self {
        if key == DEMO_KEY { Self::Demo } else { Self::Own }
    }
}

/// Where a client on this machine reaches a listener.
pub(crate) fn reachable(listener: SocketAddr) -> SocketAddr {
    let ip = match listener.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, listener.port())
}

/// `3 providers, 1 group, 6 keys`.
pub(crate) fn size(world: &World) -> String {
    let [providers, groups, keys] = world.size();
    let count = |number: usize, noun: &str| format!("{number} {noun}{}", if number == 1 { "" } else { "s" });
    format!(
        "{}, {}, {}",
        count(providers, "provider"),
        count(groups, "group"),
        count(keys, "key")
    )
}

/// One line for each group, and a request to try.
pub(crate) fn groups(world: &World, key: ClientKey) -> Vec<String> {
    let groups: Vec<&LoadBalanceGroup> = world.served().collect();
    let width = groups
        .iter()
        .map(|group| group.name_any().len())
        .max()
        .unwrap_or_default()
        .max("try:".len());
    let mut lines = Vec::new();
    for group in &groups {
        let name = group.name_any();
        let base = format!("{}/v1", world.endpoint(&name));
        lines.push(format!(
            "  {name:width$}   {base}   (OPENAI_BASE_URL; {})",
            whose(group, key)
        ));
    }
    if let Some(group) = groups.first() {
        let name = group.name_any();
        let model = group.spec.aliases.first().unwrap_or(&name);
        let model = serde_json::Value::from(model.as_str());
        let body = format!(r#"{{"model":{model},"messages":[{{"role":"user","content":"hello"}}]}}"#);
        let authorization = authorization(group, key);
        lines.push(format!(
            "  {:width$}   curl {}/v1/chat/completions \\",
            "try:",
            world.endpoint(&name)
        ));
        lines.push(format!(
            "  {:width$}     {authorization}-H 'content-type: application/json' \\",
            ""
        ));
        lines.push(format!("  {:width$}     -d {}", "", quoted(&body)));
    }
    lines
}

fn whose(group: &LoadBalanceGroup, key: ClientKey) -> String {
    let access = &group.spec.client_access;
    match (access.insecure, access.generated, key) {
        (true, ..) => "no key needed".into(),
        (false, true, ClientKey::Demo) => format!("key: {DEMO_KEY}"),
        (false, true, ClientKey::Own) => "key: the client key that you gave".into(),
        (false, false, _) => {
            let names: Vec<&str> = access.keys.iter().map(|key| key.name.as_str()).collect();
            format!("key of {}", names.join(" or "))
        }
    }
}

/// The argument for a shell that presents the key.
fn authorization(group: &LoadBalanceGroup, key: ClientKey) -> String {
    let access = &group.spec.client_access;
    match (access.insecure, access.generated, key) {
        (true, ..) => String::new(),
        (false, true, ClientKey::Demo) => format!("-H 'authorization: Bearer {DEMO_KEY}' "),
        (false, true, ClientKey::Own) => {
            format!("-H \"authorization: Bearer ${{{CLIENT_KEY_VARIABLE}:?set it to the client key}}\" ")
        }
        (false, false, _) => "-H \"authorization: Bearer $OPENAI_API_KEY\" ".into(),
    }
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

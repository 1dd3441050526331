//! Manifests for tests that need another shape than the example's.

use serde_json::{Value, json};

use super::Provider;

/// One object to apply.
#[derive(Clone, Debug)]
pub struct Manifest(pub Value);

impl Manifest {
    /// Sets the value at a JSON pointer; objects on the way are made.
    #[must_use]
    pub fn at(mut self, pointer: &str, value: impl Into<Value>) -> Self {
        let mut place = &mut self.0;
        for word in pointer.split('/').skip(1) {
            place = match word.parse::<usize>() {
                Ok(index) if place.is_array() => &mut place[index],
                _ => &mut place[word],
            };
        }
        *place = value.into();
        self
    }

    /// As kubectl reads it.
    pub fn text(&self) -> String {
        self.0.to_string()
    }
}

/// Several manifests as one input of kubectl.
pub fn text(manifests: &[Manifest]) -> String {
    let all: Vec<String> = manifests.iter().map(Manifest::text).collect();
    all.join("\n---\n")
}

/// A Secret with these data keys and values.
pub fn secret(name: &str, values: &[(String, String)]) -> Manifest {
    let data: serde_json::Map<String, Value> = values
        .iter()
        .map(|(key, value)| (key.clone(), value.clone().into()))
        .collect();
    Manifest(json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": data}))
}

/// A ModelProvider at a fake provider, with the CA that [`super::Scene`] put
/// into the test's namespace. The credentials read the data keys of the same
/// names in the Secret `<name>-keys`.
pub fn provider(name: &str, fake: &Provider, credentials: &[&str]) -> Manifest {
    let secret = format!("{name}-keys");
    let credentials: Vec<Value> = credentials
        .iter()
        .map(|key| json!({"name": key, "secretKeyRef": {"name": secret, "key": key}}))
        .collect();
    Manifest(json!({
        "apiVersion": "keypool.dev/v1alpha1",
        "kind": "ModelProvider",
        "metadata": {"name": name},
        "spec": {
            "type": "OpenAI",
            "endpoint": {"url": fake.url(), "caBundleRef": {"name": ca(fake)}},
            "credentials": credentials,
        },
    }))
}

/// The ConfigMap with a fake provider's CA.
pub fn ca(fake: &Provider) -> String {
    format!("{}-ca", fake.namespace())
}

/// A member of a group.
#[derive(Clone, Copy, Debug)]
pub struct Member<'a> {
    pub name: &'a str,
    pub provider: &'a str,
    pub model: &'a str,
    pub priority: u32,
    pub weight: u32,
}

impl<'a> Member<'a> {
    pub fn new(name: &'a str, provider: &'a str, model: &'a str) -> Self {
        Self {
            name,
            provider,
            model,
            priority: 0,
            weight: 1,
        }
    }

    #[must_use]
    pub fn priority(self, priority: u32) -> Self {
        Self { priority, ..self }
    }

    #[must_use]
    pub fn weight(self, weight: u32) -> Self {
        Self { weight, ..self }
    }
}

/// A LoadBalanceGroup with one proxy.
pub fn group(name: &str, members: &[Member<'_>]) -> Manifest {
    let members: Vec<Value> = members
        .iter()
        .map(|member| {
            json!({
                "name": member.name,
                "providerRef": {"name": member.provider},
                "model": member.model,
                "priority": member.priority,
                "weight": member.weight,
            })
        })
        .collect();
    Manifest(json!({
        "apiVersion": "keypool.dev/v1alpha1",
        "kind": "LoadBalanceGroup",
        "metadata": {"name": name},
        "spec": {"members": members, "proxy": {"replicas": 1}},
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pointer_reaches_into_lists_and_makes_objects() {
        let group = group("chat", &[Member::new("a", "openai", "gpt-4.1")])
            .at("/spec/members/0/weight", 3)
            .at("/metadata/annotations/x", "y");
        assert_eq!(group.0.pointer("/spec/members/0/weight"), Some(&json!(3)));
        assert_eq!(group.0.pointer("/metadata/annotations/x"), Some(&json!("y")));
    }
}

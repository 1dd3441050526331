//! One YAML document → the objects that it holds.

use std::sync::LazyLock;

use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use keypool_crds::GROUP;
use keypool_crds::v1alpha1::{LoadBalanceGroup, ModelProvider};
use keypool_operator::install::ObjectId;
use kube::{CustomResourceExt, Resource};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{schema, values};

/// An object that local mode reads.
pub(super) enum Object {
    Provider(Box<ModelProvider>),
    Group(Box<LoadBalanceGroup>),
    Secret(Box<Secret>),
    ConfigMap(Box<ConfigMap>),
}

/// What is wrong with an object.
pub(super) struct Wrong {
    /// Kind and name, as far as they are known.
    pub(super) object: String,
    /// What, and what to do.
    pub(super) what: String,
}

impl Object {
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Provider(_) => "ModelProvider",
            Self::Group(_) => "LoadBalanceGroup",
            Self::Secret(_) => "Secret",
            Self::ConfigMap(_) => "ConfigMap",
        }
    }

    pub(super) fn id(&self) -> ObjectId {
        match self {
            Self::Provider(object) => ObjectId::of(object.as_ref()),
            Self::Group(object) => ObjectId::of(object.as_ref()),
            Self::Secret(object) => ObjectId::of(object.as_ref()),
            Self::ConfigMap(object) => ObjectId::of(object.as_ref()),
        }
    }
}

/// The objects of a document, or what is wrong with each.
pub(super) fn objects(value: serde_yaml::Value, namespace: &str) -> Vec<Result<Object, Wrong>> {
    // As kubectl: YAML is a way to write JSON. What JSON cannot say are keys that are no text.
    match serde_json::to_value(value) {
        Ok(value) => objects_in(value, namespace),
        Err(_) => vec![Err(Wrong {
            object: "a document".into(),
            what: "has a key that is no text; put it in quotes".into(),
        })],
    }
}

fn objects_in(value: Value, namespace: &str) -> Vec<Result<Object, Wrong>> {
    if value.is_null() {
        return Vec::new();
    }
    if text(&value, "/kind") == "List" {
        let items = value
            .get("items")
            .and_then(Value::as_array)
            .cloned()
            .unwrap_or_default();
        return items
            .into_iter()
            .flat_map(|item| objects_in(item, namespace))
            .collect();
    }
    let name = text(&value, "/metadata/name");
    let kind = text(&value, "/kind").to_owned();
    let object = format!("{kind} {name}");
    let object = if kind.is_empty() {
        "a document".to_owned()
    } else {
        object.trim_end().to_owned()
    };
    let wrongs = |all: Vec<String>| {
        all.into_iter()
            .map(|what| {
                Err(Wrong {
                    object: object.clone(),
                    what,
                })
            })
            .collect()
    };
    if !value.is_object() || kind.is_empty() {
        return wrongs(vec![
            "has no kind; begin it with apiVersion, kind and metadata.name".into(),
        ]);
    }
    match decode(value, &kind, namespace) {
        Ok(Some(object)) => vec![Ok(object)],
        Ok(None) => Vec::new(),
        Err(all) => wrongs(all),
    }
}

fn decode(value: Value, kind: &str, namespace: &str) -> Result<Option<Object>, Vec<String>> {
    let version = text(&value, "/apiVersion").to_owned();
    let group = version.split_once('/').map_or("", |(group, _)| group);
    let right = |expected: &str| {
        if version == expected {
            return Ok(());
        }
        Err(vec![if version.is_empty() {
            format!("apiVersion is missing; write apiVersion: {expected}")
        } else {
            format!("apiVersion is {version}; write {expected}")
        }])
    };
    match kind {
        "ModelProvider" => {
            right(&ModelProvider::api_version(&()))?;
            static SCHEMA: LazyLock<Value> = LazyLock::new(|| spec_schema(&ModelProvider::crd()));
            Ok(Some(Object::Provider(custom(value, &SCHEMA, namespace)?)))
        }
        "LoadBalanceGroup" => {
            right(&LoadBalanceGroup::api_version(&()))?;
            static SCHEMA: LazyLock<Value> = LazyLock::new(|| spec_schema(&LoadBalanceGroup::crd()));
            Ok(Some(Object::Group(custom(value, &SCHEMA, namespace)?)))
        }
        "Secret" if group.is_empty() => {
            right("v1")?;
            check_metadata(&value)?;
            values::check_secret(&value)?;
            // The decoder's words may quote a value.
            let decoded = serde_json::from_value(value);
            let secret = decoded
                .map_err(|_| vec!["is not of the shape of a Secret; look at its fields".to_owned()])?;
            Ok(Some(Object::Secret(placed(secret, namespace))))
        }
        "ConfigMap" if group.is_empty() => {
            right("v1")?;
            check_metadata(&value)?;
            values::check_config_map(&value)?;
            let decoded = serde_json::from_value(value);
            let map =
                decoded.map_err(|error| vec![format!("is not of the shape of a ConfigMap: {error}")])?;
            Ok(Some(Object::ConfigMap(placed(map, namespace))))
        }
        _ if group == GROUP => Err(vec![format!(
            "is not a kind of {GROUP}; write ModelProvider or LoadBalanceGroup"
        )]),
        _ => Ok(None),
    }
}

/// The schema of `spec`, as the definition has it.
fn spec_schema(definition: &impl serde::Serialize) -> Value {
    let definition = serde_json::to_value(definition).unwrap_or_default();
    definition
        .pointer("/spec/versions/0/schema/openAPIV3Schema/properties/spec")
        .cloned()
        .unwrap_or_default()
}

fn custom<K>(mut value: Value, schema: &Value, namespace: &str) -> Result<Box<K>, Vec<String>>
where
    K: DeserializeOwned + Resource<DynamicType = ()>,
{
    check_metadata(&value)?;
    for field in value.as_object().into_iter().flat_map(|object| object.keys()) {
        if !["apiVersion", "kind", "metadata", "spec", "status"].contains(&field.as_str()) {
            return Err(vec![format!(
                "{field} is not a field; did you mean to write it under spec?"
            )]);
        }
    }
    if let Some(object) = value.as_object_mut() {
        // Only the operator writes status.
        object.remove("status");
    }
    let Some(spec) = value.get_mut("spec") else {
        return Err(vec!["spec is missing; add it".into()]);
    };
    schema::prune_nulls(spec);
    let wrong = schema::check(schema, spec, "spec");
    if !wrong.is_empty() {
        return Err(wrong);
    }
    let object = serde_json::from_value(value).map_err(|error| vec![format!("cannot be read: {error}")])?;
    Ok(placed(object, namespace))
}

fn check_metadata(value: &Value) -> Result<(), Vec<String>> {
    let name = value.pointer("/metadata/name");
    if name.and_then(Value::as_str).is_none_or(str::is_empty) {
        return Err(vec![match name {
            None | Some(Value::Null | Value::String(_)) => "metadata.name is missing; add it".into(),
            Some(other) => format!("metadata.name is {}; put it in quotes", schema::word(other)),
        }]);
    }
    let mut wrong = Vec::new();
    for field in ["labels", "annotations"] {
        let entries = value
            .pointer(&format!("/metadata/{field}"))
            .and_then(Value::as_object);
        for (key, value) in entries
            .into_iter()
            .flatten()
            .filter(|(_, value)| !value.is_string())
        {
            wrong.push(format!(
                "metadata.{field}[{key}] is {}; put it in quotes",
                schema::word(value)
            ));
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong) }
}

/// What the API server would add: a namespace, and a UID that stays the same while name and namespace do.
fn placed<K: Resource>(mut object: K, namespace: &str) -> Box<K> {
    let meta = object.meta_mut();
    let namespace = meta.namespace.get_or_insert_with(|| namespace.into()).clone();
    meta.uid = Some(format!(
        "local.{namespace}.{}",
        meta.name.as_deref().unwrap_or_default()
    ));
    Box::new(object)
}

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

//! What the proxy answers itself: the models of a group.

use std::sync::Arc;

use http::header::CONTENT_TYPE;
use http::{Response, StatusCode};
use keypool_dialect::answer::{self, Code};
use keypool_dialect::operation::Operation;

use super::client_body::ClientBody;
use super::refusal::{JSON, REQUEST_ID, Refusal};
use crate::inbound::{Passed, Pulse};
use crate::runtime::Group;
use crate::telemetry::Record;

/// Model names that an error lists at most.
const LISTED: usize = 32;

/// Answers an operation that goes to no provider.
pub(super) fn answer(passed: &Passed, mut record: Record, pulse: Arc<Pulse>) -> Response<ClientBody> {
    let models = &passed.group.models;
    let body = match &passed.operation {
        Operation::Model(id) if models.iter().any(|model| **model == **id) => answer::model(id),
        Operation::Model(id) => return model_not_found(&passed.group, id).respond(record, pulse),
        _ => answer::models(models.iter().map(|model| &**model)),
    };
    record.answered(StatusCode::OK, None);
    let id = record.id().header();
    let mut response = Response::new(ClientBody::whole(body.into(), record, pulse));
    response.headers_mut().insert(CONTENT_TYPE, JSON);
    response.headers_mut().insert(REQUEST_ID, id);
    response
}

/// 404, with what exists.
pub(super) fn model_not_found(group: &Group, asked: &str) -> Refusal {
    let mut known: Vec<&str> = group.models.iter().take(LISTED).map(|model| &**model).collect();
    if group.models.len() > LISTED {
        known.push("…");
    }
    let message = format!(
        "Group {} has no model {asked}. It has: {}.",
        group.name,
        known.join(", ")
    );
    Refusal::new(Code::ModelNotFound, message).naming("model")
}

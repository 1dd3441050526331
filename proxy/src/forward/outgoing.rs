//! The request to a provider, made of parts whose origin is known.
//!
//! Scheme, address and path come from the provider, credentials and fixed headers from the target, the body's bytes and what is left of the headers
//! from the client. A query is not passed on: none of these operations has one, and some servers take keys in it.

use http::header::{AUTHORIZATION, HOST};
use http::uri::PathAndQuery;
use http::{HeaderMap, Method, Request, Uri};
use keypool_dialect::splice;

use crate::inbound::Intake;
use crate::pool::Target;
use crate::upstream::RequestBody;

/// Builds it. `headers` are the client's, stripped of all that may not pass.
pub(super) fn build(
    target: &Target,
    path: PathAndQuery,
    headers: HeaderMap,
    intake: &Intake,
) -> Request<RequestBody> {
    let frames = splice::with_model(&intake.frames, &intake.scan, &target.member.model);
    let mut request = Request::new(RequestBody::from(frames));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = Uri::from(path);
    *request.headers_mut() = headers;
    let headers = request.headers_mut();
    headers.insert(HOST, target.provider().endpoint.host_header.clone());
    let credential = target.credential();
    if let Some(authorization) = &credential.authorization {
        headers.insert(AUTHORIZATION, authorization.clone());
    }
    for (name, value) in &credential.headers {
        headers.insert(name, value.clone());
    }
    request
}

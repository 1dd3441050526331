//! One validation call.

use std::time::{Duration, SystemTime};

use http::header::{ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, HOST, USER_AGENT};
use http::{HeaderValue, Request, StatusCode};
use keypool_balance::ProbeVerdict;
use keypool_dialect::outcome::BODY_LIMIT;
use keypool_dialect::probe;

use crate::pool::Attempted;
use crate::runtime::{Credential, Provider};
use crate::upstream::{Client, RequestBody, UpstreamError};

/// Asks the provider about a key.
pub(super) async fn ask(client: &Client, provider: &Provider, credential: &Credential) -> ProbeVerdict {
    let timeout = Duration::from_millis(provider.probe.timeout_ms);
    match tokio::time::timeout(timeout, exchange(client, provider, credential, timeout)).await {
        Ok(Ok(verdict)) => verdict,
        Ok(Err(error)) => failed(error),
        Err(_) => ProbeVerdict::Failed,
    }
}

async fn exchange(
    client: &Client,
    provider: &Provider,
    credential: &Credential,
    timeout: Duration,
) -> Result<ProbeVerdict, UpstreamError> {
    let request = request(provider, credential).ok_or(UpstreamError::NotSent)?;
    let response = client.send(&provider.endpoint, request, timeout).await?;
    let (head, mut answer) = response.into_parts();
    let body = answer.gather(BODY_LIMIT).await.map_err(|_| UpstreamError::Lost)?;
    let verdict = probe::interpret(
        provider.provider_type,
        head.status,
        &head.headers,
        &body,
        SystemTime::now(),
    );
    Ok(translate(verdict, head.status))
}

fn request(provider: &Provider, credential: &Credential) -> Option<Request<RequestBody>> {
    let call = probe::call(provider.provider_type);
    let path = provider.endpoint.path(call.suffix)?;
    let mut request = Request::new(RequestBody::empty());
    *request.method_mut() = call.method;
    *request.uri_mut() = path.into();
    let headers = request.headers_mut();
    headers.insert(HOST, provider.endpoint.host_header.clone());
    headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    headers.insert(
        USER_AGENT,
        HeaderValue::from_static(concat!("keypool/", env!("CARGO_PKG_VERSION"))),
    );
    for (name, value) in &credential.headers {
        headers.insert(name, value.clone());
    }
    if let Some(authorization) = &credential.authorization {
        headers.insert(AUTHORIZATION, authorization.clone());
    }
    Some(request)
}

fn translate(verdict: probe::ProbeVerdict, status: StatusCode) -> ProbeVerdict {
    let missing = matches!(
        status,
        StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED | StatusCode::NOT_IMPLEMENTED
    );
    match verdict {
        probe::ProbeVerdict::NotVerifiable if missing => ProbeVerdict::Unsupported,
        probe::ProbeVerdict::Valid => ProbeVerdict::Valid,
        probe::ProbeVerdict::Dead { .. } => ProbeVerdict::Dead,
        // A known key of an empty account: not dead, and not proven to serve either.
        probe::ProbeVerdict::NotVerifiable
        | probe::ProbeVerdict::RateLimited { .. }
        | probe::ProbeVerdict::CreditExhausted => ProbeVerdict::NotVerifiable,
        probe::ProbeVerdict::ServerFault => ProbeVerdict::Failed,
    }
}

fn failed(error: UpstreamError) -> ProbeVerdict {
    match error.attempted() {
        Attempted::NotSent(fault) => ProbeVerdict::Unreachable(fault),
        _ => ProbeVerdict::Failed,
    }
}

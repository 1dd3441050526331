//! The control API: JSON over HTTP on a port of its own, so that no fault of the provider reaches it.
//!
//! | request | body | does |
//! |---|---|---|
//! | `GET /healthz`, `GET /addresses`, `GET /ca.pem` | | |
//! | `GET /scenario`, `PUT /scenario`, `POST /reset` | scenario | read, replace, back to the start |
//! | `PUT /keys/{name}`, `DELETE /keys/{name}` | key | add or replace, forget |
//! | `PUT /keys/{name}/state` | key state | `"active"`, `"revoked"`, `{"refused": "insufficient_quota"}`, … |
//! | `PUT /keys/{name}/value` | text in quotes | rotate |
//! | `PUT /limits` | list of limits | replace, all buckets full |
//! | `GET /rules`, `POST /rules`, `DELETE /rules`, `DELETE /rules/{name}` | rule | list, add (answers its name), clear |
//! | `GET /log?since=N`, `DELETE /log`, `GET /counts` | | what was received |
//! | `PUT /record` | `true`, `false` | switch recording |
//! | `PUT /listener/http`, `PUT /listener/https` | listener mode | answers once it is so |
//! | `PUT /tls` | TLS fault | for the next handshakes |
//! | `POST /connections/close` | `"close"`, `"reset"` | close all, answers how many |

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;

use crate::fake::Controls;
use crate::serve::accept::Bound;

mod routes;

/// What a route answers.
pub(crate) enum Reply {
    Json(serde_json::Value),
    Text(String),
    Refused(StatusCode, String),
}

/// Serves the control API.
pub(crate) async fn serve(bound: Bound, controls: Arc<Controls>) -> std::io::Result<()> {
    let listener = bound.into_listener()?;
    loop {
        let Ok((tcp, _)) = listener.accept().await else {
            continue;
        };
        let controls = controls.clone();
        let service = service_fn(move |request| answer(request, controls.clone()));
        tokio::spawn(async move {
            let _ = http1::Builder::new()
                .header_read_timeout(None)
                .serve_connection(TokioIo::new(tcp), service)
                .await;
        });
    }
}

async fn answer(
    request: Request<Incoming>,
    controls: Arc<Controls>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let reply = match body.collect().await {
        Ok(body) => {
            let path: Vec<&str> = head.uri.path().trim_matches('/').split('/').collect();
            let query = head.uri.query().unwrap_or_default();
            routes::route(&controls, &head.method, &path, query, &body.to_bytes()).await
        }
        Err(error) => Reply::Refused(StatusCode::BAD_REQUEST, format!("body: {error}")),
    };
    let (status, kind, body) = match reply {
        Reply::Json(value) => (StatusCode::OK, "application/json", value.to_string()),
        Reply::Text(text) => (StatusCode::OK, "text/plain", text),
        Reply::Refused(status, why) => (status, "text/plain", why),
    };
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, header::HeaderValue::from_static(kind));
    Ok(response)
}

fn no_route(method: &Method, path: &[&str]) -> Reply {
    Reply::Refused(
        StatusCode::NOT_FOUND,
        format!("no control route {method} /{}", path.join("/")),
    )
}

//! Connections: handshake, HTTP/1, and a register through which all of them can be closed at once.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures::future::{AbortHandle, Abortable};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use tokio::net::TcpStream;

use super::exchange::Line;
use super::wire::{Transport, Wire, WireControl};
use crate::provider::Provider;
use crate::tls::{Handshake, Tls};

/// How the control API closes connections.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum CloseHow {
    /// FIN.
    #[default]
    Close,
    /// RST.
    Reset,
}

/// All open connections.
#[derive(Debug, Default)]
pub(crate) struct Connections {
    next: AtomicU64,
    open: Mutex<HashMap<u64, (AbortHandle, Arc<WireControl>)>>,
}

impl Connections {
    /// Closes what is open now; returns how many.
    pub(crate) fn close_all(&self, how: CloseHow) -> usize {
        let open = std::mem::take(&mut *self.open.lock());
        for (task, wire) in open.values() {
            wire.mark_closed(how == CloseHow::Reset);
            task.abort();
        }
        open.len()
    }
}

/// Serves one accepted socket on the current worker.
pub(crate) fn serve(
    provider: Arc<Provider>,
    connections: Arc<Connections>,
    tcp: TcpStream,
    tls: Option<Arc<Tls>>,
) {
    let number = connections.next.fetch_add(1, Ordering::Relaxed) + 1;
    provider.recorder.connections.fetch_add(1, Ordering::Relaxed);
    let wire = Arc::new(WireControl::default());
    let line = Line {
        provider,
        wire,
        connection: number,
        tls: tls.is_some(),
    };
    let (handle, registration) = AbortHandle::new_pair();
    let connection = async move {
        // Registered with its first poll, when nothing can drop the socket but the transport that knows how to reset it.
        let _open = OpenConnection::new(&line, connections, handle);
        match tls {
            None => exchange(line, tcp).await,
            Some(tls) => match tls.handshake(tcp).await {
                Handshake::Done(stream) => exchange(line, *stream).await,
                Handshake::Failed => {
                    line.provider
                        .recorder
                        .failed_handshakes
                        .fetch_add(1, Ordering::Relaxed);
                }
            },
        }
    };
    tokio::spawn(Abortable::new(connection, registration));
}

async fn exchange(line: Line, transport: impl Transport) {
    let io = TokioIo::new(Wire::new(transport, line.wire.clone()));
    let service = service_fn(move |request| line.clone().answer(request));
    // The error is the client's going away or a cut by script; the log has both.
    let _ = http1::Builder::new()
        .header_read_timeout(None)
        .max_headers(512)
        .serve_connection(io, service)
        .await;
}

struct OpenConnection {
    provider: Arc<Provider>,
    connections: Arc<Connections>,
    number: u64,
}

impl OpenConnection {
    fn new(line: &Line, connections: Arc<Connections>, handle: AbortHandle) -> Self {
        connections
            .open
            .lock()
            .insert(line.connection, (handle, line.wire.clone()));
        line.provider
            .recorder
            .open_connections
            .fetch_add(1, Ordering::Relaxed);
        Self {
            provider: line.provider.clone(),
            connections,
            number: line.connection,
        }
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.provider
            .recorder
            .open_connections
            .fetch_sub(1, Ordering::Relaxed);
        self.connections.open.lock().remove(&self.number);
    }
}

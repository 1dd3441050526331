//! Takes connections, each into its own task.

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::FutureExt;
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::connection;
use super::places::Places;
use crate::forward::Service;

/// Rest after an accept that failed for want of descriptors or memory: the next would fail too.
const BREATHER: Duration = Duration::from_millis(50);

/// Tells every connection that the process is going down.
pub(super) struct Drain {
    began: AtomicBool,
    pub(super) begin: Notify,
    /// From the beginning of the drain to the cut.
    pub(super) limit: Duration,
}

impl Drain {
    pub(super) fn has_begun(&self) -> bool {
        self.began.load(Ordering::Acquire)
    }
}

pub(super) async fn serve(
    listeners: Vec<TcpListener>,
    service: Arc<Service>,
    token: CancellationToken,
    limit: Duration,
) {
    let drain = Arc::new(Drain {
        began: AtomicBool::new(false),
        begin: Notify::new(),
        limit,
    });
    let places = Places::new();
    let connections = TaskTracker::new();
    let accepting = listeners.into_iter().map(|listener| {
        let (service, places, drain) = (service.clone(), places.clone(), drain.clone());
        accept(
            listener,
            service,
            places,
            drain,
            connections.clone(),
            token.clone(),
        )
    });
    futures::future::join_all(accepting).await;
    drain.began.store(true, Ordering::Release);
    drain.begin.notify_waiters();
    connections.close();
    connections.wait().await;
}

async fn accept(
    listener: TcpListener,
    service: Arc<Service>,
    places: Arc<Places>,
    drain: Arc<Drain>,
    connections: TaskTracker,
    token: CancellationToken,
) {
    let listener = match tokio::net::TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => {
            tracing::error!(%error, "cannot listen");
            return;
        }
    };
    let start = |stream: TcpStream, address: std::net::SocketAddr| match places.take(address.ip()) {
        Some(place) => {
            let (service, drain) = (service.clone(), drain.clone());
            connections.spawn(async move {
                connection::serve(stream, service, drain).await;
                drop(place);
            });
        }
        None => tracing::debug!(client = %address.ip(), "connection refused: all places are taken"),
    };
    loop {
        let accepted = tokio::select! {
            biased;
            () = token.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, address)) => start(stream, address),
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(BREATHER).await;
            }
        }
    }
    // The kernel has completed these handshakes: their clients would see a reset.
    while let Some(Ok((stream, address))) = listener.accept().now_or_never() {
        start(stream, address);
    }
}

//! Takes connections, each into its own task.

use std::net::{IpAddr, TcpListener};
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
use super::workers::Workers;
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
    let workers = match Workers::start() {
        Ok(workers) => workers,
        Err(error) => {
            tracing::error!(%error, "cannot start the threads that serve");
            return;
        }
    };
    let connections = TaskTracker::new();
    let door = Door {
        service,
        places: Places::new(),
        workers,
        drain: drain.clone(),
        connections: connections.clone(),
    };
    futures::future::join_all(listeners.into_iter().map(|listener| door.open(listener, &token))).await;
    drain.began.store(true, Ordering::Release);
    drain.begin.notify_waiters();
    connections.close();
    connections.wait().await;
}

/// Where connections come in.
struct Door {
    service: Arc<Service>,
    places: Arc<Places>,
    workers: Workers,
    drain: Arc<Drain>,
    connections: TaskTracker,
}

impl Door {
    async fn open(&self, listener: TcpListener, token: &CancellationToken) {
        let listener = match tokio::net::TcpListener::from_std(listener) {
            Ok(listener) => listener,
            Err(error) => {
                tracing::error!(%error, "cannot listen");
                return;
            }
        };
        loop {
            let accepted = tokio::select! {
                biased;
                () = token.cancelled() => break,
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, address)) => self.let_in(stream, address.ip()),
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(BREATHER).await;
                }
            }
        }
        // The kernel has completed these handshakes: their clients would see a reset.
        while let Some(Ok((stream, address))) = listener.accept().now_or_never() {
            self.let_in(stream, address.ip());
        }
    }

    fn let_in(&self, stream: TcpStream, address: IpAddr) {
        let Some(place) = self.places.take(address) else {
            tracing::debug!(client = %address, "connection refused: all places are taken");
            return;
        };
        // Free of this thread's reactor, to be taken on by that of its own.
        let (Some(worker), Ok(stream)) = (self.workers.next(), stream.into_std()) else {
            return;
        };
        let (service, drain) = (self.service.clone(), self.drain.clone());
        let serve = async move {
            if let Ok(stream) = TcpStream::from_std(stream) {
                connection::serve(stream, service, drain).await;
            }
            drop(place);
        };
        worker.spawn(self.connections.track_future(serve));
    }
}

//! Takes connections, each into its own task.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::FutureExt;
use tokio::net::{TcpListener, TcpStream};
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

/// The clients' side, ready to serve.
pub(crate) struct Doors {
    listeners: Vec<TcpListener>,
    door: Door,
}

impl Doors {
    /// Starts the threads that serve.
    ///
    /// # Errors
    /// The system gives no thread, or nothing to wait with.
    pub(crate) fn new(
        listeners: Vec<std::net::TcpListener>,
        service: Arc<Service>,
        drain_limit: Duration,
    ) -> io::Result<Self> {
        let listeners = listeners.into_iter().map(TcpListener::from_std);
        Ok(Self {
            listeners: listeners.collect::<io::Result<_>>()?,
            door: Door {
                service,
                places: Places::new(),
                workers: Workers::start()?,
                drain: Arc::new(Drain {
                    began: AtomicBool::new(false),
                    begin: Notify::new(),
                    limit: drain_limit,
                }),
                connections: TaskTracker::new(),
            },
        })
    }

    /// Serves until `drain` is cancelled; then stops accepting, ends idle connections and lets open requests finish for the drain's
    /// limit. What is open after that is cut, streams with an error event. Returns when the last connection is gone.
    pub(crate) async fn open(self, drain: CancellationToken) {
        let Self { listeners, door } = self;
        futures::future::join_all(listeners.into_iter().map(|listener| door.open(listener, &drain))).await;
        door.drain.began.store(true, Ordering::Release);
        door.drain.begin.notify_waiters();
        door.connections.close();
        door.connections.wait().await;
    }
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

//! An accept loop for the few who ask on the admin ports.

use std::future::Future;
use std::net::{SocketAddr, TcpListener as Bound};
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper_util::rt::TokioTimer;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

/// Connections at the same time, per listener.
const CONNECTIONS: usize = 64;
/// How long a request's head may take, and a connection wait for its next one.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// Opens a listening socket for [`accept`].
///
/// # Errors
/// The address cannot be used.
pub(crate) fn bind(address: SocketAddr) -> std::io::Result<Bound> {
    let socket = Bound::bind(address)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// Hands every connection to `serve`, until `stop`. Beyond the limit, new ones wait in the kernel's queue.
pub(super) async fn accept<F>(
    listener: Bound,
    stop: CancellationToken,
    serve: impl Fn(TcpStream, OwnedSemaphorePermit) -> F,
) where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = match TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => {
            tracing::error!(%error, "an admin listener cannot be used");
            return;
        }
    };
    let permits = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let Ok(permit) = permits.clone().acquire_owned().await else {
            return;
        };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stop.cancelled() => return,
        };
        match accepted {
            Ok((stream, _)) => {
                // A small answer must not wait for an acknowledgement of the one before.
                let _ = stream.set_nodelay(true);
                tokio::spawn(serve(stream, permit));
            }
            // Out of descriptors: trying again at once would spin.
            Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
}

/// HTTP/1 with small limits.
pub(super) fn http() -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(16 * 1024);
    builder
}

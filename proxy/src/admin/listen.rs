//! An accept loop for the few who ask on the admin ports.
//!
//! Whoever reaches a port can open connections, and the kubelet and the leader must get through all the same. So nobody waits for a place:
//! at the limit the oldest connection that has not shown who it is makes room for the new one.

use std::collections::VecDeque;
use std::future::Future;
use std::net::{SocketAddr, TcpListener as Bound};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hyper::server::conn::http1;
use hyper_util::rt::TokioTimer;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

/// Connections at the same time, per listener: with thousands of new ones in a second, each still has the time for one answer.
pub(super) const CONNECTIONS: usize = 256;
/// How long a request's head may take, and a connection wait for its next one.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// Whether a connection's peer has shown who it is. Such a connection makes room for no stranger's.
#[derive(Clone, Default)]
pub(super) struct Standing(Arc<AtomicBool>);

impl Standing {
    /// The peer has shown it.
    pub(super) fn trust(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    fn is_trusted(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// A connection that is being served; dropped, it is closed.
struct Served {
    task: AbortOnDropHandle<()>,
    standing: Standing,
}

/// Opens a listening socket for [`accept`].
///
/// # Errors
/// The address cannot be used.
pub(crate) fn bind(address: SocketAddr) -> std::io::Result<Bound> {
    let socket = Bound::bind(address)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// Hands every connection to `serve`, until `stop`, which closes them all.
pub(super) async fn accept<F>(
    listener: Bound,
    stop: CancellationToken,
    serve: impl Fn(TcpStream, Standing) -> F,
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
    let mut open = VecDeque::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stop.cancelled() => return,
        };
        match accepted {
            Ok((stream, _)) => {
                // A small answer must not wait for an acknowledgement of the one before.
                let _ = stream.set_nodelay(true);
                make_room(&mut open);
                let standing = Standing::default();
                let task = AbortOnDropHandle::new(tokio::spawn(serve(stream, standing.clone())));
                open.push_back(Served { task, standing });
            }
            // Out of descriptors: trying again at once would spin.
            Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
}

/// Leaves a place for one more.
fn make_room(open: &mut VecDeque<Served>) {
    open.retain(|served| !served.task.is_finished());
    if open.len() >= CONNECTIONS {
        let stranger = open.iter().position(|served| !served.standing.is_trusted());
        open.remove(stranger.unwrap_or(0));
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

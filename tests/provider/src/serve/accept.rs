//! Listeners that can refuse, hang up or stay silent, and come back on the same port.
//!
//! While a listener refuses, its port is kept by a socket that is bound and not listening: connects are answered with RST
//! and nobody else can take the port.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};

use super::wire::reset_on_close;
use crate::tls::Tls;

/// What a listener does with connects.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ListenerMode {
    /// Serves.
    #[default]
    Open,
    /// Refuses connects. Open connections stay.
    Refuse,
    /// Accepts and closes at once.
    CloseAfterAccept,
    /// Accepts and resets at once.
    ResetAfterAccept,
    /// Accepts, then neither reads nor writes.
    Silent,
}

/// A socket on its way to a worker.
pub(crate) type Job = (std::net::TcpStream, Option<Arc<Tls>>);

/// A listener before it runs.
#[derive(Debug)]
pub(crate) struct Bound {
    socket: Socket,
    pub(crate) address: SocketAddr,
}

impl Bound {
    /// Takes a port (0: any) and listens.
    pub(crate) fn listening(address: SocketAddr) -> io::Result<Self> {
        let bound = Self::silent(address)?;
        bound.socket.listen(BACKLOG)?;
        Ok(bound)
    }

    fn silent(address: SocketAddr) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        socket.set_reuse_address(true)?;
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        let address = socket.local_addr()?.as_socket().unwrap_or(address);
        Ok(Self { socket, address })
    }

    pub(crate) fn into_listener(self) -> io::Result<TcpListener> {
        TcpListener::from_std(self.socket.into())
    }
}

const BACKLOG: i32 = 1024;

/// Accepts until the workers are gone, in the mode that is asked for; `applied` follows it.
pub(crate) async fn accept(
    bound: Bound,
    tls: Option<Arc<Tls>>,
    mut wanted: watch::Receiver<ListenerMode>,
    applied: watch::Sender<ListenerMode>,
    workers: Vec<mpsc::UnboundedSender<Job>>,
) -> io::Result<()> {
    let address = bound.address;
    let mut listener = bound.into_listener()?;
    let mut turn = 0;
    let mut silent = Vec::new();
    loop {
        let mode = *wanted.borrow_and_update();
        if mode == ListenerMode::Refuse {
            drop(listener);
            let placeholder = Bound::silent(address)?;
            applied.send_replace(mode);
            if wanted.changed().await.is_err() {
                return Ok(());
            }
            placeholder.socket.listen(BACKLOG)?;
            listener = placeholder.into_listener()?;
            continue;
        }
        if mode != ListenerMode::Silent {
            silent.clear();
        }
        applied.send_replace(mode);
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((tcp, _)) = accepted else { continue };
                match mode {
                    ListenerMode::CloseAfterAccept => drop(tcp),
                    ListenerMode::ResetAfterAccept => reset_on_close(&tcp),
                    ListenerMode::Silent => silent.push(tcp),
                    ListenerMode::Open | ListenerMode::Refuse => {
                        turn += 1;
                        if hand_over(tcp, tls.clone(), &workers[turn % workers.len()]).is_err() {
                            return Ok(());
                        }
                    }
                }
            }
            changed = wanted.changed() => {
                if changed.is_err() {
                    return Ok(());
                }
            }
        }
    }
}

fn hand_over(tcp: TcpStream, tls: Option<Arc<Tls>>, worker: &mpsc::UnboundedSender<Job>) -> Result<(), ()> {
    let Ok(tcp) = tcp.set_nodelay(true).and_then(|()| tcp.into_std()) else {
        return Ok(());
    };
    worker.send((tcp, tls)).map_err(|_| ())
}

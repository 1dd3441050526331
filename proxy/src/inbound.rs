//! The clients' side: connections, strict HTTP, who may call what.
//!
//! ```text
//! accept ─(caps)─> connection ─(time limits)─> hyper ─> front (strict HTTP) ─> admit (key → group) ─> operation ─> forward
//! ```
//!
//! There is one way in for every path, and what is not recognised is refused: no route can forget a check. A request that breaks a
//! rule is refused, never mended, and its connection is closed, because after it nobody can be sure where the next one begins.

use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr, TcpListener};

mod accept;
mod client_io;
mod connection;
mod front;
mod gate;
mod intake;
mod lint;
mod places;
mod pulse;
mod workers;

pub use crate::forward::Service;
pub(crate) use accept::Doors;
pub(crate) use front::AFTER_ERROR;
pub(crate) use gate::Passed;
pub(crate) use intake::{Held, Intake, Unread};
pub(crate) use pulse::Pulse;

/// Connections that the kernel holds until they are accepted.
const BACKLOG: i32 = 1024;

/// Opens the listening sockets of an address. Port 0 takes any free port.
///
/// # Errors
/// The address cannot be used.
pub fn bind(address: SocketAddr) -> io::Result<Vec<TcpListener>> {
    let domain = socket2::Domain::for_address(address);
    let socket = socket2::Socket::new(domain, socket2::Type::STREAM, Some(socket2::Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    if address.ip() == IpAddr::from(Ipv6Addr::UNSPECIFIED) {
        // All addresses means both families, whatever the system's default is.
        socket.set_only_v6(false)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(vec![socket.into()])
}

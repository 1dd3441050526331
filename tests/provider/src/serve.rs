//! Sockets: listeners that can refuse, connections that can break anywhere, and HTTP/1 in between.

pub(crate) mod accept;
mod body;
mod connection;
mod exchange;
mod watched;
mod wire;

pub use connection::CloseHow;
pub(crate) use connection::{Connections, serve};

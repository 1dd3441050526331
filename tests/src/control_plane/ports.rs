//! Ports that were free a moment ago. All are held open until the last is
//! chosen, so that one is not chosen twice.

use std::net::{Ipv4Addr, TcpListener};

use super::Error;

pub(super) struct Ports {
    pub(super) etcd: u16,
    pub(super) etcd_peer: u16,
    pub(super) api_server: u16,
}

pub(super) fn choose() -> Result<Ports, Error> {
    let listen = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(Error::Port);
    let held = [listen()?, listen()?, listen()?];
    let port = |index: usize| {
        held[index]
            .local_addr()
            .map(|address| address.port())
            .map_err(Error::Port)
    };
    Ok(Ports {
        etcd: port(0)?,
        etcd_peer: port(1)?,
        api_server: port(2)?,
    })
}

//! A provider made of bytes: it says exactly what a test wrote, and notes exactly what it was sent.

use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use socket2::Socket;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

/// One request as it came.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) head: String,
    pub(super) body: Vec<u8>,
}

impl Seen {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then_some(value.trim())
        })
    }
}

/// One thing to do.
#[derive(Clone)]
pub(super) enum Step {
    Say(Vec<u8>),
    /// Says it again and again, as fast as the peer takes it.
    Repeat(Vec<u8>),
    /// Until the test opens the gate.
    Wait(watch::Receiver<bool>),
    /// Until the peer is gone.
    Hang,
    Close,
    /// With a reset.
    Reset,
    /// Notes that everything before was taken.
    Count(Arc<AtomicUsize>),
}

pub(super) fn say(text: impl AsRef<[u8]>) -> Step {
    Step::Say(text.as_ref().to_vec())
}

/// A gate that a test opens.
pub(super) fn gate() -> (watch::Sender<bool>, Step) {
    let (sender, receiver) = watch::channel(false);
    (sender, Step::Wait(receiver))
}

/// An answer of known length.
pub(super) fn answer(status: &str, headers: &str, body: &str) -> Step {
    say(format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\n{headers}content-length: {}\r\n\r\n{body}",
        body.len()
    ))
}

pub(super) const SSE: &str =
    "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";

/// One chunk.
pub(super) fn chunk(text: &str) -> Step {
    say(format!("{:x}\r\n{text}\r\n", text.len()))
}

pub(super) struct Upstream {
    pub(super) address: SocketAddr,
    pub(super) seen: Arc<Mutex<Vec<Seen>>>,
    connections: Arc<AtomicUsize>,
    open: watch::Receiver<usize>,
}

type Script = dyn Fn(usize, &Seen) -> Vec<Step> + Send + Sync;

impl Upstream {
    /// Serves; `script` gets the number of each request, from 0.
    pub(super) async fn start(script: impl Fn(usize, &Seen) -> Vec<Step> + Send + Sync + 'static) -> Self {
        Self::serve(None, false, script).await
    }

    /// Answers a request's head and reads nothing after it.
    pub(super) async fn early(answer: Step) -> Self {
        Self::serve(None, true, move |_, _| vec![answer.clone()]).await
    }

    pub(super) async fn tls(
        tls: TlsAcceptor,
        script: impl Fn(usize, &Seen) -> Vec<Step> + Send + Sync + 'static,
    ) -> Self {
        Self::serve(Some(tls), false, script).await
    }

    async fn serve(
        tls: Option<TlsAcceptor>,
        early: bool,
        script: impl Fn(usize, &Seen) -> Vec<Step> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let script: Arc<Script> = Arc::new(script);
        let seen = Arc::new(Mutex::new(Vec::new()));
        let connections = Arc::new(AtomicUsize::new(0));
        let (open, watching) = watch::channel(0);
        let upstream = Self {
            address,
            seen: seen.clone(),
            connections: connections.clone(),
            open: watching,
        };
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                connections.fetch_add(1, Ordering::SeqCst);
                let (script, seen, open, tls) = (script.clone(), seen.clone(), open.clone(), tls.clone());
                tokio::spawn(async move {
                    open.send_modify(|open| *open += 1);
                    talk(stream, tls, early, &*script, &seen).await;
                    open.send_modify(|open| *open -= 1);
                });
            }
        });
        upstream
    }

    pub(super) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    pub(super) fn requests(&self) -> Vec<Seen> {
        self.seen.lock().clone()
    }

    /// Until this many connections are open.
    pub(super) async fn open(&self, wanted: usize) {
        self.open.clone().wait_for(|open| *open == wanted).await.unwrap();
    }
}

async fn talk(
    stream: TcpStream,
    tls: Option<TlsAcceptor>,
    early: bool,
    script: &Script,
    seen: &Mutex<Vec<Seen>>,
) {
    stream.set_nodelay(true).unwrap();
    let socket = Socket::from(stream.as_fd().try_clone_to_owned().unwrap());
    match tls {
        None => converse(stream, &socket, early, script, seen).await,
        Some(tls) => {
            if let Ok(stream) = tls.accept(stream).await {
                converse(stream, &socket, early, script, seen).await;
            }
        }
    }
}

async fn converse<S>(mut stream: S, socket: &Socket, early: bool, script: &Script, seen: &Mutex<Vec<Seen>>)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut buffer = Vec::new();
    loop {
        let Some(end) = find(&mut stream, &mut buffer, b"\r\n\r\n").await else {
            return;
        };
        let head = String::from_utf8(buffer.drain(..end).collect()).unwrap();
        let mut request = Seen {
            head,
            body: Vec::new(),
        };
        let length: usize = request
            .header("content-length")
            .map_or(0, |length| length.parse().unwrap());
        while !early && buffer.len() < length {
            if read(&mut stream, &mut buffer).await == 0 {
                return;
            }
        }
        request.body = buffer.drain(..length.min(buffer.len())).collect();
        let steps = {
            let mut seen = seen.lock();
            let steps = script(seen.len(), &request);
            seen.push(request);
            steps
        };
        for step in steps {
            match step {
                Step::Say(bytes) => {
                    if stream.write_all(&bytes).await.is_err() || stream.flush().await.is_err() {
                        return;
                    }
                }
                Step::Repeat(bytes) => while stream.write_all(&bytes).await.is_ok() {},
                Step::Wait(mut gate) => {
                    // The peer may leave meanwhile.
                    tokio::select! {
                        _ = gate.wait_for(|open| *open) => {}
                        0 = read(&mut stream, &mut buffer) => return,
                    }
                }
                Step::Hang => {
                    while read(&mut stream, &mut buffer).await > 0 {}
                    return;
                }
                Step::Close => return,
                Step::Reset => {
                    socket.set_linger(Some(Duration::ZERO)).unwrap();
                    return;
                }
                Step::Count(taken) => {
                    taken.fetch_add(1, Ordering::SeqCst);
                }
            }
        }
        if early {
            std::future::pending::<()>().await;
        }
    }
}

async fn find<S: AsyncRead + Unpin>(stream: &mut S, buffer: &mut Vec<u8>, end: &[u8]) -> Option<usize> {
    loop {
        if let Some(at) = buffer.windows(end.len()).position(|window| window == end) {
            return Some(at + end.len());
        }
        if read(stream, buffer).await == 0 {
            return None;
        }
    }
}

async fn read<S: AsyncRead + Unpin>(stream: &mut S, buffer: &mut Vec<u8>) -> usize {
    stream.read_buf(buffer).await.unwrap_or(0)
}

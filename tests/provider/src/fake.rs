//! A running fake provider: threads of its own, so that it serves whatever the runtime of a test is doing, and is gone when
//! the handle is dropped.

use std::io;
use std::net::SocketAddr;
use std::ops::Deref;
use std::sync::Arc;
use std::thread::JoinHandle;

use serde::{Deserialize, Serialize};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{mpsc, oneshot, watch};

use crate::options::{Addresses, Options};
use crate::provider::Provider;
use crate::record::Recorder;
use crate::scenario::ScenarioError;
use crate::serve::accept::{Bound, Job, ListenerMode, accept};
use crate::serve::{CloseHow, Connections, serve};
use crate::tls::{Tls, TlsError, TlsFault, with_local_names};

/// Why a fake provider did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// An address is not free.
    #[error("cannot listen on {address}: {error}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        error: io::Error,
    },
    /// A thread or its runtime could not be made.
    #[error("cannot start a worker: {0}")]
    Worker(#[source] io::Error),
    /// The scenario does not hold together.
    #[error(transparent)]
    Scenario(#[from] ScenarioError),
    /// The certificates could not be made.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

/// One of the two listeners.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ListenerName {
    /// Plain HTTP.
    Http,
    /// HTTPS.
    Https,
}

/// Everything that may be changed from outside.
#[derive(Debug)]
pub(crate) struct Controls {
    pub(crate) provider: Arc<Provider>,
    pub(crate) addresses: Addresses,
    connections: Arc<Connections>,
    tls: Option<Arc<Tls>>,
    http: Option<Gate>,
    https: Option<Gate>,
}

#[derive(Debug)]
struct Gate {
    wanted: watch::Sender<ListenerMode>,
    applied: watch::Receiver<ListenerMode>,
}

impl Controls {
    pub(crate) fn ca_pem(&self) -> Option<&str> {
        self.tls.as_ref().map(|tls| tls.ca_pem())
    }

    pub(crate) fn set_tls_fault(&self, fault: TlsFault) {
        if let Some(tls) = &self.tls {
            tls.set_fault(fault);
        }
    }

    pub(crate) fn close_connections(&self, how: CloseHow) -> usize {
        self.connections.close_all(how)
    }

    /// False when there is no such listener, or it is gone.
    pub(crate) async fn set_listener(&self, name: ListenerName, mode: ListenerMode) -> bool {
        let gate = match name {
            ListenerName::Http => &self.http,
            ListenerName::Https => &self.https,
        };
        let Some(gate) = gate else { return false };
        gate.wanted.send_replace(mode);
        gate.applied
            .clone()
            .wait_for(|applied| *applied == mode)
            .await
            .is_ok()
    }
}

/// A fake provider that runs until this is dropped. Keys, rules, limits and log: the methods of [`Provider`].
#[derive(Debug)]
pub struct FakeProvider {
    controls: Arc<Controls>,
    stop: Option<oneshot::Sender<()>>,
    threads: Vec<JoinHandle<()>>,
}

impl FakeProvider {
    /// Binds, makes certificates, starts the threads; when it returns, connects are served.
    pub fn start(options: Options) -> Result<Self, StartError> {
        let tls = match options.listen_tls {
            Some(_) => Some(Arc::new(Tls::new(&with_local_names(&options.tls_names))?)),
            None => None,
        };
        let recorder = Recorder::new(options.record, options.log_cap);
        let provider = Arc::new(Provider::new(options.scenario, recorder)?);
        let connections = Arc::new(Connections::default());

        let (mut workers, mut threads) = (Vec::new(), Vec::new());
        for n in 0..worker_count(options.workers) {
            let (jobs, queue) = mpsc::unbounded_channel();
            workers.push(jobs);
            threads.push(spawn_worker(n, queue, provider.clone(), connections.clone())?);
        }

        let [http, https, control] = [options.listen, options.listen_tls, options.control].map(bind);
        let (http, https, control) = (http?, https?, control?);
        let address = |bound: &Option<Bound>| bound.as_ref().map(|bound| bound.address);
        let addresses = Addresses {
            http: address(&http),
            https: address(&https),
            control: address(&control),
        };

        let mut acceptors = Vec::new();
        let mut gate = |bound: Option<Bound>, tls: Option<Arc<Tls>>| {
            let (wanted, asked) = watch::channel(ListenerMode::Open);
            let (done, applied) = watch::channel(ListenerMode::Open);
            acceptors.push(accept(bound?, tls, asked, done, workers.clone()));
            Some(Gate { wanted, applied })
        };
        let (http, https) = (gate(http, None), gate(https, tls.clone()));
        let controls = Arc::new(Controls {
            provider,
            addresses,
            connections,
            tls,
            http,
            https,
        });

        let (stop, stopped) = oneshot::channel::<()>();
        let runtime = current_thread()?;
        let for_control = controls.clone();
        threads.push(spawn("fake-accept".to_owned(), move || {
            runtime.block_on(async {
                for acceptor in acceptors {
                    tokio::spawn(acceptor);
                }
                if let Some(control) = control {
                    tokio::spawn(crate::control::serve(control, for_control));
                }
                let _ = stopped.await;
            });
        })?);
        Ok(Self {
            controls,
            stop: Some(stop),
            threads,
        })
    }

    /// Where it listens.
    pub fn addresses(&self) -> &Addresses {
        &self.controls.addresses
    }

    /// Base URL by plain HTTP, without `/v1`. Empty when there is no such listener.
    pub fn http_url(&self) -> String {
        self.addresses()
            .http
            .map_or_else(String::new, |address| format!("http://{address}"))
    }

    /// Base URL by HTTPS with the name `localhost`, without `/v1`. Empty when there is no such listener.
    pub fn https_url(&self) -> String {
        self.addresses().https.map_or_else(String::new, |address| {
            format!("https://localhost:{}", address.port())
        })
    }

    /// The certificate of its CA.
    pub fn ca_pem(&self) -> Option<&str> {
        self.controls.ca_pem()
    }

    /// What is wrong with handshakes from now on.
    pub fn set_tls_fault(&self, fault: TlsFault) {
        self.controls.set_tls_fault(fault);
    }

    /// What a listener does with connects from now on; false when there is no such listener.
    pub async fn set_listener(&self, name: ListenerName, mode: ListenerMode) -> bool {
        self.controls.set_listener(name, mode).await
    }

    /// Closes all open connections, running exchanges included; returns how many.
    pub fn close_connections(&self, how: CloseHow) -> usize {
        self.controls.close_connections(how)
    }
}

impl Deref for FakeProvider {
    type Target = Provider;

    fn deref(&self) -> &Provider {
        &self.controls.provider
    }
}

impl Drop for FakeProvider {
    fn drop(&mut self) {
        // The accept thread ends, and with its acceptors the workers' queues.
        self.stop.take();
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

fn bind(address: Option<SocketAddr>) -> Result<Option<Bound>, StartError> {
    let Some(address) = address else { return Ok(None) };
    Bound::listening(address)
        .map(Some)
        .map_err(|error| StartError::Listen { address, error })
}

fn worker_count(wanted: usize) -> usize {
    match wanted {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        n => n,
    }
}

fn current_thread() -> Result<Runtime, StartError> {
    Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(StartError::Worker)
}

fn spawn(name: String, work: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, StartError> {
    std::thread::Builder::new()
        .name(name)
        .spawn(work)
        .map_err(StartError::Worker)
}

fn spawn_worker(
    n: usize,
    mut queue: mpsc::UnboundedReceiver<Job>,
    provider: Arc<Provider>,
    connections: Arc<Connections>,
) -> Result<JoinHandle<()>, StartError> {
    let runtime = current_thread()?;
    spawn(format!("fake-worker-{n}"), move || {
        runtime.block_on(async {
            while let Some((tcp, tls)) = queue.recv().await {
                if let Ok(tcp) = tokio::net::TcpStream::from_std(tcp) {
                    serve(provider.clone(), connections.clone(), tcp, tls);
                }
            }
        });
        // Open connections are dropped with the runtime.
    })
}

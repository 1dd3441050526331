//! One request and its answer on one connection.

use std::future::{Future, poll_fn};
use std::ops::RangeInclusive;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use http::{Request, Response, StatusCode};
use hyper::client::conn::TrySendError;
use hyper::client::conn::http1::{Builder, Connection, SendRequest};
use hyper_util::rt::TokioIo;

use super::answer::Answer;
use super::error::UpstreamError;
use super::frames::RequestBody;
use super::idle::Origin;
use super::stream::Stream;
use crate::gather::READ_BUFFER;

/// How long a connection is used again and again, give or take: what a name points to changes, and servers are added behind a Service
/// that deals out connections, not requests. The tenth more or less keeps connections of one moment from ending in one moment.
const AGE: RangeInclusive<Duration> = Duration::from_secs(270)..=Duration::from_secs(330);

/// What reads and writes the byte stream.
type Wire = Connection<TokioIo<Stream>, RequestBody>;

/// A connection and the handle by which requests enter it.
pub(super) struct Live {
    sender: SendRequest<RequestBody>,
    /// None once it made its last step.
    connection: Option<Pin<Box<Wire>>>,
    /// Whether the current request was handed to the socket whole.
    drained: Arc<AtomicBool>,
    origin: Arc<Origin>,
    /// From then on it takes no further request.
    pub(super) retires: Instant,
}

/// Why an exchange brought no answer.
pub(super) enum Failure {
    /// Nothing of the request was written: here it is again.
    NotWritten(Box<Request<RequestBody>>),
    /// Something may have been.
    Failed(UpstreamError),
}

impl Live {
    /// Takes a new byte stream into use.
    pub(super) async fn begin(stream: Stream, origin: Arc<Origin>) -> Result<Self, UpstreamError> {
        let (sender, connection) = Builder::new()
            // Bounds an answer's head, and what is read ahead of a slow client.
            .max_buf_size(READ_BUFFER)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(|_| UpstreamError::Refused)?;
        Ok(Self {
            sender,
            connection: Some(Box::pin(connection)),
            drained: Arc::default(),
            origin,
            retires: Instant::now() + rand::random_range(AGE),
        })
    }

    /// Looks at the socket: true when the connection is open and takes a request.
    pub(super) fn is_idle(&mut self, cx: &mut Context<'_>) -> bool {
        self.drive(cx);
        self.connection.is_some() && self.sender.is_ready()
    }

    /// Lets the connection read and write.
    pub(super) fn drive(&mut self, cx: &mut Context<'_>) {
        if let Some(connection) = &mut self.connection
            // Its error reaches the request or the answer that it concerns.
            && connection.as_mut().poll(cx).is_ready()
        {
            self.connection = None;
        }
    }

    /// Whether the connection made its last step.
    pub(super) fn is_over(&self) -> bool {
        self.connection.is_none()
    }

    /// Goes back to the idle ones, if it can take another request and is not too old.
    pub(super) fn recycle(mut self, cx: &mut Context<'_>) {
        if self.is_idle(cx) && Instant::now() < self.retires {
            let origin = self.origin.clone();
            origin.park(self);
        }
    }

    /// Sends a request and waits for the head of its answer.
    pub(super) async fn exchange(
        mut self,
        mut request: Request<RequestBody>,
        head_timeout: Duration,
    ) -> Result<Response<Answer>, Failure> {
        request.body_mut().watch(&self.drained);
        let sent = self.sender.try_send_request(request);
        let result = {
            let mut sent = pin!(sent);
            let head = poll_fn(|cx| {
                // Only the connection, which this very task drives, resolves the request: it needs no waker of its own.
                let mut unwoken = Context::from_waker(Waker::noop());
                if let Poll::Ready(result) = sent.as_mut().poll(&mut unwoken) {
                    return Poll::Ready(result);
                }
                self.drive(cx);
                sent.as_mut().poll(&mut unwoken)
            });
            tokio::time::timeout(head_timeout, head).await
        };
        match result {
            Err(_) if !self.drained.load(Ordering::Acquire) => Err(Failure::Failed(UpstreamError::NotSent)),
            Err(_) => Err(Failure::Failed(UpstreamError::HeadTimeout)),
            Ok(Err(error)) => Err(self.failure(error)),
            Ok(Ok(response)) if response.status() == StatusCode::SWITCHING_PROTOCOLS => {
                Err(Failure::Failed(UpstreamError::NotHttp))
            }
            Ok(Ok(response)) => {
                let (head, incoming) = response.into_parts();
                let mut answer = Answer::new(incoming, self);
                poll_fn(|cx| {
                    answer.settle(cx);
                    Poll::Ready(())
                })
                .await;
                Ok(Response::from_parts(head, answer))
            }
        }
    }

    fn failure(&self, mut error: TrySendError<Request<RequestBody>>) -> Failure {
        if let Some(request) = error.take_message() {
            return Failure::NotWritten(Box::new(request));
        }
        let error = error.into_error();
        Failure::Failed(if error.is_parse() {
            UpstreamError::NotHttp
        } else if error.is_canceled() || !self.drained.load(Ordering::Acquire) {
            UpstreamError::NotSent
        } else {
            UpstreamError::Lost
        })
    }
}

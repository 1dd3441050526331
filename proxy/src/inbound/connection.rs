//! One client connection: hyper between the socket and the service, under time limits.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::ops::RangeInclusive;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use http::HeaderValue;
use http::header::CONNECTION;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::accept::Drain;
use super::client_io::ClientIo;
use super::front;
use super::pulse::{Phase, Pulse};
use crate::forward::Service;
use crate::gather::READ_BUFFER;

/// From the cut of a drain to the end of the connection: enough to write an error event.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// How long a connection takes requests, give or take: pods that were added get nothing from clients that keep their connections. The
/// tenth more or less keeps clients of one moment from coming back in one moment.
const AGE: RangeInclusive<Duration> = Duration::from_secs(540)..=Duration::from_secs(660);

/// Serves a connection to its end.
pub(super) async fn serve(stream: TcpStream, service: Arc<Service>, drain: Arc<Drain>) {
    if stream.set_nodelay(true).is_err() {
        return;
    }
    let retires = Instant::now() + rand::random_range(AGE);
    let pulse = Arc::new(Pulse::new());
    let io = TokioIo::new(ClientIo::new(stream, pulse.clone()));
    let answer = |request| {
        let (service, pulse, drain) = (service.clone(), pulse.clone(), drain.clone());
        async move {
            pulse.busy();
            let mut response = service.answer(request, pulse).await;
            if drain.has_begun() || retires <= Instant::now() {
                let close = HeaderValue::from_static("close");
                response.headers_mut().insert(CONNECTION, close);
            }
            Ok::<_, Infallible>(response)
        }
    };
    let mut connection = pin!(
        http1::Builder::new()
            .header_read_timeout(None)
            // Bounds what is written ahead of a slow client too. The head has its own, lower limit.
            .max_buf_size(READ_BUFFER)
            .max_header_size(front::PARSER_HEAD_LIMIT)
            .serve_connection(io, service_fn(answer))
    );
    let mut drain_begins = pin!(drain.begin.notified());
    drain_begins.as_mut().enable();
    let mut timer = pin!(tokio::time::sleep(Duration::ZERO));
    // What the timer is set to; none when it is not set.
    let mut armed: Option<Instant> = None;
    let mut cut_at: Option<Instant> = None;
    let mut told_to_close = false;

    let mut listens = false;

    poll_fn(|cx| {
        // Once is enough, as the waker of a task stays the same; polling it again would take a lock that all share.
        if !std::mem::replace(&mut listens, true) {
            let _ = drain_begins.as_mut().poll(cx);
        }
        if cut_at.is_none() && drain.has_begun() {
            cut_at = Some(Instant::now() + drain.limit);
        }
        loop {
            if let Poll::Ready(result) = connection.as_mut().poll(cx) {
                if let Err(error) = result {
                    tracing::debug!(%error, "client connection ended early");
                }
                return Poll::Ready(());
            }
            if pulse.has_left() {
                return Poll::Ready(());
            }
            // A request that is on its way when the drain begins is served, and so is one that follows closely.
            let between = matches!(pulse.phase(), Phase::Fresh | Phase::Head | Phase::Idle);
            if cut_at.is_none() || told_to_close || between {
                break;
            }
            told_to_close = true;
            connection.as_mut().graceful_shutdown();
        }
        loop {
            let cut = cut_at.map(|at| if pulse.is_aborting() { at + LAST_WORDS } else { at });
            let deadline = [pulse.deadline(cut_at.is_some()), cut]
                .into_iter()
                .flatten()
                .min();
            let Some(deadline) = deadline else {
                return Poll::Pending;
            };
            if armed.is_none_or(|armed| deadline < armed) {
                timer.as_mut().reset(deadline.into());
                armed = Some(deadline);
            }
            // Where there is always something to do, timers are looked at late.
            let is_cut = cut.is_some_and(|cut| cut <= Instant::now());
            if !is_cut && timer.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            armed = None;
            let now = Instant::now();
            if now < deadline {
                continue;
            }
            if cut.is_some_and(|cut| cut <= now) && !pulse.is_aborting() {
                pulse.abort();
                if connection.as_mut().poll(cx).is_pending() {
                    continue;
                }
            }
            return Poll::Ready(());
        }
    })
    .await;
}

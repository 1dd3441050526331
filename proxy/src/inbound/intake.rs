//! Reads a request's body as it comes: frames are looked at once and kept ([`Gathered`]).
//!
//! A client that sends crumbs must not cost more than one that sends the same in one piece. All bodies of the process together
//! are bounded, because each is kept until its request has been answered.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http_body::Body;
use http_body_util::BodyExt;
use keypool_dialect::answer::Code;
use keypool_dialect::scan::{Scan, ScanError, Scanner};

use crate::forward::{Advice, Refusal};
use crate::gather::Gathered;

/// The largest body.
const BODY_LIMIT: usize = 32 * 1024 * 1024;
/// All bodies that the process holds.
const TOTAL_LIMIT: usize = 256 * 1024 * 1024;
/// Bodies up to this size are not counted: there cannot be enough connections for them to matter.
const UNCOUNTED: usize = 16 * 1024;
/// How long a client may send nothing of its body.
const PROGRESS: Duration = Duration::from_secs(30);

/// The bytes that all requests hold.
#[derive(Clone, Default)]
pub(crate) struct Held(Arc<AtomicUsize>);

/// A request's body, read and looked at.
pub(crate) struct Intake {
    /// The bytes as they came.
    pub(crate) frames: Vec<Bytes>,
    /// What they say.
    pub(crate) scan: Scan,
    /// How many they are.
    pub(crate) length: usize,
    _share: Share,
}

/// Why a body was not read to its end.
#[derive(Debug)]
pub(crate) enum Unread {
    /// The client must change it.
    Refused(Refusal),
    /// The client went away: there is nobody to answer.
    ClientGone,
}

impl From<Refusal> for Unread {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

/// A part of what all requests hold; given back when dropped.
struct Share {
    held: Held,
    bytes: usize,
}

impl Intake {
    /// Reads to the end.
    ///
    /// # Errors
    /// Why there is no body. What is left of it is not read then.
    pub(crate) async fn read<B>(mut body: B, held: &Held) -> Result<Self, Unread>
    where
        B: Body<Data = Bytes, Error: std::error::Error + 'static> + Unpin,
    {
        if body.size_hint().lower() > BODY_LIMIT as u64 {
            return Err(too_large().into());
        }
        let mut scanner = Scanner::new();
        let mut frames = Gathered::default();
        let mut length = 0;
        let mut share = Share {
            held: held.clone(),
            bytes: 0,
        };
        loop {
            let frame = tokio::time::timeout(PROGRESS, body.frame()).await;
            let Some(frame) = frame.map_err(|_| too_slow())? else {
                break;
            };
            let Ok(data) = frame.map_err(|error| broken_off(&error))?.into_data() else {
                continue;
            };
            length += data.len();
            if length > BODY_LIMIT {
                return Err(too_large().into());
            }
            share.grow(length)?;
            scanner.push(&data).map_err(|error| unreadable(&error))?;
            frames.push(data);
        }
        let scan = scanner.finish().map_err(|error| unreadable(&error))?;
        Ok(Self {
            frames: frames.finish(),
            scan,
            length,
            _share: share,
        })
    }
}

impl Share {
    /// Takes account of a body that has this length by now.
    fn grow(&mut self, length: usize) -> Result<(), Refusal> {
        if length <= UNCOUNTED {
            return Ok(());
        }
        let more = length - self.bytes;
        self.bytes = length;
        let total = self.held.0.fetch_add(more, Ordering::Relaxed) + more;
        if total > TOTAL_LIMIT {
            let message = "This proxy holds as many request bodies as it can at the moment.";
            return Err(Refusal::new(Code::QueueFull, message)
                .advising(Advice::after_secs(1))
                .closing());
        }
        Ok(())
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.held.0.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

fn too_large() -> Refusal {
    Refusal::new(
        Code::BodyTooLarge,
        format!("The body is larger than {BODY_LIMIT} bytes."),
    )
    .closing()
}

fn too_slow() -> Refusal {
    Refusal::new(
        Code::RequestTimeout,
        "The rest of the body did not arrive in time.",
    )
    .closing()
}

/// A body that ends before its end has lost its client; anything else is wrongly framed.
fn broken_off(error: &(dyn std::error::Error + 'static)) -> Unread {
    let cause = error.source().unwrap_or(error).downcast_ref::<io::Error>();
    match cause.map(io::Error::kind) {
        Some(io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData) => {
            Refusal::new(Code::InvalidRequest, "The body is not framed correctly.")
                .closing()
                .into()
        }
        _ => Unread::ClientGone,
    }
}

fn unreadable(error: &ScanError) -> Refusal {
    let code = match error {
        ScanError::Duplicate(_) => Code::DuplicateField,
        _ => Code::InvalidRequest,
    };
    let refusal = Refusal::new(code, format!("Invalid request: {error}.")).closing();
    match error.field() {
        Some(field) => refusal.naming(field.name()),
        None => refusal,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::{Full, StreamBody};

    fn body(pieces: Vec<Vec<u8>>) -> impl Body<Data = Bytes, Error = io::Error> + Unpin {
        let frames = pieces
            .into_iter()
            .map(|piece| Ok::<_, std::io::Error>(http_body::Frame::data(Bytes::from(piece))));
        StreamBody::new(futures::stream::iter(frames))
    }

    async fn refused<B>(body: B, held: &Held) -> Option<Code>
    where
        B: Body<Data = Bytes, Error: std::error::Error + 'static> + Unpin,
    {
        match Intake::read(body, held).await {
            Ok(_) | Err(Unread::ClientGone) => None,
            Err(Unread::Refused(refusal)) => Some(refusal.code()),
        }
    }

    #[tokio::test]
    async fn frames_are_kept_and_crumbs_are_gathered() {
        let text = br#"{"model":"m","messages":[]}"#;
        let intake = Intake::read(Full::new(Bytes::from_static(text)), &Held::default())
            .await
            .ok()
            .unwrap();
        assert_eq!(intake.frames, [Bytes::from_static(text)]);
        let crumbs = text.chunks(1).map(<[u8]>::to_vec).collect();
        let intake = Intake::read(body(crumbs), &Held::default()).await.ok().unwrap();
        assert_eq!(intake.frames.concat(), text);
        assert!(intake.frames.len() <= 2, "{}", intake.frames.len());
        assert_eq!(intake.length, text.len());
    }

    #[tokio::test]
    async fn large_bodies_are_counted_and_given_back() {
        let held = Held::default();
        let text = format!(r#"{{"model":"m","x":"{}"}}"#, "a".repeat(100_000));
        let length = text.len();
        let intake = Intake::read(Full::new(Bytes::from(text)), &held)
            .await
            .ok()
            .unwrap();
        assert_eq!(held.0.load(Ordering::Relaxed), length);
        drop(intake);
        assert_eq!(held.0.load(Ordering::Relaxed), 0);

        held.0.store(TOTAL_LIMIT, Ordering::Relaxed);
        let more = Full::new(Bytes::from(vec![b' '; UNCOUNTED + 1]));
        assert_eq!(refused(more, &held).await, Some(Code::QueueFull));
        assert_eq!(held.0.load(Ordering::Relaxed), TOTAL_LIMIT);
    }

    #[tokio::test]
    async fn what_is_too_large_is_refused_before_it_is_read() {
        let declared = Full::new(Bytes::from(vec![b' '; BODY_LIMIT + 1]));
        assert_eq!(
            refused(declared, &Held::default()).await,
            Some(Code::BodyTooLarge)
        );
        let pieces = (0..33).map(|_| vec![b' '; 1024 * 1024]).collect();
        assert_eq!(
            refused(body(pieces), &Held::default()).await,
            Some(Code::BodyTooLarge)
        );
    }

    #[tokio::test]
    async fn a_body_that_breaks_off_has_lost_its_client() {
        for (kind, want) in [
            (io::ErrorKind::UnexpectedEof, None),
            (io::ErrorKind::ConnectionReset, None),
            (io::ErrorKind::InvalidInput, Some(Code::InvalidRequest)),
        ] {
            let frames = [
                Ok(http_body::Frame::data(Bytes::from_static(b"{"))),
                Err(io::Error::from(kind)),
            ];
            let body = StreamBody::new(futures::stream::iter(frames));
            assert_eq!(refused(body, &Held::default()).await, want, "{kind:?}");
        }
    }
}

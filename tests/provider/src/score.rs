//! An answer's body as a sequence of steps: wait, send, flush, break.
//!
//! Every cut point is first turned into a byte offset of the body, so that cutting is one piece of code whatever the point
//! was called.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;

use crate::scenario::{Cut, CutHow, CutPoint, Latency};

/// What the body does next.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Step {
    /// Nothing for so long.
    Wait(Duration),
    /// These bytes.
    Send(Bytes),
    /// This event, with the time of its sending.
    SendStamped(Bytes),
    /// Let what was sent leave before going on.
    Flush,
    /// End here, in this way.
    Break(CutHow),
}

/// How the parts of a body follow each other.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Pace {
    /// Before the first part.
    pub(crate) first: Latency,
    /// Between parts.
    pub(crate) cadence: Latency,
    /// Parts need not leave one by one.
    pub(crate) together: bool,
    /// Parts get the time of their sending.
    pub(crate) stamp: bool,
    /// For the draws.
    pub(crate) seed: u64,
}

/// The steps for `parts`, broken off where the cut says.
pub(crate) fn steps(parts: &[Bytes], pace: &Pace, cut: Option<&Cut>) -> VecDeque<Step> {
    let offset = cut.and_then(|cut| offset(parts, cut.at));
    let mut steps = VecDeque::with_capacity(2 * parts.len() + 2);
    let mut sent = 0;
    for (n, part) in parts.iter().enumerate() {
        if offset.is_some_and(|offset| sent >= offset) {
            break;
        }
        let wait = if n == 0 { pace.first } else { pace.cadence };
        if !wait.is_zero() {
            steps.push_back(Step::Wait(wait.draw(pace.seed, n as u64)));
        } else if n > 0 && !pace.together {
            steps.push_back(Step::Flush);
        }
        let room = offset.map_or(u64::MAX, |offset| offset - sent);
        let len = room.min(part.len() as u64);
        let part = part.slice(..len as usize);
        steps.push_back(if pace.stamp {
            Step::SendStamped(part)
        } else {
            Step::Send(part)
        });
        sent += len;
    }
    if let (Some(_), Some(cut)) = (offset, cut)
        && cut.how != CutHow::Clean
    {
        steps.push_back(Step::Break(cut.how));
    }
    steps
}

/// Where in the body a cut point is; nothing when it is not in the body at all.
fn offset(parts: &[Bytes], at: CutPoint) -> Option<u64> {
    let total: u64 = parts.iter().map(|part| part.len() as u64).sum();
    let first = |n: usize| parts.iter().take(n).map(|part| part.len() as u64).sum::<u64>();
    let half = |n: usize| parts.get(n).map_or(0, |part| part.len() as u64 / 2);
    let whole = parts.len() == 1;
    match at {
        CutPoint::BeforeHead | CutPoint::WireBytes(_) => None,
        CutPoint::AfterHead => Some(0),
        CutPoint::AfterFirstEvent | CutPoint::MidEvent if whole => Some(half(0)),
        CutPoint::BeforeDone if whole => Some(total.saturating_sub(1)),
        CutPoint::AfterFirstEvent => Some(first(1)),
        CutPoint::AfterEvents(n) => Some(first(usize::try_from(n).unwrap_or(usize::MAX))),
        CutPoint::MidEvent => Some(first(1) + half(1)),
        CutPoint::BeforeDone => Some(first(parts.len().saturating_sub(1))),
        CutPoint::Bytes(n) => Some(n.min(total)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts() -> Vec<Bytes> {
        ["aaaa", "bbbb", "cccc", "done"]
            .map(Bytes::from_static_str)
            .to_vec()
    }

    trait FromStr {
        fn from_static_str(text: &'static str) -> Self;
    }
    impl FromStr for Bytes {
        fn from_static_str(text: &'static str) -> Self {
            Self::from_static(text.as_bytes())
        }
    }

    fn sent(steps: &VecDeque<Step>) -> String {
        let text = |step: &Step| match step {
            Step::Send(bytes) => String::from_utf8(bytes.to_vec()).unwrap(),
            _ => String::new(),
        };
        steps.iter().map(text).collect()
    }

    #[test]
    fn each_point_cuts_where_its_name_says() {
        for (at, expected) in [
            (CutPoint::AfterHead, ""),
            (CutPoint::AfterFirstEvent, "aaaa"),
            (CutPoint::AfterEvents(2), "aaaabbbb"),
            (CutPoint::MidEvent, "aaaabb"),
            (CutPoint::BeforeDone, "aaaabbbbcccc"),
            (CutPoint::Bytes(5), "aaaab"),
            (CutPoint::Bytes(99), "aaaabbbbccccdone"),
        ] {
            let cut = Cut {
                at,
                how: CutHow::Reset,
            };
            let steps = steps(&parts(), &Pace::default(), Some(&cut));
            assert_eq!(sent(&steps), expected, "{at:?}");
            assert_eq!(steps.back(), Some(&Step::Break(CutHow::Reset)), "{at:?}");
        }
    }

    #[test]
    fn a_single_part_is_cut_inside() {
        for (at, expected) in [
            (CutPoint::AfterFirstEvent, "aa"),
            (CutPoint::MidEvent, "aa"),
            (CutPoint::BeforeDone, "aaa"),
        ] {
            let cut = Cut {
                at,
                how: CutHow::Close,
            };
            assert_eq!(
                sent(&steps(&parts()[..1], &Pace::default(), Some(&cut))),
                expected
            );
        }
    }

    #[test]
    fn a_clean_cut_just_ends() {
        let cut = Cut {
            at: CutPoint::BeforeDone,
            how: CutHow::Clean,
        };
        let steps = steps(&parts(), &Pace::default(), Some(&cut));
        assert!(matches!(steps.back(), Some(Step::Send(_))));
    }

    #[test]
    fn events_leave_one_by_one_unless_told() {
        let flushes = |together| {
            let pace = Pace {
                together,
                ..Pace::default()
            };
            steps(&parts(), &pace, None)
                .iter()
                .filter(|step| **step == Step::Flush)
                .count()
        };
        assert_eq!((flushes(false), flushes(true)), (3, 0));
    }

    #[test]
    fn waits_stand_before_their_part() {
        let pace = Pace {
            first: Latency::millis(5),
            cadence: Latency::millis(2),
            ..Pace::default()
        };
        let waits: Vec<_> = steps(&parts(), &pace, None).into_iter().step_by(2).collect();
        let ms = |n| Step::Wait(Duration::from_millis(n));
        assert_eq!(waits, [ms(5), ms(2), ms(2), ms(2)]);
    }
}

//! What of an own verdict is news to others, and under which names it was told.

use std::sync::Arc;
use std::time::Duration;

use super::standing::Told;
use super::{Kind, Own, Rest};
use crate::time::Time;

/// An own deadline that moves by less is not told again.
const WORTH_TELLING: Duration = Duration::from_secs(1);
/// Names of one verdict that are kept: a leader follows the last one, and may lag a few behind.
const NAMES_KEPT: usize = 8;
/// A shorter rate limit is over before anyone could act on the news.
const SHORTEST_TOLD: Duration = Duration::from_secs(5);

impl Rest {
    /// The own verdict as it is to be told now, when that is news.
    pub(crate) fn news(&self, now: Time) -> Option<&Own> {
        let own = self.own.as_ref()?;
        match own.told {
            Some(told) if told.kind == own.kind => {
                let grown = own.until.since(told.until) >= WORTH_TELLING;
                let hardened = told.soft && !own.is_soft(now);
                (own.kind != Kind::Invalid && (grown || hardened)).then_some(own)
            }
            _ => {
                let short = own.kind == Kind::RateLimited && own.until.since(now) < SHORTEST_TOLD;
                (!short).then_some(own)
            }
        }
    }

    /// Notes that the own verdict was told under this number.
    pub(crate) fn told_as(&mut self, id: u64, now: Time) {
        if let Some(own) = &mut self.own {
            if own.ids.len() == NAMES_KEPT {
                own.ids.remove(0);
            }
            own.ids.push(id);
            own.told = Some(Told {
                kind: own.kind,
                until: own.until,
                soft: own.is_soft(now),
            });
        }
    }

    /// Names another value as the one whose use showed it, when the first one is gone; to be told anew.
    pub(crate) fn attribute(&mut self, by: &Arc<str>) {
        if let Some(own) = &mut self.own {
            own.by = Arc::clone(by);
            own.told = None;
        }
    }
}

//! What ends a verdict before its time. Only an attempt that was sent after the verdict was known speaks against it.

use super::phase::Event;
use super::{Kind, Rest};
use crate::ids::Tick;
use crate::time::Time;
use crate::verdict::VerdictId;

impl Rest {
    /// A success of an attempt: refutes what was known when it was sent. Gives the names of what it refuted.
    pub(crate) fn succeed(&mut self, sent: Tick, known: Tick, now: Time) -> Vec<VerdictId> {
        let refuted = self.refute(sent, |_| true);
        self.served_by = self.served_by.max(sent);
        self.vouched = false;
        if self.own.is_none() && self.advised.is_empty() {
            self.on(Event::Success { sent, known }, now);
        } else {
            self.judge(now);
        }
        refuted
    }

    /// A validation call succeeded: it refutes that the value is refused, and the next request is a trial, for the call proves less than a
    /// request. Until a request succeeds it does so once: a trial that is refused after it knows better, and from then on the rests run and
    /// double. A call that was sent before the refusal says nothing of it. A confirmed dead key is always freed, because such a call confirmed
    /// it; of credit the call says nothing.
    pub(crate) fn absolve(&mut self, sent: Tick, now: Time) -> Vec<VerdictId> {
        let first = !self.vouched;
        self.vouched |= self.known().is_none_or(|known| known < sent);
        let refuted = self.refute(sent, |kind| match kind {
            Kind::Invalid => true,
            Kind::Refused => first,
            Kind::RateLimited | Kind::Credit => false,
        });
        if self.own.is_none() && self.advised.is_empty() {
            self.on(Event::Lifted, now);
        } else {
            self.judge(now);
        }
        refuted
    }

    /// A person's reset of what this process and others know. Gives the names of what stood.
    pub(crate) fn reset(&mut self, now: Time) -> Vec<VerdictId> {
        let refuted = self.refute(Tick(u64::MAX), |_| true);
        self.on(Event::Reset, now);
        refuted
    }

    /// Takes away what was known before `sent` and is of a kind that is spoken against.
    fn refute(&mut self, sent: Tick, speaks: impl Fn(Kind) -> bool) -> Vec<VerdictId> {
        let mut refuted = Vec::new();
        if let Some(own) = self.own.take_if(|own| own.known < sent && speaks(own.kind)) {
            refuted.extend(own.ids.into_iter().map(VerdictId::Own));
        }
        self.advised.retain(|advised| {
            let stays = advised.known >= sent || !speaks(advised.kind);
            if !stays {
                refuted.push(VerdictId::Foreign(advised.id.clone()));
            }
            stays
        });
        refuted
    }
}

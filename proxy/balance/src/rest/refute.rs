//! What ends a verdict before its time. Only an attempt that was sent after the verdict was known speaks against it.

use super::Rest;
use super::phase::Event;
use crate::ids::Tick;
use crate::time::Time;
use crate::verdict::VerdictId;

impl Rest {
    /// A success of an attempt: refutes what was known when it was sent. Gives the names of what it refuted.
    pub(crate) fn succeed(&mut self, sent: Tick, known: Tick, now: Time) -> Vec<VerdictId> {
        let refuted = self.refute(sent);
        if self.own.is_none() && self.advised.is_empty() {
            self.on(Event::Success { sent, known }, now);
        } else {
            self.judge(now);
        }
        refuted
    }

    /// A validation call succeeded: refutes like a success, but the next request is a trial, for the call proves less than a request.
    pub(crate) fn absolve(&mut self, sent: Tick, now: Time) -> Vec<VerdictId> {
        let refuted = self.refute(sent);
        if self.own.is_none() && self.advised.is_empty() {
            self.on(Event::Lifted, now);
        } else {
            self.judge(now);
        }
        refuted
    }

    /// A person's reset of what this process and others know. Gives the names of what stood.
    pub(crate) fn reset(&mut self, now: Time) -> Vec<VerdictId> {
        let refuted = self.refute(Tick(u64::MAX));
        self.on(Event::Reset, now);
        refuted
    }

    fn refute(&mut self, sent: Tick) -> Vec<VerdictId> {
        let mut refuted = Vec::new();
        if let Some(own) = self.own.take_if(|own| own.known < sent) {
            refuted.extend(own.ids.into_iter().map(VerdictId::Own));
        }
        self.advised.retain(|advised| {
            let stays = advised.known >= sent;
            if !stays {
                refuted.push(VerdictId::Foreign(advised.id.clone()));
            }
            stays
        });
        refuted
    }
}

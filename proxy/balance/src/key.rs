//! A key: one value of one provider.
//!
//! A refusal of the key itself benches it (a rest, like any other) and asks for one validation call. Refused there as a dead key it is
//! `Invalid`; nothing else proves that. Where there is no such call, a second request's refusal with a dead key's code confirms.

use std::sync::Arc;
use std::time::Duration;

use crate::ids::{KeyId, Tick};
use crate::rest::Rest;
use crate::time::Time;

/// A validation call that was asked for and not answered is asked for again after this.
const ASK_AGAIN: Duration = Duration::from_secs(60);

/// What is known of a value.
#[derive(Clone, Debug)]
pub(crate) struct Key {
    pub(crate) id: KeyId,
    pub(crate) fingerprint: Arc<str>,
    pub(crate) proof: Proof,
    /// The last success or valid call: sent then.
    pub(crate) proven_by: Tick,
    /// Refusals of the key, for every model.
    pub(crate) whole: Rest,
    /// Refusals of the key for one model, by lane.
    pub(crate) models: Vec<(usize, Rest)>,
    /// The last refusal carried a dead key's code, and nothing has spoken for the key since.
    pub(crate) suspected: bool,
    /// The provider's validation call does not exist: requests confirm.
    pub(crate) unprobeable: bool,
    asked: Option<Time>,
}

/// Whether a value was ever seen to work.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) enum Proof {
    /// Not yet tried, or only refused.
    #[default]
    None,
    /// The validation call could not tell.
    NotVerifiable { told: u64, at: Time },
    /// It worked.
    Proven { told: u64, at: Time },
}

impl Key {
    pub(crate) fn new(id: KeyId, fingerprint: Arc<str>) -> Self {
        Self {
            id,
            fingerprint,
            proof: Proof::None,
            proven_by: Tick::default(),
            whole: Rest::default(),
            models: Vec::new(),
            suspected: false,
            unprobeable: false,
            asked: None,
        }
    }

    pub(crate) fn is_proven(&self) -> bool {
        matches!(self.proof, Proof::Proven { .. })
    }

    /// Whether a validation call is to be asked for now; notes that it was.
    pub(crate) fn ask(&mut self, now: Time) -> bool {
        let ask = self.asked.is_none_or(|asked| now.since(asked) >= ASK_AGAIN);
        if ask {
            self.asked = Some(now);
        }
        ask
    }

    /// A validation call ended.
    pub(crate) fn answered(&mut self) {
        self.asked = None;
    }
}

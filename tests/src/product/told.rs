//! What the product told its clients, kept for the canary scan.

use std::sync::{Arc, Mutex, PoisonError};

use crate::canary::Scan;

/// A place and what was read there.
type Kept = (String, Vec<u8>);

/// Bodies, headers and other text, with the place that each is from. Clones
/// keep together.
#[derive(Clone, Debug, Default)]
pub(super) struct Told {
    kept: Arc<Mutex<Vec<Kept>>>,
}

impl Told {
    pub(super) fn keep(&self, place: impl Into<String>, content: impl Into<Vec<u8>>) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.push((place.into(), content.into()));
    }

    pub(super) fn look(&self, scan: &mut Scan) {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        for (place, content) in kept.iter() {
            scan.look(place, content);
        }
    }
}

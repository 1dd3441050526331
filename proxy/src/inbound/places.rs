//! How many connections there may be, in all and per client address: one client alone cannot take all places.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use parking_lot::Mutex;

/// Connections of the process.
const TOTAL: usize = 8192;
/// Connections of one client address.
const PER_ADDRESS: usize = 1024;

/// The places that are taken.
pub(super) struct Places {
    total: usize,
    per_address: usize,
    taken: Mutex<Taken>,
}

#[derive(Default)]
struct Taken {
    total: usize,
    by_address: HashMap<IpAddr, usize>,
}

/// One taken place; free again when dropped.
pub(super) struct Place {
    places: Arc<Places>,
    address: IpAddr,
}

impl Places {
    pub(super) fn new() -> Arc<Self> {
        Self::with(TOTAL, PER_ADDRESS)
    }

    fn with(total: usize, per_address: usize) -> Arc<Self> {
        Arc::new(Self {
            total,
            per_address,
            taken: Mutex::default(),
        })
    }

    /// A place for a connection from this address, if there is one.
    pub(super) fn take(self: &Arc<Self>, address: IpAddr) -> Option<Place> {
        let mut taken = self.taken.lock();
        if taken.total >= self.total {
            return None;
        }
        let count = taken.by_address.entry(address).or_default();
        if *count >= self.per_address {
            return None;
        }
        *count += 1;
        taken.total += 1;
        Some(Place {
            places: self.clone(),
            address,
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.taken.lock();
        taken.total -= 1;
        if let Some(count) = taken.by_address.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                taken.by_address.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_cannot_take_all_places_and_places_come_back() {
        let [a, b] = [1, 2].map(|last| IpAddr::from([10, 0, 0, last]));
        let places = Places::with(3, 2);
        let first = places.take(a).unwrap();
        let _second = places.take(a).unwrap();
        assert!(places.take(a).is_none());
        let third = places.take(b).unwrap();
        assert!(places.take(b).is_none(), "all places are taken");
        drop(first);
        assert!(places.take(a).is_some());
        drop(third);
        assert!(!places.taken.lock().by_address.contains_key(&b));
    }
}

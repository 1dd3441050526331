//! keypool-balance.

//! keypool-contract.

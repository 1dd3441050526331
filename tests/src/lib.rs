//! keypool-tests.

//! keypool-dialect.

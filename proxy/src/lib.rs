//! keypool-proxy.

//! keypool-fake-provider.

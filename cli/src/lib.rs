//! keypool-cli.

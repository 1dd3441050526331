//! keypool-crds.

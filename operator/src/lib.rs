//! keypool-operator.

//! Names that outlive a configuration: an answer may come back after an update, and must find its key or be dropped.

/// A provider of one UID, for the balancer's life.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) struct ProviderId(pub(crate) u32);

/// A value (fingerprint) of one provider.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) struct KeyId(pub(crate) u32);

/// A provider's upstream model.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) struct LaneId(pub(crate) u32);

/// Orders what happens: an attempt with a higher tick than a verdict was sent after the verdict was known.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) struct Tick(pub(crate) u64);

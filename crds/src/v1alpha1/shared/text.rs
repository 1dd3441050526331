//! Patterns of the strings that users write. They are in RE2's and the regex crate's common part.

/// A DNS-1123 subdomain: names of Secrets and ConfigMaps.
pub const SUBDOMAIN: &str = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$";
/// A DNS-1123 label: names of list entries.
pub const LABEL: &str = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$";
/// A DNS-1035 label: names of our own kinds.
pub const DNS_1035: &str = "^[a-z]([-a-z0-9]*[a-z0-9])?$";
/// A data key of a Secret or ConfigMap.
pub const DATA_KEY: &str = "^[-._a-zA-Z0-9]+$";
/// A model's name: visible ASCII, as vendors use it (`ft:gpt-4o:acme::1`, `meta/llama-4`).
pub const MODEL: &str = "^[!-~]+$";
/// A vendor's identifier, or a name of the user's own.
pub const IDENTIFIER: &str = "^[A-Za-z0-9]([-._A-Za-z0-9]*[A-Za-z0-9])?$";
/// A lower-case header name.
pub const HEADER_NAME: &str = "^[a-z0-9]([-_.a-z0-9]*[a-z0-9])?$";
/// A header value: visible ASCII, spaces inside.
pub const HEADER_VALUE: &str = "^[!-~]([ -~]*[!-~])?$";
/// One to four numbers with a unit each.
pub const DURATION: &str = "^([0-9]{1,5}(h|m|s|ms)){1,4}$";

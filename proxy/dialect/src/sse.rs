//! Server-sent events, split while they pass by.

//! What the proxy knows about the providers' protocols: pure functions over bytes and headers.
//!
//! Nothing here does I/O, reads a clock or waits: times come in as arguments, answers go out as data. Bytes that belong
//! to a client or a provider are looked at and passed on; only the few that must change are spliced (`splice`), and no
//! body is ever parsed and written again.
//!
//! | step of a request | module |
//! |---|---|
//! | method and path → operation, operation → upstream address | [`operation`], [`endpoint`] |
//! | whose key is it, which key goes out | [`auth`] |
//! | request body: read the few fields, change the model | [`scan`], [`splice`] |
//! | headers in both directions | [`headers`] |
//! | what an answer means for key, model and provider | [`outcome`], [`hints`] |
//! | streams: events, commit point, terminal marker, usage | [`sse`], [`stream`], [`usage`] |
//! | Keypool's own answers, and other people's with our keys blanked | [`answer`], [`redact`] |
//! | is this key alive | [`probe`] |

pub mod answer;
pub mod auth;
pub mod endpoint;
pub mod headers;
pub mod hints;
pub mod operation;
pub mod outcome;
pub mod probe;
mod provider;
pub mod redact;
pub mod scan;
pub mod splice;
pub mod sse;
pub mod stream;
pub mod usage;

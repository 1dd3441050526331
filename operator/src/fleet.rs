//! One exchange per pod: document and advisories out, acknowledgement and verdicts in.

pub mod client;

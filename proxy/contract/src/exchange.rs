//! The messages between the leader and one pod.
//!
//! A request's body is one line of JSON, and after its line feed the document's bytes as they are, where there is one: they
//! hold keys, and a JSON string of them would leave unescaped copies in a parser's memory. An answer is JSON.
//!
//! The leader opens one request after another to the pod's admin port, and the pod holds each one until it has something to tell or the
//! poll ends. A new document, advisory or name ends the held poll: the leader drops it and asks again. What a lost answer held is
//! repeated, because only the next request's `confirmed` lets the pod forget.

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::document::{ConfigError, DocumentHash, Encoded, Fingerprint, ProviderUid};
use crate::verdict::{Advisory, Verdict};

/// From the leader to a pod.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExchangeRequest {
    /// The Lease's transition count. A pod refuses a lower one than it has seen.
    pub term: u64,
    /// Who asks: the leader's identity. A pod answers a reader that it does not know with a snapshot.
    pub reader: String,
    /// The pod's instance whose sequence `confirmed` counts; empty at first.
    #[serde(default)]
    pub instance: String,
    /// The last sequence number that the reader has received.
    pub confirmed: u64,
    /// The pod's last acknowledgement that the reader has received: a poll is not held while another one holds.
    #[serde(default)]
    pub acknowledged: Acknowledgement,
    /// The document, when the pod's hash differs from the desired one.
    #[serde(skip)]
    pub document: Option<Encoded>,
    /// All advisories for this pod, replacing those before; none when nothing changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub advisories: Option<Vec<Advisory>>,
    /// The keys whose first validation is this pod's, replacing those before; none when nothing changed. A key that nothing has
    /// proven is named for one pod at a time, and no other asks the provider about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_validations: Option<Vec<FirstValidation>>,
    /// Names of cooldowns that a person wants ended (`keypool.dev/clear-cooldown`), acted on once per token.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub clear_cooldowns: Vec<ClearCooldown>,
    /// Milliseconds to hold the poll, 0..=[`crate::limits::MAX_POLL_MS`]. 0 answers at once.
    pub wait_ms: u64,
}

/// What a body holds that is no request. What a parser says may quote it, so nothing of that comes out.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the body is not a request of the exchange")]
pub struct NotARequest;

impl ExchangeRequest {
    /// The request as it travels, wiped after use.
    ///
    /// # Errors
    /// [`NotARequest`] when it cannot be written; no value of this type is known to be so.
    pub fn to_body(&self) -> Result<Zeroizing<Vec<u8>>, NotARequest> {
        let line = serde_json::to_vec(self).map_err(|_| NotARequest)?;
        let document = self.document.as_ref().map_or(&[][..], Encoded::bytes);
        // At once in its full size: a buffer that grows leaves copies behind.
        let mut body = Zeroizing::new(Vec::with_capacity(line.len() + 1 + document.len()));
        body.extend_from_slice(&line);
        if !document.is_empty() {
            body.push(b'\n');
            body.extend_from_slice(document);
        }
        Ok(body)
    }

    /// Reads a body.
    ///
    /// # Errors
    /// [`NotARequest`].
    pub fn from_body(body: &[u8]) -> Result<Self, NotARequest> {
        let end = body.iter().position(|byte| *byte == b'\n').unwrap_or(body.len());
        let (line, rest) = body.split_at(end);
        let request: Self = serde_json::from_slice(line).map_err(|_| NotARequest)?;
        let document = rest.get(1..).filter(|document| !document.is_empty());
        Ok(Self {
            document: document.map(|document| Encoded::from_bytes(document.to_vec())),
            ..request
        })
    }
}

/// A key that nothing has proven yet, to be asked about by one pod.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FirstValidation {
    /// The provider.
    pub provider: ProviderUid,
    /// The value.
    pub fingerprint: Fingerprint,
}

/// A person's wish to end cooldowns of a provider.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ClearCooldown {
    /// The provider.
    pub provider: String,
    /// The wish's token: a pod acts once per changed token.
    pub token: String,
    /// Names of credentials; empty for all.
    pub credentials: Vec<String>,
}

/// From a pod to the leader.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExchangeResponse {
    /// The pod's process: random at its start. Another one voids every acknowledgement before.
    pub instance: String,
    /// What it runs.
    pub acknowledgement: Acknowledgement,
    /// True when `verdicts` is everything that the pod holds, not just what is new.
    pub snapshot: bool,
    /// The pod's own verdicts after `confirmed`, in order.
    pub verdicts: Vec<Verdict>,
    /// The sequence number up to which this answer tells everything.
    pub sequence: u64,
}

/// What a pod runs, and what it refused last.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Acknowledgement {
    /// Lineage of the running document; empty before the first.
    pub lineage: String,
    /// Its generation.
    pub generation: u64,
    /// Its hash; none before the first document.
    pub hash: Option<DocumentHash>,
    /// Why the newest document that was offered is not the one that runs.
    pub last_error: Option<ConfigError>,
}

/// The body of a refusal by the pod, with status 409.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StaleTerm {
    /// The highest term that the pod has seen.
    pub term: u64,
}

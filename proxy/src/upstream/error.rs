//! Why an exchange with a provider failed: what happened, who is to blame, and may the provider have worked on it.

use crate::pool::{Attempted, EnvFault};

/// An exchange that brought no answer. None of these says anything about a key.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum UpstreamError {
    /// The name does not resolve, and no address is known from before.
    #[error("the provider's name does not resolve")]
    DnsFailed,
    /// No address accepts connections.
    #[error("the provider refuses connections")]
    Refused,
    /// DNS, TCP and TLS together took too long.
    #[error("connecting to the provider took too long")]
    ConnectTimeout,
    /// The provider does not prove its identity, or speaks no TLS that we speak.
    #[error("TLS with the provider failed: {0}")]
    TlsInvalid(TlsFault),
    /// The connection ended before the request was written whole.
    #[error("the connection ended before the request was sent")]
    NotSent,
    /// The request was sent whole, and the connection ended without an answer.
    #[error("the provider closed the connection without an answer")]
    Lost,
    /// The request was sent, and no answer began in time.
    #[error("the provider did not answer in time")]
    HeadTimeout,
    /// What came back is not HTTP.
    #[error("the provider's answer is not HTTP")]
    NotHttp,
}

/// What is wrong with a provider's TLS.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum TlsFault {
    /// The certificate is no longer, or not yet, valid.
    #[error("the certificate is not valid at this time")]
    Expired,
    /// The certificate is for another name.
    #[error("the certificate is for another name")]
    WrongName,
    /// The certificate comes from nobody whom we trust.
    #[error("the certificate is not trusted")]
    Untrusted,
    /// The handshake broke for another reason.
    #[error("the handshake failed")]
    Handshake,
}

impl UpstreamError {
    /// Whether the provider may have executed the request.
    pub fn may_have_run(self) -> bool {
        match self {
            Self::DnsFailed | Self::Refused | Self::ConnectTimeout | Self::TlsInvalid(_) | Self::NotSent => {
                false
            }
            Self::Lost | Self::HeadTimeout | Self::NotHttp => true,
        }
    }

    /// What the pool learns from it.
    pub fn attempted(self) -> Attempted<'static> {
        match self {
            Self::DnsFailed => Attempted::NotSent(EnvFault::Dns),
            Self::Refused | Self::ConnectTimeout | Self::NotSent => Attempted::NotSent(EnvFault::Refused),
            Self::TlsInvalid(_) => Attempted::NotSent(EnvFault::Tls),
            Self::Lost | Self::HeadTimeout | Self::NotHttp => Attempted::Unanswered,
        }
    }
}

//! One connection to one pod's exchange.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use keypool_contract::exchange::{ExchangeRequest, ExchangeResponse, NotARequest, StaleTerm};
use keypool_contract::limits::{EXCHANGE_PATH, EXCHANGE_SERVER_NAME, MAX_POLL_MS};
use zeroize::Zeroizing;

/// Why an exchange brought nothing.
#[derive(Debug, thiserror::Error)]
pub enum ExchangeError {
    /// The fleet's certificate cannot be used for a client.
    #[error("the fleet's exchange certificate cannot be used")]
    Certificate(#[source] reqwest::Error),
    /// What was to be sent cannot be written.
    #[error("the request cannot be written")]
    Unwritable(#[source] NotARequest),
    /// No connection, or no answer in time.
    #[error("the pod's exchange port does not answer")]
    Unreachable(#[source] reqwest::Error),
    /// The pod has seen a later leader.
    #[error("the pod knows a later leader (term {term})")]
    StaleTerm {
        /// The term that the pod has seen.
        term: u64,
    },
    /// The pod refused: another token, another certificate, another version.
    #[error("the pod refused the exchange with status {status}")]
    Refused {
        /// HTTP status.
        status: u16,
    },
    /// The pod's answer could not be read.
    #[error("the pod's answer could not be read")]
    Unreadable(#[source] reqwest::Error),
}

/// Speaks with one pod. Trusts the fleet's certificate alone, for its fixed name.
pub struct ExchangeClient {
    http: reqwest::Client,
    url: String,
    token: Zeroizing<String>,
}

/// A poll that the pod holds to its end, and the way there and back.
const ANSWER_WITHIN: Duration = Duration::from_millis(MAX_POLL_MS + 5_000);

impl ExchangeClient {
    /// A client for the pod at `ip`.
    ///
    /// # Errors
    /// [`ExchangeError::Certificate`] when `certificate` (PEM) cannot be used.
    pub fn new(
        ip: IpAddr,
        port: u16,
        certificate: &str,
        token: Zeroizing<String>,
    ) -> Result<Self, ExchangeError> {
        let roots = reqwest::Certificate::from_pem_bundle(certificate.as_bytes())
            .map_err(ExchangeError::Certificate)?;
        let http = reqwest::Client::builder()
            .tls_certs_only(roots)
            .resolve(EXCHANGE_SERVER_NAME, SocketAddr::new(ip, port))
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .no_proxy()
            .http1_only()
            .connect_timeout(Duration::from_secs(3))
            .timeout(ANSWER_WITHIN)
            .build()
            .map_err(ExchangeError::Certificate)?;
        Ok(Self {
            http,
            url: format!("https://{EXCHANGE_SERVER_NAME}:{port}{EXCHANGE_PATH}"),
            token,
        })
    }

    /// Asks once. Dropping the future drops the connection, which ends the poll that the pod holds.
    ///
    /// # Errors
    /// [`ExchangeError`], all but `Certificate`.
    pub async fn exchange(&self, request: &ExchangeRequest) -> Result<ExchangeResponse, ExchangeError> {
        let body = request.to_body().map_err(ExchangeError::Unwritable)?;
        let sent = self
            .http
            .post(&self.url)
            .bearer_auth(self.token.as_str())
            .header(CONTENT_TYPE, "application/json")
            // Owned, not copied: it is wiped when it was sent.
            .body(Bytes::from_owner(body))
            .send()
            .await;
        let answer = sent.map_err(|error| ExchangeError::Unreachable(error.without_url()))?;
        let unreadable = |error: reqwest::Error| ExchangeError::Unreadable(error.without_url());
        match answer.status().as_u16() {
            200 => answer.json().await.map_err(unreadable),
            409 => Err(ExchangeError::StaleTerm {
                term: answer.json::<StaleTerm>().await.map_err(unreadable)?.term,
            }),
            status => Err(ExchangeError::Refused { status }),
        }
    }
}

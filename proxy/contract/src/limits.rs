//! Every bound of the contract, once.

/// The version of the document's schema that this build writes and reads.
pub const SCHEMA_VERSION: u32 = 1;
/// The largest document: a Secret holds 1 MiB, and the certificate and the object's own fields stand beside it.
pub const MAX_DOCUMENT_BYTES: usize = 900 * 1024;
/// The longest key; the longest one that a vendor hands out today is a token of about 4 KiB.
pub const MAX_KEY_BYTES: usize = 8 * 1024;
/// Credentials of one provider.
pub const MAX_CREDENTIALS: usize = 256;
/// Members of one group.
pub const MAX_MEMBERS: usize = 32;
/// The file of the rendered Secret that holds the document.
pub const DOCUMENT_FILE: &str = "config.json";
/// The file that holds the pods' bearer token for the exchange.
pub const TOKEN_FILE: &str = "exchange.token";
/// The file that holds the pods' certificate for the exchange (PEM).
pub const CERTIFICATE_FILE: &str = "tls.crt";
/// The file that holds the private key of that certificate (PEM, PKCS #8).
pub const PRIVATE_KEY_FILE: &str = "tls.key";
/// The server name in the pods' certificate: pods have no stable names of their own.
pub const EXCHANGE_SERVER_NAME: &str = "exchange.keypool.dev";
/// The path of the exchange on the admin port.
pub const EXCHANGE_PATH: &str = "/v1/exchange";
/// Where clients are served.
pub const CLIENT_PORT: u16 = 8080;
/// Where health and metrics are served.
pub const HEALTH_PORT: u16 = 8081;
/// Where the exchange is served.
pub const EXCHANGE_PORT: u16 = 8443;
/// The longest time a pod holds a poll, in milliseconds: silence longer than this means that the pod is gone.
pub const MAX_POLL_MS: u64 = 5_000;
/// Verdicts that a pod keeps for a reader that has not confirmed them; beyond, the reader gets a snapshot.
pub const MAX_UNCONFIRMED: usize = 4_096;

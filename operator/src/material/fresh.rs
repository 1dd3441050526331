//! Where random parts are made. Not pure, and the only place that is not.

use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use keypool_contract::client_key::hex;
use keypool_contract::limits::EXCHANGE_SERVER_NAME;
use keypool_contract::{Salt, Secret};
use rand::TryRngCore;
use rand::rngs::OsRng;
use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair, date_time_ymd};
use zeroize::Zeroizing;

use super::{ClientSecret, ExchangeCertificate, Material, Rendered};
use crate::identity::MIN_IDENTITY_BYTES;

/// A pod certificate lives for a year and is renewed after two thirds of it: a pod that never looks at its files again has months.
const VALID_DAYS: i64 = 365;
const RENEW_AFTER_DAYS: u64 = 240;
const DAY: u64 = 86_400;

/// Random material could not be made.
#[derive(Debug, thiserror::Error)]
pub enum MaterialError {
    /// The system's random source failed.
    #[error("the system gives no random bytes")]
    Random(#[from] rand::rand_core::OsError),
    /// The certificate could not be made.
    #[error("the exchange certificate could not be made")]
    Certificate(#[from] rcgen::Error),
    /// A generated key is not a key: impossible, and told all the same.
    #[error("a generated key is not usable: {0}")]
    Key(#[from] keypool_contract::secret::MalformedKey),
}

impl Material {
    /// Takes what the rendered Secret and the client Secret hold and makes what is missing.
    ///
    /// # Errors
    /// When randomness or the certificate cannot be had.
    pub fn complete(
        rendered: Option<&Rendered>,
        client_secret: ClientSecret,
        now: Timestamp,
    ) -> Result<Self, MaterialError> {
        let document = rendered
            .and_then(|rendered| rendered.document.as_ref())
            .map(|stored| &stored.document);
        let (lineage, salt) = match document {
            Some(document) => (document.stamp.lineage.clone(), document.content.salt.clone()),
            None => (random_hex::<16>()?, Salt(random_hex::<16>()?)),
        };
        let token = match rendered.and_then(|rendered| rendered.token.clone()) {
            Some(token) => token,
            None => Zeroizing::new(random_hex::<32>()?),
        };
        let certificate = match rendered.and_then(|rendered| rendered.certificate.clone()) {
            Some(certificate) if now < certificate.renew_after => certificate,
            before => new_certificate(before.map(|old| old.certificate), now)?,
        };
        let client_key = match client_secret {
            ClientSecret::NotWanted | ClientSecret::Taken => None,
            ClientSecret::Holds(key) => Some(key),
            ClientSecret::Missing => Some(Secret::parse(format!("kp-{}", random_hex::<32>()?).as_bytes())?),
        };
        Ok(Self {
            lineage,
            salt,
            token,
            certificate,
            client_key,
        })
    }
}

/// Bytes for a new identity Secret.
///
/// # Errors
/// When the system gives no random bytes.
pub fn fresh_identity() -> Result<Zeroizing<Vec<u8>>, MaterialError> {
    let mut bytes = Zeroizing::new(vec![0; MIN_IDENTITY_BYTES]);
    OsRng.try_fill_bytes(&mut bytes)?;
    Ok(bytes)
}

fn random_hex<const BYTES: usize>() -> Result<String, MaterialError> {
    let mut bytes = Zeroizing::new([0; BYTES]);
    OsRng.try_fill_bytes(&mut *bytes)?;
    Ok(hex(&*bytes))
}

fn new_certificate(previous: Option<String>, now: Timestamp) -> Result<ExchangeCertificate, MaterialError> {
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::new(vec![EXCHANGE_SERVER_NAME.to_owned()])?;
    params.distinguished_name = DistinguishedName::new();
    // Two certificates of one name and different keys are told apart by their subject where both are trusted.
    let subject = format!("keypool exchange {}", random_hex::<4>()?);
    params.distinguished_name.push(DnType::CommonName, subject);
    let (year, month, date) = day(now, -1);
    params.not_before = date_time_ymd(year, month, date);
    let (year, month, date) = day(now, VALID_DAYS);
    params.not_after = date_time_ymd(year, month, date);
    let renew_after = now
        .checked_add(Duration::from_secs(RENEW_AFTER_DAYS * DAY))
        .unwrap_or(now);
    Ok(ExchangeCertificate {
        certificate: params.self_signed(&key)?.pem(),
        private_key: Zeroizing::new(key.serialize_pem()),
        previous,
        renew_after: crate::moment::whole_seconds(renew_after),
    })
}

/// Year, month and day of the date that is so many days away.
fn day(now: Timestamp, days: i64) -> (i32, u8, u8) {
    let seconds = now.as_second().saturating_add(days.saturating_mul(86_400));
    let date = Timestamp::from_second(seconds)
        .unwrap_or(now)
        .to_zoned(TimeZone::UTC)
        .date();
    let part = |part: i8| u8::try_from(part).unwrap_or(1);
    (i32::from(date.year()), part(date.month()), part(date.day()))
}

//! Certificates of a test cluster: one authority signs servers and clients.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType,
};

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot make the certificate of {name}: {source}")]
    Make { name: String, source: rcgen::Error },
    #[error("cannot write {}: {source}", path.display())]
    Write { path: PathBuf, source: std::io::Error },
}

/// A certificate and its key on disk.
#[derive(Clone, Debug)]
pub struct Pair {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

/// A key pair on disk.
#[derive(Clone, Debug)]
pub struct TokenKeys {
    pub signing: PathBuf,
    pub public: PathBuf,
}

/// The authority of one cluster and the directory its files are in.
pub struct Authority {
    directory: PathBuf,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    /// Makes `ca.crt` in `directory`.
    pub fn create(directory: &Path) -> Result<Self, Error> {
        let name = "test-ca";
        let failed = |source| Error::Make {
            name: name.to_owned(),
            source,
        };
        let key = KeyPair::generate().map_err(failed)?;
        let mut params = CertificateParams::new(Vec::<String>::new()).map_err(failed)?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        let certificate = params.self_signed(&key).map_err(failed)?;
        write(&directory.join("ca.crt"), &certificate.pem())?;
        Ok(Self {
            directory: directory.to_owned(),
            issuer: Issuer::new(params, key),
        })
    }

    pub fn certificate(&self) -> PathBuf {
        self.directory.join("ca.crt")
    }

    /// A server certificate for these names and addresses; it may be used as
    /// a client certificate too, as the kubelet does with its own.
    pub fn server(&self, name: &str, names: &[&str], addresses: &[IpAddr]) -> Result<Pair, Error> {
        let failed = |source| Error::Make {
            name: name.to_owned(),
            source,
        };
        let mut params = CertificateParams::new(names.iter().map(|&n| n.to_owned()).collect::<Vec<_>>())
            .map_err(failed)?;
        params
            .subject_alt_names
            .extend(addresses.iter().copied().map(SanType::IpAddress));
        self.sign(name, name, None, params)
    }

    /// A client certificate: `user` in `group`, as RBAC sees them.
    pub fn client(&self, name: &str, user: &str, group: &str) -> Result<Pair, Error> {
        let failed = |source| Error::Make {
            name: name.to_owned(),
            source,
        };
        let params = CertificateParams::new(Vec::<String>::new()).map_err(failed)?;
        self.sign(name, user, Some(group), params)
    }

    /// The keys that service-account tokens are signed and checked with.
    pub fn service_account(&self) -> Result<TokenKeys, Error> {
        let failed = |source| Error::Make {
            name: "service-account".to_owned(),
            source,
        };
        let keys = TokenKeys {
            signing: self.directory.join("service-account.key"),
            public: self.directory.join("service-account.pub"),
        };
        let pair = KeyPair::generate().map_err(failed)?;
        write(&keys.signing, &pair.serialize_pem())?;
        write(&keys.public, &pair.public_key_pem())?;
        Ok(keys)
    }

    fn sign(
        &self,
        file: &str,
        common_name: &str,
        organization: Option<&str>,
        mut params: CertificateParams,
    ) -> Result<Pair, Error> {
        let failed = |source| Error::Make {
            name: file.to_owned(),
            source,
        };
        params.distinguished_name.push(DnType::CommonName, common_name);
        if let Some(organization) = organization {
            params
                .distinguished_name
                .push(DnType::OrganizationName, organization);
        }
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![
            ExtendedKeyUsagePurpose::ServerAuth,
            ExtendedKeyUsagePurpose::ClientAuth,
        ];
        let key = KeyPair::generate().map_err(failed)?;
        let certificate = params.signed_by(&key, &self.issuer).map_err(failed)?;
        let pair = Pair {
            certificate: self.directory.join(format!("{file}.crt")),
            key: self.directory.join(format!("{file}.key")),
        };
        write(&pair.certificate, &certificate.pem())?;
        write(&pair.key, &key.serialize_pem())?;
        Ok(pair)
    }
}

fn write(path: &Path, content: &str) -> Result<(), Error> {
    std::fs::write(path, content).map_err(|source| Error::Write {
        path: path.to_owned(),
        source,
    })
}

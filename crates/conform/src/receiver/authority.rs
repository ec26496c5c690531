//! An authority made for a run, and certificates of it, good and bad.

use std::sync::Arc;

use anyhow::{Context, Result};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};
use rustls::{
    ServerConfig,
    pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
};

/// Names and addresses that certificates are for: this machine, and a name for tests that have resolvers of their own.
const NAMES: [&str; 3] = ["localhost", "127.0.0.1", "hooks.test"];

/// An authority that a sender can be told to trust.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

/// What is wrong with a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// Nothing.
    None,
    /// It was valid until the end of 2020.
    Expired,
    /// It is valid from 2100 on.
    NotYetValid,
    /// It is for another host.
    WrongHost,
    /// Nobody vouches for it but itself.
    SelfSigned,
}

/// A certificate and its key, as a server shows them.
#[derive(Clone)]
pub struct Identity(pub(super) Arc<ServerConfig>);

impl Authority {
    /// A new one.
    pub fn new() -> Result<Self> {
        Self::of(KeyPair::generate()?)
    }

    /// The one whose key was kept, so that senders need be told of it once.
    pub fn with_key(pem: &str) -> Result<Self> {
        Self::of(KeyPair::from_pem(pem).context("the authority's key cannot be read")?)
    }

    fn of(key: KeyPair) -> Result<Self> {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "InboundFlow conformance tests");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        (params.not_before, params.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(2120, 1, 1));
        Ok(Self(CertifiedIssuer::self_signed(params, key)?))
    }

    /// Its certificate.
    pub fn pem(&self) -> String {
        self.0.pem()
    }

    /// Its key.
    pub fn key_pem(&self) -> String {
        self.0.key().serialize_pem()
    }

    /// A certificate with a flaw, and its key.
    pub fn identity(&self, flaw: Flaw) -> Result<Identity> {
        let names = if flaw == Flaw::WrongHost { vec!["elsewhere.test"] } else { NAMES.to_vec() };
        let names: Vec<String> = names.into_iter().map(str::to_owned).collect();
        let mut params = CertificateParams::new(names)?;
        params.distinguished_name.push(DnType::CommonName, "a receiver of webhooks");
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let (from, until) = match flaw {
            Flaw::Expired => (2020, 2021),
            Flaw::NotYetValid => (2100, 2101),
            Flaw::None | Flaw::WrongHost | Flaw::SelfSigned => (2020, 2120),
        };
        (params.not_before, params.not_after) = (date_time_ymd(from, 1, 1), date_time_ymd(until, 1, 1));
        let key = KeyPair::generate()?;
        let certificate = match flaw {
            Flaw::SelfSigned => params.self_signed(&key)?,
            _ => params.signed_by(&key, &self.0)?,
        };
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)?;
        Ok(Identity(Arc::new(config)))
    }
}

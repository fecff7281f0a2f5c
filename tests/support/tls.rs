//! A certificate authority that lives as long as one simulator, and its one server certificate.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::PrivatePkcs8KeyDer;

/// The server side of TLS for `localhost` and `127.0.0.1`, and where clients find the CA to trust.
pub struct Tls {
    /// Accepts TLS on a TCP stream.
    pub acceptor: TlsAcceptor,
    /// The CA's certificate as PEM, for `http.sslCAInfo` and `SSL_CERT_FILE`.
    pub ca_file: PathBuf,
}

impl Tls {
    /// Makes a new CA and a certificate signed by it; the CA's key is dropped at once, so it can sign nothing else.
    pub fn generate(directory: &Path) -> anyhow::Result<Tls> {
        let ca_key = KeyPair::generate()?;
        let mut ca = CertificateParams::new(Vec::new())?;
        ca.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        ca.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        // Each has a name of its own: GnuTLS, which git may be built with, finds an issuer by its name alone.
        let simulator = directory.file_name().unwrap_or_default().to_string_lossy();
        ca.distinguished_name.push(DnType::CommonName, format!("throw-away CA of a GitHub simulator, {simulator}"));
        let ca_certificate = ca.self_signed(&ca_key)?;
        let ca_file = directory.join("ca.pem");
        std::fs::write(&ca_file, ca_certificate.pem())?;

        let server_key = KeyPair::generate()?;
        let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
        let mut server = CertificateParams::new(names)?;
        server.distinguished_name.push(DnType::CommonName, "localhost");
        server.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let certificate = server.signed_by(&server_key, &Issuer::new(ca, ca_key))?;

        // The provider is named: with two in the dependency tree rustls refuses to choose one itself.
        let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.der().clone()],
                PrivatePkcs8KeyDer::from(server_key.serialize_der()).into(),
            )?;
        Ok(Tls { acceptor: TlsAcceptor::from(Arc::new(config)), ca_file })
    }
}

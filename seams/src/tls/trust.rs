//! Servers of other operators, by the authorities that are believed.

use std::io;
use std::sync::Arc;

use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use super::PROTOCOL;
use crate::BoxIo;

const HTTP1: &[u8] = b"http/1.1";

/// The authorities whose certificates are believed.
#[derive(Clone, Debug)]
pub struct TlsTrust(Arc<ClientConfig>);

#[derive(Debug, thiserror::Error)]
pub enum TlsTrustError {
    #[error("no certificate of an authority is installed here (Debian's package is ca-certificates)")]
    NoneInstalled,
    #[error("the file holds no certificate in PEM")]
    NoneInFile,
    #[error("a certificate can't be used: {0}")]
    Unusable(String),
}

impl TlsTrust {
    /// Believes the authorities that this machine does.
    ///
    /// # Errors
    /// A machine without certificates.
    pub fn of_platform() -> Result<Self, TlsTrustError> {
        let mut roots = RootCertStore::empty();
        // One bad certificate among the platform's must not cost all the others;
        // in a file that is named, it is an error.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if roots.is_empty() { Err(TlsTrustError::NoneInstalled) } else { Self::of_roots(roots) }
    }

    /// Believes the authorities of a PEM file and no others.
    ///
    /// # Errors
    /// A file without certificates, or with one that can't be used.
    pub fn of_pem(pem: &[u8]) -> Result<Self, TlsTrustError> {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(pem) {
            let certificate = certificate.map_err(|error| TlsTrustError::Unusable(format!("{error:?}")))?;
            roots.add(certificate).map_err(|error| TlsTrustError::Unusable(error.to_string()))?;
        }
        if roots.is_empty() { Err(TlsTrustError::NoneInFile) } else { Self::of_roots(roots) }
    }

    fn of_roots(roots: RootCertStore) -> Result<Self, TlsTrustError> {
        // Named, since a process that links two of rustls' providers has no default one.
        let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| TlsTrustError::Unusable(error.to_string()))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        // gRPC needs HTTP/2, and servers that offer both would else choose HTTP/1.
        config.alpn_protocols = vec![PROTOCOL.to_vec()];
        Ok(Self(Arc::new(config)))
    }

    /// The same for servers that are spoken to in HTTP/1.1.
    #[must_use]
    pub fn over_http1(&self) -> Self {
        let mut config = ClientConfig::clone(&self.0);
        config.alpn_protocols = vec![HTTP1.to_vec()];
        Self(Arc::new(config))
    }

    /// Shakes hands with the server of this name.
    ///
    /// # Errors
    /// A name that is none, a certificate that isn't believed, a stream that breaks.
    pub async fn secure(&self, host: &str, io: BoxIo) -> io::Result<BoxIo> {
        let name = ServerName::try_from(host.to_owned())
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
        let connector = TlsConnector::from(Arc::clone(&self.0));
        Ok(Box::new(connector.connect(name, io).await?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_certificates_is_refused() {
        assert!(matches!(TlsTrust::of_pem(b"nothing"), Err(TlsTrustError::NoneInFile)));
        let broken = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        assert!(matches!(TlsTrust::of_pem(broken), Err(TlsTrustError::Unusable(_))));
    }
}

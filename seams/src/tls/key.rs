//! A neuron's own key, with the certificate around it.

use std::fmt;
use std::sync::Arc;

use pem::Pem;
use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair, PKCS_ECDSA_P256_SHA256};
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::sign::CertifiedKey;

use super::TlsPin;

/// A P-256 key and the self-signed certificate that clients see. Keep both: clients may have stored the certificate.
#[derive(Clone)]
pub struct TlsKey {
    pin: TlsPin,
    certified: Arc<CertifiedKey>,
    pem: String,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TlsKeyError {
    #[error("no key could be made: {0}")]
    Made(String),
    #[error("the file holds no private key with its certificate in PEM: {0}")]
    Pem(String),
    #[error("the certificate's key is no P-256 key")]
    Algorithm,
    #[error("key and certificate don't belong together: {0}")]
    Apart(String),
}

impl TlsKey {
    /// # Errors
    /// A machine without randomness.
    pub fn generate() -> Result<Self, TlsKeyError> {
        let made = |error: rcgen::Error| TlsKeyError::Made(error.to_string());
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(made)?;
        let bare = CertificateParams::default().self_signed(&key).map_err(made)?;
        let pin = TlsPin::of_certificate(bare.der()).ok_or(TlsKeyError::Algorithm)?;
        let mut about = CertificateParams::new(vec![pin.server_name()]).map_err(made)?;
        about.distinguished_name = DistinguishedName::new();
        about.distinguished_name.push(DnType::CommonName, "Weighhouse neuron");
        let certificate = about.self_signed(&key).map_err(made)?;
        let both =
            [Pem::new("PRIVATE KEY", key.serialize_der()), Pem::new("CERTIFICATE", &**certificate.der())];
        Self::of_pem(&pem::encode_many(&both))
    }

    /// Reads what [`Self::to_pem`] gave.
    ///
    /// # Errors
    /// Text without both, another sort of key, a certificate of another key.
    pub fn of_pem(text: &str) -> Result<Self, TlsKeyError> {
        let unread = |error| TlsKeyError::Pem(format!("{error:?}"));
        let key = PrivateKeyDer::from_pem_slice(text.as_bytes()).map_err(unread)?;
        let certificate = CertificateDer::from_pem_slice(text.as_bytes()).map_err(unread)?;
        let pin = TlsPin::of_certificate(&certificate).ok_or(TlsKeyError::Algorithm)?;
        let certified = CertifiedKey::from_der(vec![certificate], key, &ring::default_provider())
            .map_err(|error| TlsKeyError::Apart(error.to_string()))?;
        Ok(Self { pin, certified: Arc::new(certified), pem: text.to_owned() })
    }

    /// Private key and certificate: a secret.
    pub fn to_pem(&self) -> &str {
        &self.pem
    }

    pub fn pin(&self) -> TlsPin {
        self.pin
    }

    pub(super) fn certified(&self) -> Arc<CertifiedKey> {
        Arc::clone(&self.certified)
    }
}

impl fmt::Debug for TlsKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TlsKey").field(&self.pin).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_read_back_and_a_foreign_certificate_is_refused() {
        let (one, other) = (TlsKey::generate().expect("a key"), TlsKey::generate().expect("a key"));
        assert_eq!(TlsKey::of_pem(one.to_pem()).expect("its own").pin(), one.pin());
        assert_ne!(one.pin(), other.pin());
        let cut = |key: &TlsKey| key.to_pem().find("-----BEGIN CERT").expect("a certificate");
        let (key, certificate) = (&one.to_pem()[..cut(&one)], &other.to_pem()[cut(&other)..]);
        assert!(matches!(TlsKey::of_pem(&format!("{key}{certificate}")), Err(TlsKeyError::Apart(_))));
        for text in ["", key, certificate] {
            assert!(matches!(TlsKey::of_pem(text), Err(TlsKeyError::Pem(_))), "{text}");
        }
    }
}

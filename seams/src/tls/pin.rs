//! A neuron's published key, and connections to whoever holds it.

use std::fmt;
use std::io;
use std::sync::{Arc, OnceLock};

use data_encoding::BASE32_NOPAD;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::client::Resumption;
use tokio_rustls::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use tokio_rustls::rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, ring, verify_tls13_signature};
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, SignatureScheme, version,
};
use webpki::EndEntityCert;

use super::PROTOCOL;
use crate::BoxIo;

/// Bytes of a compressed point.
const BYTES: usize = 33;
/// What stands before the point in the DER of every P-256 key (RFC 5480).
const KEY_INFO: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86,
    0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];
/// A name that no name server answers for (RFC 9476).
const DOMAIN: &str = ".neuron.alt";

/// A P-256 key in its compressed form: what a neuron publishes on the chain, and what its clients hold it to.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TlsPin([u8; BYTES]);

impl TlsPin {
    /// Stands before the key in a neuron's certificate: ECDSA in TLS's registry of signature algorithms.
    pub const ALGORITHM: u8 = 3;

    /// The key in a neuron's certificate; `None` where it is of another sort.
    pub fn of_chain(algorithm: u8, key: &[u8]) -> Option<Self> {
        let key: [u8; BYTES] = key.try_into().ok()?;
        (algorithm == Self::ALGORITHM && matches!(key[0], 2 | 3)).then_some(Self(key))
    }

    /// The key of an X.509 certificate.
    pub(super) fn of_certificate(certificate: &CertificateDer<'_>) -> Option<Self> {
        let parsed = EndEntityCert::try_from(certificate).ok()?;
        let info = parsed.subject_public_key_info();
        let point: [u8; 65] = info.strip_prefix(&KEY_INFO)?.try_into().ok()?;
        let mut key = [0; BYTES];
        // An odd y is 3, an even one 2 (SEC 1, section 2.3.3); 4 says that both stand here whole.
        key[0] = 2 + point[64] % 2;
        key[1..].copy_from_slice(&point[1..BYTES]);
        (point[0] == 4).then_some(Self(key))
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The name that its certificate has, and by which clients ask for it in the handshake.
    pub fn server_name(&self) -> String {
        BASE32_NOPAD.encode(&self.0).to_ascii_lowercase() + DOMAIN
    }

    pub(super) fn of_server_name(name: &str) -> Option<Self> {
        let label = name.to_ascii_uppercase();
        let bytes = BASE32_NOPAD.decode(label.strip_suffix(&DOMAIN.to_ascii_uppercase())?.as_bytes()).ok()?;
        Self::of_chain(Self::ALGORITHM, &bytes)
    }

    /// Shakes hands with whoever holds this key, and nobody else.
    ///
    /// # Errors
    /// Another key at the other end, or one that it doesn't hold; a stream that breaks.
    pub async fn secure(&self, io: BoxIo) -> io::Result<BoxIo> {
        Ok(self.connect(io).await?.0)
    }

    /// As [`Self::secure`], with the certificate that the other end showed, in PEM: for clients that believe certificates.
    ///
    /// # Errors
    /// As [`Self::secure`].
    pub async fn certificate(&self, io: BoxIo) -> io::Result<String> {
        let (_, certificate) = self.connect(io).await?;
        Ok(pem::encode(&pem::Pem::new("CERTIFICATE", &*certificate)))
    }

    async fn connect(&self, io: BoxIo) -> io::Result<(BoxIo, CertificateDer<'static>)> {
        static CONFIG: OnceLock<Arc<ClientConfig>> = OnceLock::new();
        let config = CONFIG.get_or_init(|| Arc::new(client_config()));
        let name = ServerName::try_from(self.server_name())
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
        let stream = TlsConnector::from(Arc::clone(config)).connect(name, io).await?;
        let shown = stream.get_ref().1.peer_certificates().and_then(|all| all.first());
        let certificate = shown.map(|certificate| certificate.clone().into_owned());
        let certificate = certificate.ok_or_else(|| io::Error::other("no certificate was shown"))?;
        Ok((Box::new(stream), certificate))
    }
}

impl fmt::Debug for TlsPin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.server_name())
    }
}

fn client_config() -> ClientConfig {
    let provider = Arc::new(ring::default_provider());
    let verifier = PinVerifier(provider.signature_verification_algorithms);
    let mut config = tls13(provider)
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    config.alpn_protocols = vec![PROTOCOL.to_vec()];
    config.resumption = Resumption::disabled();
    config
}

/// A builder for TLS 1.3 alone.
fn tls13(
    provider: Arc<CryptoProvider>,
) -> tokio_rustls::rustls::ConfigBuilder<ClientConfig, tokio_rustls::rustls::WantsVerifier> {
    ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&version::TLS13])
        .expect("ring's provider has suites of TLS 1.3")
}

/// Believes a certificate whose key is the one that the server's name spells; who signed it, and until when, doesn't matter.
#[derive(Debug)]
struct PinVerifier(WebPkiSupportedAlgorithms);

impl ServerCertVerifier for PinVerifier {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        _others: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let shown = TlsPin::of_certificate(certificate).ok_or(CertificateError::BadEncoding)?;
        match TlsPin::of_server_name(&name.to_str()) {
            Some(pin) if pin == shown => Ok(ServerCertVerified::assertion()),
            _ => Err(CertificateError::ApplicationVerificationFailure.into()),
        }
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(Error::General("only TLS 1.3 is spoken here".to_owned()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.0)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ECDSA_NISTP256_SHA256]
    }
}

#[cfg(test)]
mod tests {
    use super::super::TlsKey;
    use super::*;

    #[test]
    fn a_name_spells_its_key_and_other_names_none() {
        let pin = TlsKey::generate().expect("a key").pin();
        let name = pin.server_name();
        assert!(name.split('.').all(|label| label.len() <= 63), "{name}");
        assert_eq!(TlsPin::of_server_name(&name), Some(pin));
        assert_eq!(TlsPin::of_server_name(&name.to_uppercase()), Some(pin));
        for other in ["", "neuron.alt", ".neuron.alt", "localhost", &name[1..], &name.replace(".alt", ".com")]
        {
            assert_eq!(TlsPin::of_server_name(other), None, "{other}");
        }
    }

    #[test]
    fn only_compressed_keys_of_our_algorithm_are_pins() {
        let key = TlsKey::generate().expect("a key").pin();
        assert_eq!(TlsPin::of_chain(TlsPin::ALGORITHM, key.as_bytes()), Some(key));
        assert_eq!(TlsPin::of_chain(1, key.as_bytes()), None);
        assert_eq!(TlsPin::of_chain(TlsPin::ALGORITHM, &[4; 33]), None);
        assert_eq!(TlsPin::of_chain(TlsPin::ALGORITHM, &key.as_bytes()[..32]), None);
        assert_eq!(TlsPin::of_certificate(&CertificateDer::from(vec![0x30, 0x03, 1, 2, 3])), None);
    }
}

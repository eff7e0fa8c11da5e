//! Signatures, one alone and many at once.

use schnorrkel::{PublicKey, Signature};

use super::{SIGNATURE_BYTES, SIGNING_CONTEXT, SignatureError};

/// What a signature says: who signed which bytes.
#[derive(Clone, Debug)]
pub struct Signed {
    pub public: [u8; 32],
    pub message: Vec<u8>,
    pub signature: [u8; SIGNATURE_BYTES],
}

impl Signed {
    pub fn verify(&self) -> Result<(), SignatureError> {
        verify(&self.public, &self.message, &self.signature)
    }
}

/// Accepts exactly a 64-byte sr25519 signature of `message` under `public`; anything else is refused.
pub fn verify(public: &[u8; 32], message: &[u8], signature: &[u8]) -> Result<(), SignatureError> {
    let (public, signature) = read(public, signature)?;
    public.verify_simple(SIGNING_CONTEXT, message, &signature).map_err(|_| SignatureError::Wrong)
}

/// True where [`verify`] accepts every one of them; at a fraction of the cost of looking at each.
pub fn verify_all(all: &[Signed]) -> bool {
    let mut sorted: Vec<&Signed> = all.iter().collect();
    // A key that stands in several signatures one after the other is multiplied once.
    sorted.sort_by_key(|signed| signed.public);
    let read: Result<(Vec<_>, Vec<_>), _> =
        sorted.iter().map(|signed| read(&signed.public, &signed.signature)).collect();
    let Ok((keys, signatures)) = read else { return false };
    let context = schnorrkel::signing_context(SIGNING_CONTEXT);
    let messages = sorted.iter().map(|signed| context.bytes(&signed.message));
    schnorrkel::verify_batch(messages, &signatures, &keys, true).is_ok()
}

fn read(public: &[u8; 32], signature: &[u8]) -> Result<(PublicKey, Signature), SignatureError> {
    if signature.is_empty() {
        return Err(SignatureError::Absent);
    }
    if signature.len() != SIGNATURE_BYTES {
        return Err(SignatureError::Length(signature.len()));
    }
    let signature = Signature::from_bytes(signature).map_err(|_| SignatureError::Shape)?;
    let public = PublicKey::from_bytes(public).map_err(|_| SignatureError::PublicKey)?;
    Ok((public, signature))
}

#[cfg(test)]
mod tests {
    use super::super::Keypair;
    use super::*;

    fn signed(uri: &str, message: &[u8]) -> Signed {
        let keypair = Keypair::from_uri(uri).expect("a uri");
        Signed { public: keypair.public(), message: message.to_vec(), signature: keypair.sign(message) }
    }

    #[test]
    fn many_are_accepted_exactly_where_each_is() {
        let mut all: Vec<Signed> = (0..20_u8)
            .map(|index| signed(["//Alice", "//Bob", "//Eve"][index as usize % 3], &[index]))
            .collect();
        assert!(verify_all(&all) && verify_all(&all[..1]) && verify_all(&[]));
        for broken in 0..all.len() {
            let whole = all[broken].clone();
            for change in 0..4 {
                match change {
                    0 => all[broken].message.push(0),
                    1 => all[broken].public = [7; 32],
                    2 => all[broken].signature[63] &= 0x7f,
                    _ => all[broken].signature[5] ^= 1,
                }
                assert!(!verify_all(&all), "{broken} {change}");
                assert_eq!(all.iter().filter(|one| one.verify().is_err()).count(), 1);
                all[broken] = whole.clone();
            }
        }
    }

    #[test]
    fn two_errors_that_would_cancel_out_are_found() {
        let (one, two) = (signed("//Alice", b"one"), signed("//Alice", b"two"));
        let swapped = [
            Signed { signature: two.signature, ..one.clone() },
            Signed { signature: one.signature, ..two.clone() },
        ];
        assert!(!verify_all(&swapped));
    }
}

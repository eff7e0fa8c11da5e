//! Bytes that several records share, and that each of them names by SHA-256.

use std::fmt;

use bytes::Bytes;
use parity_scale_codec::{Decode, Encode, Error, Input, Output};
use serde::{Deserialize, Serialize};

use crate::Digest;
use crate::record::hex_bytes;

/// Bytes with their SHA-256. Hashing happens where a blob is made, once; a clone shares the bytes.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "BlobForm", into = "BlobForm")]
pub struct Blob {
    digest: Digest,
    bytes: Bytes,
}

impl Blob {
    pub fn new(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        Self { digest: Digest::of(&bytes), bytes }
    }

    pub fn digest(&self) -> Digest {
        self.digest
    }

    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }
}

impl fmt::Debug for Blob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The length alone: a blob may be of megabytes.
        f.debug_struct("Blob").field("digest", &self.digest).field("bytes", &self.bytes.len()).finish()
    }
}

impl Encode for Blob {
    fn size_hint(&self) -> usize {
        self.bytes.as_ref().size_hint()
    }

    fn encode_to<T: Output + ?Sized>(&self, output: &mut T) {
        self.bytes.as_ref().encode_to(output);
    }
}

impl Decode for Blob {
    fn decode<I: Input>(input: &mut I) -> Result<Self, Error> {
        Vec::<u8>::decode(input).map(Self::new)
    }
}

/// The JSON form: the digest follows from the bytes.
#[derive(Serialize, Deserialize)]
struct BlobForm {
    #[serde(with = "hex_bytes")]
    bytes: Vec<u8>,
}

impl From<BlobForm> for Blob {
    fn from(BlobForm { bytes }: BlobForm) -> Self {
        Self::new(bytes)
    }
}

impl From<Blob> for BlobForm {
    fn from(blob: Blob) -> Self {
        Self { bytes: blob.bytes.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_blob_is_written_as_its_bytes_alone() {
        let blob = Blob::new(b"request".to_vec());
        assert_eq!(blob.encode(), b"request".to_vec().encode());
        assert_eq!(Blob::decode(&mut &blob.encode()[..]), Ok(blob.clone()));
        assert_eq!(blob.digest(), Digest::of(b"request"));
    }
}

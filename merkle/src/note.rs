//! Signed notes as C2SP writes them (c2sp.org/signed-note): a text, a blank line, and a line for each signature.
//!
//! A note is foreign text: reading one never panics, and its size and the number of its signatures are bounded. Signatures by keys
//! that nobody here knows are passed over; one by a known key has to be right.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

/// The longest note that is read, in bytes.
pub const NOTE_BYTES_MAX: usize = 64 << 10;
/// The most signatures of one note.
pub const NOTE_SIGNATURES_MAX: usize = 300;

const SIGNATURE_MARK: &str = "\u{2014} ";
const KEY_ID_BYTES: usize = 4;

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    #[error("a note of {bytes} bytes is over {NOTE_BYTES_MAX}")]
    TooLong { bytes: usize },
    #[error("it has no blank line before its signatures")]
    NoSignatures,
    #[error("its text holds control characters or doesn't end with a line")]
    Text,
    #[error("signature line {line} can't be read")]
    SignatureLine { line: usize },
    #[error("it has more than {NOTE_SIGNATURES_MAX} signatures")]
    TooManySignatures,
    #[error("{name} has not signed it")]
    Unsigned { name: String },
    #[error("its signature by {name} is wrong")]
    WrongSignature { name: String },
    #[error("a verifier key can't be read")]
    VerifierKey,
    #[error("it is no checkpoint: line {line} can't be read")]
    Checkpoint { line: usize },
}

/// A text and who signed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedNote {
    text: String,
    signatures: Vec<NoteSignature>,
}

/// One line below a note's text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoteSignature {
    pub name: String,
    pub key_id: [u8; KEY_ID_BYTES],
    pub bytes: Vec<u8>,
}

impl SignedNote {
    /// A note that nobody has signed yet. The text ends with a line's end.
    pub(crate) fn unsigned(text: String) -> Self {
        Self { text, signatures: Vec::new() }
    }

    /// # Errors
    /// The first thing that no signer writes.
    pub fn parse(note: &str) -> Result<Self, NoteError> {
        if note.len() > NOTE_BYTES_MAX {
            return Err(NoteError::TooLong { bytes: note.len() });
        }
        let (text, lines) = note.rsplit_once("\n\n").ok_or(NoteError::NoSignatures)?;
        let text = format!("{text}\n");
        if text.chars().any(|c| c.is_control() && c != '\n') {
            return Err(NoteError::Text);
        }
        let lines = lines.strip_suffix('\n').ok_or(NoteError::NoSignatures)?;
        let mut signatures = Vec::new();
        for (at, line) in lines.split('\n').enumerate() {
            if signatures.len() == NOTE_SIGNATURES_MAX {
                return Err(NoteError::TooManySignatures);
            }
            let signature = NoteSignature::parse(line).ok_or(NoteError::SignatureLine { line: at + 1 })?;
            signatures.push(signature);
        }
        Ok(Self { text, signatures })
    }

    pub fn text(&self) -> &str {
        &self.text
    }

    pub fn signatures(&self) -> &[NoteSignature] {
        &self.signatures
    }

    /// Adds a signature, unless the same key has signed already.
    pub fn add(&mut self, signature: NoteSignature) {
        let is_same =
            |known: &NoteSignature| (&known.name, known.key_id) == (&signature.name, signature.key_id);
        if !self.signatures.iter().any(is_same) {
            self.signatures.push(signature);
        }
    }
}

/// As it is passed on.
impl fmt::Display for SignedNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        self.signatures.iter().try_for_each(|signature| writeln!(f, "{signature}"))
    }
}

impl NoteSignature {
    /// # Errors
    /// `None` for whatever is no signature's line.
    pub fn parse(line: &str) -> Option<Self> {
        let (name, encoded) = line.strip_prefix(SIGNATURE_MARK)?.split_once(' ')?;
        let decoded = STANDARD.decode(encoded).ok()?;
        let (key_id, bytes) = decoded.split_first_chunk()?;
        (is_name(name) && !bytes.is_empty()).then(|| Self {
            name: name.to_owned(),
            key_id: *key_id,
            bytes: bytes.to_vec(),
        })
    }
}

impl fmt::Display for NoteSignature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = self.key_id.to_vec();
        bytes.extend(&self.bytes);
        write!(f, "{SIGNATURE_MARK}{} {}", self.name, STANDARD.encode(bytes))
    }
}

/// Whose signature a key makes, and over what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyKind {
    /// Of a log: Ed25519 over the note's text.
    Log,
    /// Of a witness: Ed25519 over the time and the text (c2sp.org/tlog-cosignature, version 1).
    Witness,
}

impl KeyKind {
    fn byte(self) -> u8 {
        match self {
            Self::Log => 0x01,
            Self::Witness => 0x04,
        }
    }
}

/// A public key by which notes are verified: its name is part of its identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifierKey {
    pub(crate) name: String,
    pub(crate) kind: KeyKind,
    pub(crate) key: [u8; 32],
}

impl VerifierKey {
    /// # Errors
    /// `None` where no key can have this name: it is empty, or holds a space or a plus.
    pub fn new(name: &str, kind: KeyKind, key: [u8; 32]) -> Option<Self> {
        is_name(name).then(|| Self { name: name.to_owned(), kind, key })
    }

    /// Reads `NAME+ID+BASE64`.
    ///
    /// # Errors
    /// Whatever is no key of a kind that is known here.
    pub fn parse(text: &str) -> Result<Self, NoteError> {
        let read = || {
            let (name, rest) = text.split_once('+')?;
            let (id, encoded) = rest.split_once('+')?;
            let decoded = STANDARD.decode(encoded).ok()?;
            let (kind, key) = decoded.split_first()?;
            let kind = [KeyKind::Log, KeyKind::Witness].into_iter().find(|known| known.byte() == *kind)?;
            let verifier = Self::new(name, kind, key.try_into().ok()?)?;
            let id = u32::from_str_radix(id, 16).ok().filter(|_| id.len() == 2 * KEY_ID_BYTES)?;
            (verifier.id() == id.to_be_bytes()).then_some(verifier)
        };
        read().ok_or(NoteError::VerifierKey)
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn key(&self) -> &[u8; 32] {
        &self.key
    }

    /// The first bytes of SHA-256 over name, kind and key: they find a key, and prove nothing.
    pub fn id(&self) -> [u8; KEY_ID_BYTES] {
        let hash = Sha256::new()
            .chain_update(&self.name)
            .chain_update([b'\n', self.kind.byte()])
            .chain_update(self.key)
            .finalize();
        std::array::from_fn(|at| hash[at])
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut key = vec![self.kind.byte()];
        key.extend(self.key);
        write!(f, "{}+{:08x}+{}", self.name, u32::from_be_bytes(self.id()), STANDARD.encode(key))
    }
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && !name.contains(|c: char| c.is_whitespace() || c.is_control() || c == '+')
}

//! The container: a manifest, the journal's files verbatim, and a digest over all of it.
//!
//! | bytes | what |
//! |---|---|
//! | 8 | `weighmov` |
//! | 2 | version, little-endian |
//! | 4 | length of the manifest |
//! | .. | SCALE of [`Manifest`] |
//! | .. | the files, in its order |
//! | 32 | SHA-256 of all before |

use std::io::{self, Read, Seek, SeekFrom, Write};

use parity_scale_codec::{Decode, DecodeAll as _, Encode};
use sha2::{Digest as _, Sha256};
use weighhouse_journal::{Identity, Segment, segment_name};
use weighhouse_seams::Storage;
use weighhouse_types::{Digest, Epoch};

use super::{Carried, Expected, FILES_MAX, MovingError, high_water, of_intents};

const MAGIC: [u8; 8] = *b"weighmov";
/// The version that is written, and the only one that is read.
pub const CONTAINER_VERSION: u16 = 1;
const MANIFEST_BYTES_MAX: u32 = 64 << 10;
/// The most bytes of one journal file: it is read whole, here as at a start.
const FILE_BYTES_MAX: u64 = 16 << 30;

/// The last epoch with a file, and the last intent that anything was signed or sealed for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode, serde::Serialize)]
pub struct HighWater {
    pub epoch: Epoch,
    pub signed: Option<(Epoch, Digest)>,
}

#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(super) struct Manifest {
    identity: Identity,
    high_water: HighWater,
    software: String,
    files: Vec<CarriedFile>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub(super) struct CarriedFile {
    pub(super) epoch: Epoch,
    bytes: u64,
    digest: Digest,
}

impl Manifest {
    fn carried(&self, open_intents: Vec<Epoch>) -> Carried {
        let Identity { genesis, netuid, mechanism, validator } = self.identity;
        Carried {
            validator,
            netuid,
            mechanism,
            genesis,
            epochs: self.files.iter().map(|file| file.epoch).collect(),
            bytes: self.files.iter().map(|file| file.bytes).sum(),
            high_water: self.high_water,
            open_intents,
        }
    }
}

/// Writes a container of these epochs' files.
pub(super) fn write(
    storage: &dyn Storage,
    identity: Identity,
    epochs: &[Epoch],
    out: &mut impl Write,
) -> Result<Carried, MovingError> {
    let (mut files, mut intents) = (Vec::new(), Vec::new());
    for epoch in epochs {
        let bytes = file(storage, *epoch)?;
        let segment = Segment::read(&bytes).map_err(|source| MovingError::Segment {
            file: storage.describe(&segment_name(*epoch)),
            source,
        })?;
        intents.extend(of_intents(segment));
        files.push(CarriedFile { epoch: *epoch, bytes: bytes.len() as u64, digest: Digest::of(&bytes) });
    }
    let (high_water, open) = high_water(&intents, epochs);
    let software = concat!("weighhouse/", env!("CARGO_PKG_VERSION")).to_owned();
    let manifest = Manifest { identity, high_water, software, files };
    let encoded = manifest.encode();
    let mut hasher = Sha256::new();
    let mut put = |bytes: &[u8]| {
        hasher.update(bytes);
        out.write_all(bytes)
    };
    put(&MAGIC)?;
    put(&CONTAINER_VERSION.to_le_bytes())?;
    put(&u32::try_from(encoded.len()).unwrap_or(u32::MAX).to_le_bytes())?;
    put(&encoded)?;
    for carried in &manifest.files {
        let bytes = file(storage, carried.epoch)?;
        put(&bytes)?;
    }
    let digest = hasher.finalize();
    out.write_all(&digest)?;
    out.flush()?;
    Ok(manifest.carried(open))
}

fn file(storage: &dyn Storage, epoch: Epoch) -> Result<Vec<u8>, MovingError> {
    let name = segment_name(epoch);
    let read = storage.read(&name);
    let read = read.map_err(|source| MovingError::Read { file: storage.describe(&name), source })?;
    read.ok_or_else(|| MovingError::Read {
        file: storage.describe(&name),
        source: io::ErrorKind::NotFound.into(),
    })
}

/// A container from its first byte to its last.
pub(super) struct Reader<'a, R> {
    from: &'a mut R,
    hasher: Sha256,
    manifest: Manifest,
    next: usize,
}

impl<'a, R: Read + Seek> Reader<'a, R> {
    /// Reads up to the files.
    pub(super) fn open(from: &'a mut R) -> Result<Self, MovingError> {
        from.seek(SeekFrom::Start(0))?;
        let mut hasher = Sha256::new();
        let magic = bytes(from, &mut hasher, MAGIC.len() as u64).map_err(|error| match error {
            MovingError::CutShort => MovingError::NoContainer,
            error => error,
        })?;
        if magic != MAGIC {
            return Err(MovingError::NoContainer);
        }
        let version = bytes(from, &mut hasher, 2)?;
        let found = u16::from_le_bytes([version[0], version[1]]);
        if found != CONTAINER_VERSION {
            return Err(MovingError::Version { found });
        }
        let length = bytes(from, &mut hasher, 4)?;
        let length = u32::from_le_bytes([length[0], length[1], length[2], length[3]]);
        if length > MANIFEST_BYTES_MAX {
            return Err(damaged("its list of files is too long"));
        }
        let manifest = bytes(from, &mut hasher, length.into())?;
        let manifest = Manifest::decode_all(&mut &manifest[..]);
        let manifest = manifest.map_err(|_| damaged("its list of files can't be read"))?;
        let files = &manifest.files;
        let ascend = files.windows(2).all(|pair| pair[0].epoch < pair[1].epoch);
        let fit = files.iter().all(|file| file.bytes <= FILE_BYTES_MAX);
        if files.is_empty() || files.len() > FILES_MAX || !ascend || !fit {
            return Err(damaged("its list of files is none of an export's"));
        }
        Ok(Self { from, hasher, manifest, next: 0 })
    }

    /// The next file, whose digest is checked.
    pub(super) fn next_file(&mut self) -> Result<Option<(CarriedFile, Vec<u8>)>, MovingError> {
        let Some(file) = self.manifest.files.get(self.next).copied() else { return Ok(None) };
        let read = bytes(self.from, &mut self.hasher, file.bytes)?;
        if Digest::of(&read) != file.digest {
            return Err(damaged(&format!(
                "the file of epoch {} is not the one that was exported",
                file.epoch
            )));
        }
        self.next += 1;
        Ok(Some((file, read)))
    }

    /// Checks the digest over everything, and that nothing follows it.
    pub(super) fn finish(self) -> Result<(), MovingError> {
        let expected = self.hasher.finalize();
        let digest = bytes(self.from, &mut Sha256::new(), 32)?;
        if digest[..] != expected[..] {
            return Err(damaged("its digest is wrong"));
        }
        match self.from.read(&mut [0; 1])? {
            0 => Ok(()),
            _ => Err(damaged("something follows its end")),
        }
    }

    /// Reads all of it, with the journal's own check of each file.
    pub(super) fn check(mut self, expected: &Expected) -> Result<Carried, MovingError> {
        expected.check(&self.manifest.identity)?;
        let (mut intents, identity) = (Vec::new(), self.manifest.identity);
        while let Some((file, bytes)) = self.next_file()? {
            let name = segment_name(file.epoch);
            let segment =
                Segment::read(&bytes).map_err(|source| MovingError::Segment { file: name, source })?;
            if segment.header().epoch != file.epoch || segment.header().identity != identity {
                return Err(damaged(&format!(
                    "the file of epoch {} is another validator's or epoch's",
                    file.epoch
                )));
            }
            intents.extend(of_intents(segment));
        }
        let epochs: Vec<Epoch> = self.manifest.files.iter().map(|file| file.epoch).collect();
        let (found, open) = high_water(&intents, &epochs);
        if found != self.manifest.high_water {
            return Err(damaged("its files say something else of what was signed last"));
        }
        let carried = self.manifest.carried(open);
        self.finish()?;
        Ok(carried)
    }
}

fn damaged(why: &str) -> MovingError {
    MovingError::Damaged(why.to_owned())
}

/// Exactly so many bytes. The memory grows with what is there, whatever was promised.
fn bytes(from: &mut impl Read, hasher: &mut Sha256, length: u64) -> Result<Vec<u8>, MovingError> {
    let mut read = Vec::new();
    from.take(length).read_to_end(&mut read)?;
    if (read.len() as u64) < length {
        return Err(MovingError::CutShort);
    }
    hasher.update(&read);
    Ok(read)
}

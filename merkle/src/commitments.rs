//! One root for all answers that a hotkey has committed to, as it stands on the chain, and the place of a commitment under it.

use parity_scale_codec::{Decode, DecodeAll as _, Encode};
use weighhouse_types::Digest;
use weighhouse_types::sealed::ChainRoot;

use crate::tree::{inclusion_proof, leaf_hash, root};
use crate::verify::root_from_inclusion;

/// First bytes of such a root on the chain: others are another use of the hotkey's one place.
const PREFIX: &[u8] = b"weighhouse/answers/1";
/// Roots under which a commitment's place is told: it may have stood under several in a row.
pub const PLACES_MAX: usize = 8;

/// The bytes that go to the chain.
pub fn to_chain(root: &Digest) -> Vec<u8> {
    [PREFIX, root.as_bytes()].concat()
}

/// The root in a hotkey's commitment on the chain; `None` where it has another use.
pub fn from_chain(data: &[u8]) -> Option<Digest> {
    Digest::decode_all(&mut data.strip_prefix(PREFIX)?).ok()
}

/// A commitment's place under one root.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Place {
    index: u64,
    size: u64,
    path: Vec<Digest>,
}

/// The root of these commitments.
pub fn root_of(commitments: &[Digest]) -> Digest {
    root(&leaves(commitments))
}

/// The place of one of these commitments under their root; `None` where it isn't among them.
pub fn place(commitments: &[Digest], commitment: &Digest) -> Option<Place> {
    let index = commitments.iter().position(|other| other == commitment)?;
    let path = inclusion_proof(&leaves(commitments), index)?;
    Some(Place { index: index as u64, size: commitments.len() as u64, path })
}

/// Tells whether one of these places is under the root that the chain had.
pub fn stood(places: &[Place], commitment: &Digest, chain: &ChainRoot) -> bool {
    let leaf = leaf_hash(commitment.as_bytes());
    let leads_to = |place: &Place| root_from_inclusion(&leaf, place.index, place.size, &place.path).ok();
    chain.root.is_some() && places.iter().take(PLACES_MAX).any(|place| leads_to(place) == chain.root)
}

fn leaves(commitments: &[Digest]) -> Vec<Digest> {
    commitments.iter().map(|commitment| leaf_hash(commitment.as_bytes())).collect()
}

#[cfg(test)]
mod tests {
    use weighhouse_types::Block;

    use super::*;

    #[test]
    fn a_commitment_stands_under_the_root_of_all_and_under_no_other() {
        let commitments: Vec<Digest> = (0..5_u8).map(|at| Digest::of(&[at])).collect();
        let bytes = to_chain(&root_of(&commitments));
        assert!(bytes.len() <= 128, "the chain takes no more");
        let chain = ChainRoot { by: Block(9), root: from_chain(&bytes) };
        for commitment in &commitments {
            let place = place(&commitments, commitment).expect("among them");
            assert!(stood(std::slice::from_ref(&place), commitment, &chain));
            assert!(!stood(&[place], &Digest::of(b"another"), &chain));
        }
        let elsewhere = place(&commitments[..4], &commitments[0]).expect("among them");
        assert!(!stood(std::slice::from_ref(&elsewhere), &commitments[0], &chain));
        assert!(!stood(&[elsewhere], &commitments[0], &ChainRoot { root: None, ..chain }));
        assert_eq!(place(&commitments, &Digest::of(b"another")), None);
        assert_eq!(from_chain(b"another use"), None);
    }
}

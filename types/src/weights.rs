//! The vector a validator publishes.

use parity_scale_codec::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::Uid;

/// Weights by uid, strictly ascending, at least one of them positive. Zeros may be explicit.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Serialize, Deserialize)]
#[serde(try_from = "Vec<(Uid, u16)>", into = "Vec<(Uid, u16)>")]
pub struct WeightVector(Vec<(Uid, u16)>);

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WeightVectorError {
    #[error("the weight vector is empty")]
    Empty,
    #[error("every weight is zero")]
    AllZero,
    #[error("uid {0} comes twice or out of order")]
    Order(Uid),
}

impl WeightVector {
    pub fn new(entries: Vec<(Uid, u16)>) -> Result<Self, WeightVectorError> {
        if entries.is_empty() {
            return Err(WeightVectorError::Empty);
        }
        if let Some(pair) = entries.windows(2).find(|pair| pair[0].0 >= pair[1].0) {
            return Err(WeightVectorError::Order(pair[1].0));
        }
        if entries.iter().all(|(_, weight)| *weight == 0) {
            return Err(WeightVectorError::AllZero);
        }
        Ok(Self(entries))
    }

    pub fn entries(&self) -> &[(Uid, u16)] {
        &self.0
    }

    pub fn uids(&self) -> Vec<Uid> {
        self.0.iter().map(|(uid, _)| *uid).collect()
    }

    pub fn values(&self) -> Vec<u16> {
        self.0.iter().map(|(_, value)| *value).collect()
    }

    /// The weight of a uid; 0 where it is not mentioned.
    pub fn get(&self, uid: Uid) -> u16 {
        self.0.binary_search_by_key(&uid, |(other, _)| *other).map_or(0, |at| self.0[at].1)
    }
}

impl TryFrom<Vec<(Uid, u16)>> for WeightVector {
    type Error = WeightVectorError;

    fn try_from(entries: Vec<(Uid, u16)>) -> Result<Self, WeightVectorError> {
        Self::new(entries)
    }
}

impl From<WeightVector> for Vec<(Uid, u16)> {
    fn from(vector: WeightVector) -> Self {
        vector.0
    }
}

impl Decode for WeightVector {
    fn decode<I: parity_scale_codec::Input>(input: &mut I) -> Result<Self, parity_scale_codec::Error> {
        Self::new(Vec::decode(input)?).map_err(|_| "not a weight vector".into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_publishable_vectors_exist() {
        assert_eq!(WeightVector::new(vec![]), Err(WeightVectorError::Empty));
        assert_eq!(WeightVector::new(vec![(Uid(0), 0)]), Err(WeightVectorError::AllZero));
        assert_eq!(WeightVector::new(vec![(Uid(1), 1), (Uid(1), 2)]), Err(WeightVectorError::Order(Uid(1))));
        let vector = WeightVector::new(vec![(Uid(1), 7), (Uid(4), 0)]).expect("valid");
        assert_eq!((vector.get(Uid(1)), vector.get(Uid(2)), vector.get(Uid(4))), (7, 0, 0));
        assert_eq!(WeightVector::decode(&mut &vector.encode()[..]), Ok(vector));
    }
}

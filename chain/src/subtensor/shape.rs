//! Layout of a type's values in bytes, worked out from the metadata once: what nobody reads is stepped over
//! without being decoded.

use scale_info::{PortableRegistry, TypeDef, TypeDefPrimitive};

/// Types within types that are followed: metadata comes from a node, and may be made to have no end.
const TYPES_MAX: usize = 4096;
const DEPTH_MAX: usize = 32;

#[derive(Debug)]
pub(super) enum TypeShape {
    /// So many bytes, whatever they say.
    Fixed(usize),
    Compact,
    /// A count, then as many.
    List(Box<Self>),
    Array(u32, Box<Self>),
    Parts(Vec<Self>),
    /// By the byte that comes first.
    Variants(Vec<(u8, Self)>),
}

impl TypeShape {
    /// `None` for a type that is missing, unusual or too deep.
    pub(super) fn of(types: &PortableRegistry, ty: u32) -> Option<Self> {
        Self::within(types, ty, DEPTH_MAX, &mut 0)
    }

    fn within(types: &PortableRegistry, ty: u32, depth: usize, seen: &mut usize) -> Option<Self> {
        *seen += 1;
        let depth = depth.checked_sub(1).filter(|_| *seen <= TYPES_MAX)?;
        let mut inner = |ty: u32| Self::within(types, ty, depth, seen);
        Some(match &types.resolve(ty)?.type_def {
            TypeDef::Composite(composite) => {
                parts(composite.fields.iter().map(|field| inner(field.ty.id)).collect::<Option<_>>()?)
            }
            TypeDef::Tuple(tuple) => {
                parts(tuple.fields.iter().map(|field| inner(field.id)).collect::<Option<_>>()?)
            }
            TypeDef::Variant(variant) => {
                let mut variants = Vec::with_capacity(variant.variants.len());
                for variant in &variant.variants {
                    let fields = variant.fields.iter().map(|field| inner(field.ty.id));
                    variants.push((variant.index, parts(fields.collect::<Option<_>>()?)));
                }
                Self::Variants(variants)
            }
            TypeDef::Sequence(sequence) => Self::List(Box::new(inner(sequence.type_param.id)?)),
            TypeDef::Array(array) if array.len == 0 => Self::Fixed(0),
            TypeDef::Array(array) => match inner(array.type_param.id)? {
                Self::Fixed(bytes) => Self::Fixed(bytes.checked_mul(usize::try_from(array.len).ok()?)?),
                shape => Self::Array(array.len, Box::new(shape)),
            },
            TypeDef::Compact(_) => Self::Compact,
            TypeDef::Primitive(TypeDefPrimitive::Str) => Self::List(Box::new(Self::Fixed(1))),
            TypeDef::Primitive(primitive) => Self::Fixed(width(primitive)),
            TypeDef::BitSequence(_) => return None,
        })
    }

    /// Goes to the end of a value; `None` if the bytes end before.
    pub(super) fn skip(&self, input: &mut &[u8]) -> Option<()> {
        match self {
            Self::Fixed(bytes) => *input = input.get(*bytes..)?,
            Self::Compact => *input = input.get(compact_width(*input.first()?)..)?,
            Self::List(item) => {
                let count = count(input)?;
                match **item {
                    Self::Fixed(bytes) => *input = input.get(bytes.checked_mul(count)?..)?,
                    // Ends with the bytes, whatever the count claims:
                    // every shape but `Fixed` takes at least one.
                    ref item => (0..count).try_for_each(|_| item.skip(input))?,
                }
            }
            Self::Array(count, item) => (0..*count).try_for_each(|_| item.skip(input))?,
            Self::Parts(parts) => parts.iter().try_for_each(|part| part.skip(input))?,
            Self::Variants(variants) => {
                let (first, rest) = input.split_first()?;
                *input = rest;
                variants.iter().find(|(index, _)| index == first)?.1.skip(input)?;
            }
        }
        Some(())
    }
}

/// A compact number of at most 64 bits.
pub(super) fn compact(input: &mut &[u8]) -> Option<u64> {
    let (number, rest) = input.split_at_checked(compact_width(*input.first()?))?;
    *input = rest;
    let (start, shift) = if number.len() > 4 { (1, 0) } else { (0, 2) };
    let mut bytes = [0; 8];
    bytes.get_mut(..number.len() - start)?.copy_from_slice(&number[start..]);
    Some(u64::from_le_bytes(bytes) >> shift)
}

/// Bytes of a compact number, by the first of them.
fn compact_width(first: u8) -> usize {
    match first & 3 {
        0 => 1,
        1 => 2,
        2 => 4,
        _ => usize::from(first >> 2) + 5,
    }
}

/// Reads the number of items in a list.
pub(super) fn count(input: &mut &[u8]) -> Option<usize> {
    usize::try_from(compact(input)?).ok()
}

fn parts(parts: Vec<TypeShape>) -> TypeShape {
    let fixed = parts.iter().try_fold(0_usize, |sum, part| match part {
        TypeShape::Fixed(bytes) => sum.checked_add(*bytes),
        _ => None,
    });
    match (fixed, <[TypeShape; 1]>::try_from(parts)) {
        (Some(bytes), _) => TypeShape::Fixed(bytes),
        (None, Ok([only])) => only,
        (None, Err(parts)) => TypeShape::Parts(parts),
    }
}

fn width(primitive: &TypeDefPrimitive) -> usize {
    match primitive {
        TypeDefPrimitive::Bool | TypeDefPrimitive::U8 | TypeDefPrimitive::I8 | TypeDefPrimitive::Str => 1,
        TypeDefPrimitive::U16 | TypeDefPrimitive::I16 => 2,
        TypeDefPrimitive::U32 | TypeDefPrimitive::I32 | TypeDefPrimitive::Char => 4,
        TypeDefPrimitive::U64 | TypeDefPrimitive::I64 => 8,
        TypeDefPrimitive::U128 | TypeDefPrimitive::I128 => 16,
        TypeDefPrimitive::U256 | TypeDefPrimitive::I256 => 32,
    }
}

#[cfg(test)]
mod tests {
    use subxt::ext::codec::{Compact, Encode as _};

    use super::*;

    #[test]
    fn compact_numbers_are_read_as_they_are_written() {
        for number in
            [0, 1, 63, 64, 16_383, 16_384, (1 << 30) - 1, 1 << 30, u64::from(u32::MAX) + 1, u64::MAX]
        {
            let mut bytes = Compact(number).encode();
            bytes.push(7);
            let mut rest = &bytes[..];
            assert_eq!(compact(&mut rest), Some(number));
            assert_eq!(rest, [7]);
            let mut rest = &bytes[..];
            TypeShape::Compact.skip(&mut rest).expect("a number");
            assert_eq!(rest, [7]);
            bytes.truncate(bytes.len() - 2);
            assert_eq!(compact(&mut &bytes[..]), None);
        }
        assert_eq!(compact(&mut &Compact(u128::MAX).encode()[..]), None, "too large");
        assert_eq!(TypeShape::Compact.skip(&mut &Compact(u128::MAX).encode()[..]), Some(()));
    }

    #[test]
    fn a_count_that_is_a_lie_ends_with_the_bytes() {
        let many = Compact(u32::MAX).encode();
        for item in [
            TypeShape::Fixed(8),
            TypeShape::Compact,
            TypeShape::Parts(vec![TypeShape::Compact, TypeShape::Fixed(1)]),
        ] {
            assert_eq!(TypeShape::List(Box::new(item)).skip(&mut &many[..]), None);
        }
    }
}

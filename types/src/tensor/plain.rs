//! Tensors made of plain values, and plain values read from tensors.

use ndarray::ArrayView2;

use super::{Datatype, Tensor, TensorError};

impl Tensor {
    /// A list of numbers: FP32, shape `[values]`.
    pub fn numbers(name: &str, values: &[f32]) -> Self {
        let data = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        Self::sound(name, Datatype::Fp32, &[values.len()], data)
    }

    /// A table of numbers: FP32, shape `[rows, columns]`.
    pub fn table(name: &str, table: ArrayView2<'_, f32>) -> Self {
        let data = table.iter().flat_map(|value| value.to_le_bytes()).collect();
        Self::sound(name, Datatype::Fp32, &[table.nrows(), table.ncols()], data)
    }

    /// A list of whole numbers: INT64, shape `[values]`.
    pub fn integers(name: &str, values: &[i64]) -> Self {
        let data = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        Self::sound(name, Datatype::Int64, &[values.len()], data)
    }

    /// A list of texts: BYTES, shape `[texts]`.
    ///
    /// # Errors
    /// A text of 4 GiB or more.
    pub fn texts<T: AsRef<str>>(name: &str, texts: &[T]) -> Result<Self, TensorError> {
        let mut data = Vec::new();
        for text in texts.iter().map(AsRef::as_ref) {
            let length = u32::try_from(text.len());
            let length = length.map_err(|_| TensorError::TooManyElements { name: name.to_owned() })?;
            data.extend_from_slice(&length.to_le_bytes());
            data.extend_from_slice(text.as_bytes());
        }
        Ok(Self::sound(name, Datatype::Bytes, &[texts.len()], data))
    }

    /// The values of an INT64 tensor.
    ///
    /// # Errors
    /// Another datatype.
    pub fn to_i64(&self) -> Result<Vec<i64>, TensorError> {
        self.is_of(Datatype::Int64)?;
        let (values, _) = self.data.as_chunks::<8>();
        Ok(values.iter().map(|bytes| i64::from_le_bytes(*bytes)).collect())
    }

    /// The elements of a BYTES tensor as texts.
    ///
    /// # Errors
    /// Another datatype, or an element that is not UTF-8.
    pub fn to_texts(&self) -> Result<Vec<String>, TensorError> {
        self.is_of(Datatype::Bytes)?;
        let mut rest = &self.data[..];
        let mut texts = Vec::new();
        // Lengths were checked when the tensor was made.
        while let Some((length, tail)) = rest.split_first_chunk::<4>() {
            let element = texts.len();
            let past_end = || TensorError::Element { name: self.name.clone(), element };
            let (text, tail) =
                tail.split_at_checked(u32::from_le_bytes(*length) as usize).ok_or_else(past_end)?;
            let text = std::str::from_utf8(text);
            let wrong =
                |_| TensorError::Contents(format!("tensor {:?}: element {element} is not UTF-8", self.name));
            texts.push(text.map_err(wrong)?.to_owned());
            rest = tail;
        }
        Ok(texts)
    }

    pub(super) fn is_of(&self, datatype: Datatype) -> Result<(), TensorError> {
        if self.datatype == datatype {
            return Ok(());
        }
        let (name, expected, actual) = (self.name.clone(), datatype.name(), self.datatype.name());
        Err(TensorError::Kind { name, expected, actual })
    }

    /// A tensor whose shape was taken from its data.
    fn sound(name: &str, datatype: Datatype, shape: &[usize], data: Vec<u8>) -> Self {
        let shape = shape.iter().map(|dimension| *dimension as u64).collect();
        Self { name: name.to_owned(), datatype, shape, data }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn values_come_back_as_they_went_in() {
        let numbers = Tensor::numbers("x", &[1.5, f32::INFINITY]);
        assert_eq!((numbers.shape(), numbers.to_f32()), (&[2][..], Ok(vec![1.5, f32::INFINITY])));
        let table = array![[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]];
        assert_eq!(Tensor::table("x", table.view()).matrix(), Ok(table));
        let integers = Tensor::integers("x", &[-1, i64::MAX]);
        assert_eq!((integers.shape(), integers.to_i64()), (&[2][..], Ok(vec![-1, i64::MAX])));
        let texts = Tensor::texts("x", &["", "über", "a b"]).expect("short texts");
        assert_eq!(
            (texts.shape(), texts.to_texts()),
            (&[3][..], Ok(vec!["".into(), "über".into(), "a b".into()]))
        );
    }

    #[test]
    fn a_tensor_made_of_values_is_one_that_the_checked_way_in_takes() {
        let table = array![[1.0], [2.0]];
        let texts = Tensor::texts("x", &["one", "two"]).expect("short texts");
        for made in
            [Tensor::numbers("x", &[]), Tensor::table("x", table.view()), Tensor::integers("x", &[3]), texts]
        {
            let Tensor { name, datatype, shape, data } = made.clone();
            assert_eq!(Tensor::new(name, datatype, shape, data), Ok(made));
        }
    }

    #[test]
    fn another_datatype_and_bytes_that_are_no_text_are_refused() {
        let numbers = Tensor::numbers("x", &[1.0]);
        assert!(matches!(numbers.to_i64(), Err(TensorError::Kind { expected: "INT64", actual: "FP32", .. })));
        assert!(matches!(numbers.to_texts(), Err(TensorError::Kind { expected: "BYTES", .. })));
        let bytes = Tensor::new("x".to_owned(), Datatype::Bytes, vec![1], vec![1, 0, 0, 0, 0xff])
            .expect("an element");
        assert_eq!(
            bytes.to_texts().expect_err("no text").to_string(),
            "tensor \"x\": element 0 is not UTF-8"
        );
    }
}

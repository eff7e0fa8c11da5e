use super::*;
use proptest::prelude::*;

const WEIGHT: [f32; 6] = [1.0, -2.5, 0.0, 3.25, f32::MIN_POSITIVE, 6.0];
const BIAS: [f32; 2] = [7.0, 8.0];

fn file() -> Vec<u8> {
    let tensors = [
        NewTensor { name: "w".into(), shape: vec![2, 3], values: &WEIGHT },
        NewTensor { name: "b".into(), shape: vec![2], values: &BIAS },
    ];
    write(&tensors, &BTreeMap::from([("model".into(), "test".into())]))
}

fn with_header(header: &str, data: usize) -> Vec<u8> {
    let mut file = (header.len() as u64).to_le_bytes().to_vec();
    file.extend(header.as_bytes());
    file.resize(file.len() + data, 0);
    file
}

fn refusal(header: &str, data: usize) -> FormatError {
    read(&with_header(header, data)).expect_err("refused")
}

/// Both tensors, written by version 0.8 of the Python package `safetensors`.
const FROM_PYTHON: &[u8] = include_bytes!("../../testdata/python.safetensors");

#[test]
fn our_files_and_those_of_the_python_package_read_the_same() {
    let ours = file();
    for file in [&ours[..], FROM_PYTHON] {
        let tensors = read(file).expect("read");
        assert_eq!(tensors.len(), 2);
        assert_eq!((tensors["w"].to_f32(), &tensors["w"].shape[..]), (WEIGHT.to_vec(), &[2, 3][..]));
        assert_eq!((tensors["b"].to_f32(), &tensors["b"].shape[..]), (BIAS.to_vec(), &[2][..]));
    }
}

#[test]
fn every_lie_in_a_header_has_its_own_error() {
    let tensor = |dtype: &str, shape: &str, offsets: &str| {
        format!(r#"{{"t":{{"dtype":"{dtype}","shape":{shape},"data_offsets":{offsets}}}}}"#)
    };
    assert!(matches!(refusal(&tensor("F16", "[2]", "[0,4]"), 4), FormatError::Datatype { .. }));
    let unfit = [
        (tensor("F32", "[2]", "[0,4]"), 4),
        (tensor("F32", "[1]", "[8,4]"), 4),
        (tensor("F32", "[1]", "[4,8]"), 8),
        (tensor("F32", "[18446744073709551615,18446744073709551615]", "[0,18446744073709551612]"), 8),
        (tensor("F32", "[4611686018427387903]", "[0,18446744073709551612]"), 8),
        (tensor("F32", "[-1]", "[0,4]"), 4),
        (tensor("F12", "[1]", "[0,4]"), 4),
    ];
    for (header, data) in unfit {
        assert!(matches!(refusal(&header, data), FormatError::Header { .. }), "{header}");
    }
    assert!(matches!(
        refusal(&tensor("F32", "[1]", "[0,4]"), 8),
        FormatError::DataLength { expected: 4, actual: 8 }
    ));
    assert!(matches!(
        refusal(&tensor("F32", "[3]", "[0,12]"), 8),
        FormatError::DataLength { expected: 12, actual: 8 }
    ));
    assert!(matches!(
        refusal(&tensor("F32", "[1,1,1,1,1]", "[0,4]"), 4),
        FormatError::TooManyDimensions { .. }
    ));
    assert!(matches!(refusal("[]", 0), FormatError::Header { .. }));
}

#[test]
fn overlapping_and_repeated_tensors_are_refused() {
    let entry = r#"{"dtype":"F32","shape":[1],"data_offsets":[0,4]}"#;
    assert!(matches!(refusal(&format!(r#"{{"a":{entry},"b":{entry}}}"#), 4), FormatError::Header { .. }));
    let twice = refusal(&format!(r#"{{"a":{entry},"a":{entry}}}"#), 4);
    assert!(matches!(&twice, FormatError::Header { what } if what.contains("twice")), "{twice}");
}

#[test]
fn limits_are_hit_before_anything_is_read() {
    assert_eq!(read(&[]), Err(FormatError::HeaderCut));
    assert_eq!(read(&with_header("{}", 0)[..9]), Err(FormatError::HeaderCut));
    assert_eq!(
        read(&u64::MAX.to_le_bytes()),
        Err(FormatError::HeaderTooLong { bytes: u64::MAX, limit: ShardLimits::SMALL.header_bytes_max })
    );
    let bytes = FILE_BYTES_MAX + 1;
    assert_eq!(read(&vec![0; bytes]), Err(FormatError::FileTooLong { bytes }));
    let many: Vec<String> = (0..=ShardLimits::SMALL.tensors_max)
        .map(|index| format!(r#""{index}":{{"dtype":"F32","shape":[0],"data_offsets":[0,0]}}"#))
        .collect();
    assert!(matches!(refusal(&format!("{{{}}}", many.join(",")), 0), FormatError::TooManyTensors { .. }));
}

proptest! {
    #[test]
    fn no_damaged_file_panics(flips in proptest::collection::vec((0_usize..200, any::<u8>()), 1..8), cut in 0_usize..200) {
        let mut file = file();
        for (at, byte) in flips {
            let at = at % file.len();
            file[at] = byte;
        }
        file.truncate(file.len().saturating_sub(cut));
        let _ = read(&file);
    }
}

use std::path::Path;

use weighhouse_models::LoadLimits;
use weighhouse_models::encoder::Embedder;
use weighhouse_models::precision::Precision;

use super::*;
use crate::calibrate::rewrite_embed;
use crate::{EMBED, TaskFile, with_reference};

#[test]
fn honest_rows_are_within_the_tolerance_and_others_beyond() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/testdata/language/bert");
    let reference = Embedder::load(&folder, &LoadLimits::STANDARD).expect("an encoder");
    let rounded = |precision| Embedder::load_rounded(&folder, &LoadLimits::STANDARD, precision);
    let (half, int4) = (rounded(Precision::Half).expect("f16"), rounded(Precision::Int4).expect("int4"));
    let served = [
        RowsOf { name: "f16".into(), encoder: &half, is_honest: true },
        RowsOf { name: "int4".into(), encoder: &int4, is_honest: false },
    ];
    let file = with_reference(EMBED, Encoder::digest(&reference));
    let task = Task::load(file.as_bytes(), &crate::OnRecord).expect("a task");
    let calibration =
        RowsCalibration { task: &task, reference: &reference, served: &served, challenges: 8, seed: 1 };
    let calibrated = calibration.run(&mut |_| {}).expect("measured");
    assert_eq!((calibrated.texts, calibrated.honest.checks, calibrated.honest.beyond), (64, 64, 0));
    let row = |name: &str| calibrated.rows.iter().find(|row| row.persona == name).expect(name);
    assert!(row("one at a time").rejected == 0.0 && row("f16").rejected == 0.0, "{calibrated:?}");
    assert!(row("int4").rejected > 0.9 && row("half of the text").rejected > 0.9, "{calibrated:?}");
    let written = rewrite_embed(&file, &calibrated, "weighhouse task calibrate x").expect("written");
    let read = TaskFile::parse(written.as_bytes()).unwrap_or_else(|error| panic!("{error}\n{written}"));
    assert_eq!(read.kind, "embed");
    assert!(written.contains(&format!("tolerance = {:?}", calibrated.tolerance)), "{written}");
    assert_eq!(rewrite_embed(&written, &calibrated, "weighhouse task calibrate x").as_deref(), Ok(&*written));
}

#[test]
fn another_kind_is_refused() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/testdata/language/bert");
    let reference = Embedder::load(&folder, &LoadLimits::STANDARD).expect("an encoder");
    let task = Task::load(crate::DIGITS_CONFORMANCE.as_bytes(), &crate::OnRecord).expect("a task");
    let calibration =
        RowsCalibration { task: &task, reference: &reference, served: &[], challenges: 1, seed: 1 };
    let error = calibration.run(&mut |_| {}).expect_err("refused").to_string();
    assert!(error.contains("classify"), "{error}");
}

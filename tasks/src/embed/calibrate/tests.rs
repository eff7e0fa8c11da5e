use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use weighhouse_models::LoadLimits;
use weighhouse_models::encoder::Embedder;
use weighhouse_models::precision::Precision;

use super::*;
use crate::error::TaskError;
use crate::witness::Encoder;
use crate::{EMBED, Grade, References, Task, TaskFile, with_reference};

/// A small encoder in every grade.
struct Small;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/testdata/language/bert")
}

impl References for Small {
    fn encoder(&self) -> Result<Option<Arc<dyn Encoder>>, TaskError> {
        self.served_encoder(Grade::Agreed).map(Some)
    }

    fn served_encoder(&self, grade: Grade) -> Result<Arc<dyn Encoder>, TaskError> {
        let encoder = match grade {
            Grade::Rounded(precision) => Embedder::load_rounded(&folder(), &LoadLimits::STANDARD, precision),
            Grade::Agreed | Grade::Weak => Embedder::load(&folder(), &LoadLimits::STANDARD),
        };
        Ok(Arc::new(encoder.map_err(|error| TaskError::Reference(error.to_string()))?))
    }
}

fn plan(file: &str) -> CalibrationPlan<'_> {
    CalibrationPlan {
        file,
        how: "weighhouse task calibrate x",
        references: &Small,
        coarsest: Some(Precision::Half),
        has_weak: false,
        servers: &[],
        challenges: 8,
        seed: 1,
        rounds: 12,
        against: "int4",
        cpu: &|| Duration::ZERO,
    }
}

#[test]
fn honest_rows_are_within_the_tolerance_and_others_beyond() {
    let file = with_reference(EMBED, Small.served_encoder(Grade::Agreed).expect("an encoder").digest());
    let task = Task::load(file.as_bytes(), &Small).expect("a task");
    let kind: &Embeddings = task.kind().expect("of this kind");
    let calibrated = run(kind, &plan(&file), &mut |_| {}).expect("measured");
    // Alone, together and in half precision.
    assert_eq!((calibrated.texts, calibrated.honest.checks, calibrated.honest.beyond), (64, 96, 0));
    let row = |name: &str| calibrated.rows.iter().find(|row| row.persona == name).expect(name);
    for honest in [ALONE, "honest", "half"] {
        assert!(row(honest).honest && row(honest).rejected == 0.0, "{:?}", row(honest));
    }
    for cheat in ["int4", "halving", "cached", "lazy", "nan", "silent"] {
        assert!(!row(cheat).honest && row(cheat).rejected > 0.8, "{:?}", row(cheat));
    }
    assert!(!row("bf16").honest, "no coarser than half is honest here");
}

#[test]
fn the_tolerance_is_written_into_a_file_that_the_validator_reads() {
    let file = with_reference(EMBED, Small.served_encoder(Grade::Agreed).expect("an encoder").digest());
    let task = Task::load(file.as_bytes(), &Small).expect("a task");
    let report = task.calibrate(&plan(&file), &mut |_| {}).expect("measured");
    let read =
        TaskFile::parse(report.file.as_bytes()).unwrap_or_else(|error| panic!("{error}\n{}", report.file));
    assert_eq!(read.kind, "embed");
    let again = task.calibrate(&plan(&report.file), &mut |_| {}).expect("measured again");
    assert_eq!(again, report, "the same seed gives the same file, which is written again as it is");
    assert!(report.json.starts_with("{\"texts\":64,\"tolerance\":"), "{}", report.json);
}

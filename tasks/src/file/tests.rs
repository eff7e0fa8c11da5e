use super::*;
use crate::{DIGITS_CONFORMANCE, DIGITS_QUALITY};

fn parse(text: &str) -> Result<TaskFile, TaskFileError> {
    match crate::Task::load(text.as_bytes(), &crate::OnRecord) {
        Ok(task) => Ok(task.file().clone()),
        Err(crate::TaskError::File(error)) => Err(error),
        Err(error) => panic!("{error}"),
    }
}

/// The built-in conformance file with one piece of text replaced.
fn with(from: &str, to: &str) -> TaskFileError {
    assert!(DIGITS_CONFORMANCE.contains(from), "{from}");
    parse(&DIGITS_CONFORMANCE.replacen(from, to, 1)).expect_err("refused")
}

#[test]
fn built_in_files_are_sound_and_cover_both_modes_and_scopes() {
    let conformance = parse(DIGITS_CONFORMANCE).expect("sound");
    let quality = parse(DIGITS_QUALITY).expect("sound");
    assert!(matches!(conformance.mode, Mode::Conformance { .. }) && conformance.scope == Scope::Private);
    assert!(matches!(quality.mode, Mode::Quality { .. }) && quality.scope == Scope::Shared);
    assert_eq!((conformance.mode.paid(), quality.mode.paid()), (Paid::Conformance, Paid::Quality));
    assert_eq!(conformance.reference, Some(weighhouse_models::Builtin::Reference.digest()));
    assert_eq!(quality.reference, conformance.reference);
}

#[test]
fn a_subnets_deadline_is_read_and_needs_no_key() {
    let given = |deadline: &str| parse(&DIGITS_CONFORMANCE.replacen("items = 64", deadline, 1));
    assert_eq!(parse(DIGITS_CONFORMANCE).expect("sound").deadline, None);
    let read = given("items = 64\ndeadline = \"1500ms\"").expect("sound");
    assert_eq!(read.deadline, Some(Duration::from_millis(1_500)));
    for wrong in ["0s", "2h"] {
        let error = given(&format!("items = 64\ndeadline = \"{wrong}\"")).expect_err("refused").to_string();
        assert!(error.starts_with("deadline must be"), "{error}");
    }
}

#[test]
fn an_unknown_key_is_answered_with_the_nearest_known_one() {
    let error = with("noise_sigma =", "noise_sgima =").to_string();
    assert!(
        error.contains("unknown key `noise_sgima`") && error.contains("did you mean `noise_sigma`?"),
        "{error}"
    );
    let error = with("items =", "itmes =").to_string();
    assert!(error.contains("did you mean `items`?"), "{error}");
}

#[test]
fn numbers_outside_their_ranges_are_refused_by_name() {
    let refused = |from: &str, to: &str, name: &str| {
        let error = with(from, to);
        assert!(matches!(&error, TaskFileError::Range { key, .. } if *key == name), "{error}");
    };
    refused("items = 64", "items = 0", "items");
    refused("items = 64", "items = 1025", "items");
    refused("max_shift_px = 0.5", "max_shift_px = nan", "perturbation.max_shift_px");
    refused("max_shift_px = 0.5", "max_shift_px = -0.5", "perturbation.max_shift_px");
    refused("max_rotation_degrees = 10.0", "max_rotation_degrees = inf", "perturbation.max_rotation_degrees");
    refused("noise_sigma = 0.1", "noise_sigma = 1.1", "perturbation.noise_sigma");
    refused("tolerance = 0.00005", "tolerance = 0.0", "conformance.tolerance");
    refused("tolerance = 0.00005", "tolerance = 1.0", "conformance.tolerance");
}

#[test]
fn a_mode_reads_its_own_section_and_no_other() {
    let missing = with("[conformance]\ntolerance = 0.00005\n", "");
    assert_eq!(missing, TaskFileError::SectionMissing { mode: "conformance" });
    let other = with("[conformance]\ntolerance = 0.00005\n", "[quality]\nfloor_margin = 0.1\n");
    assert_eq!(other, TaskFileError::SectionUnread { mode: "conformance", section: "quality" });
    let other = with("mode = \"conformance\"", "mode = \"quality\"");
    assert_eq!(other, TaskFileError::SectionUnread { mode: "quality", section: "conformance" });
}

#[test]
fn foreign_versions_names_and_bytes_are_refused() {
    assert_eq!(with("version = 1", "version = 2\nnews = true"), TaskFileError::Version { version: 2 });
    assert!(matches!(with("\"digits\"", "\"../digits\""), TaskFileError::ModelName { .. }));
    assert!(matches!(with("\"digits\"", "\"\""), TaskFileError::ModelName { .. }));
    assert!(matches!(with("\"classify\"", "\"paint\""), TaskFileError::Kind { .. }));
    let unread = with("\"classify\"", "\"generate\"").to_string();
    assert!(unread.contains("unknown field `perturbation`"), "{unread}");
    assert_eq!(TaskFile::parse(&[0xff]), Err(TaskFileError::NotText));
    let bytes = FILE_BYTES_MAX + 1;
    assert_eq!(TaskFile::parse(&vec![b'#'; bytes]), Err(TaskFileError::TooLong { bytes }));
}

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::*;
use crate::complete;
use weighhouse_models::LoadLimits;
use weighhouse_models::precision::Precision;
use weighhouse_models::sampling::Sampling;
use weighhouse_types::text::Prompt;

/// A small Llama with random weights.
fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/testdata/language/llama")
}

fn load(folder: &Path) -> LanguageModel {
    LanguageModel::load(folder, &LoadLimits::STANDARD).expect("a model")
}

fn file(reference: &LanguageModel, sampler: &str, temperature: f32) -> String {
    format!(
        "# A task for tests.\nversion = 1\nkind = \"generate\"\nmode = \"conformance\"\nscope = \"private\"\n\
         model = \"small\"\nitems = 1\nreference = \"{}\"\n\n# What is asked.\n[generate]\nprompts = \"rust/v1\"\n\
         prompt_words = 2\nmax_tokens = 16\nsampler = \"{sampler}\"\ntemperature = {temperature:?}\nignore_end = true\n\n\
         # To be measured.\n[margins]\nclip = 1.0\ntoken_max = 1.0\nlog_prob_max = 1.0\n\n[conformance]\ntolerance = 0.5\n",
        reference.digest()
    )
}

fn calibrated(sampler: &str, temperature: f32) -> (LanguageModel, String, CalibrationResult) {
    let reference = load(&folder());
    let text = file(&reference, sampler, temperature);
    let witness: Arc<dyn Witness> = Arc::new(TeacherForced(reference.clone()));
    let task = Task::load(text.as_bytes(), &witness).expect("a task");
    let named = |name: &str, precision, is_honest| CalibrationModel {
        name: name.to_owned(),
        by: By::Model(Box::new(
            LanguageModel::load_rounded(&folder(), &LoadLimits::STANDARD, precision).expect("a model"),
        )),
        is_honest,
    };
    let served = [named("half", Precision::Half, true), named("int4", Precision::Int4, false)];
    let calibration = Calibration {
        task: &task,
        reference: &reference,
        served: &served,
        challenges: 40,
        seed: 5,
        against: "int4",
    };
    let calibrated = calibration.run(&|| Duration::ZERO, &mut |_| {}).expect("measured");
    (reference, text, calibrated)
}

/// The agreed model behind another's interface.
#[derive(Debug)]
struct Elsewhere(LanguageModel);

impl Server for Elsewhere {
    fn complete(&self, requests: Vec<TextRequest>) -> Result<Vec<TextAnswer>, String> {
        let task = Task::load(file(&self.0, "greedy", 0.0).as_bytes(), &crate::OnRecord)
            .map_err(|error| error.to_string())?;
        let generate = task.generate().expect("of this kind");
        let encode = |request: &TextRequest| match &request.prompt {
            Prompt::Text(text) => {
                let sampling = Sampling::new(0.0, 0, 1.0, 0).expect("greedy");
                Ok((self.0.encode(text)?, generate.generation(sampling)))
            }
            Prompt::Ids(_) => unreachable!("a challenge's prompt is text"),
        };
        let wanted: Result<Vec<_>, weighhouse_models::language::TextError> =
            requests.iter().map(encode).collect();
        complete(&self.0, &wanted.map_err(|error| error.to_string())?, 4).map_err(|error| error.to_string())
    }
}

#[test]
fn a_server_that_is_not_ours_is_one_of_the_honest() {
    let reference = load(&folder());
    let served = || CalibrationModel {
        name: "server".to_owned(),
        by: By::Server(Arc::new(Elsewhere(load(&folder())))),
        is_honest: true,
    };
    let int4 =
        LanguageModel::load_rounded(&folder(), &LoadLimits::STANDARD, Precision::Int4).expect("a model");
    let int4 = CalibrationModel { name: "int4".to_owned(), by: By::Model(Box::new(int4)), is_honest: false };
    let run = |sampler, temperature| {
        let text = file(&reference, sampler, temperature);
        let task = Task::load(text.as_bytes(), &crate::OnRecord).expect("a task");
        let served = [served(), int4.clone()];
        let calibration = Calibration {
            task: &task,
            reference: &reference,
            served: &served,
            challenges: 6,
            seed: 3,
            against: "int4",
        };
        calibration.run(&|| Duration::ZERO, &mut |_| {})
    };
    let calibrated = run("greedy", 0.0).expect("measured");
    let row = calibrated.table.rows.iter().find(|row| row.persona == "server").expect("a row");
    assert!(row.honest && row.rejected == 0.0 && row.exact > 0.99, "{row:?}");
    let error = run("gumbel/v1", 0.7).expect_err("greedy only").to_string();
    assert!(error.contains("server") && error.contains("greedy"), "{error}");
}

#[test]
fn honest_answers_are_within_the_limits_and_cheats_beyond() {
    let (_, _, calibrated) = calibrated("gumbel/v1", 0.7);
    assert_eq!((calibrated.honest.checks, calibrated.honest.beyond), (60, 0));
    let row = |name: &str| {
        calibrated.table.rows.iter().find(|row| row.persona == name).unwrap_or_else(|| panic!("no {name}"))
    };
    for name in ["batch of 1", "batch of 16", "half"] {
        assert!(
            row(name).honest && row(name).rejected == 0.0 && row(name).convicted == 0.0,
            "{:?}",
            row(name)
        );
    }
    for name in ["wrong seed", "cached", "ignored prompt", "other temperature", "truncated"] {
        assert!(
            !row(name).honest && row(name).rejected > 0.9 && row(name).convicted > 0.9,
            "{:?}",
            row(name)
        );
    }
    assert!(row("one edited token").rejected > 0.8, "{:?}", row("one edited token"));
    assert!(row("int4").auc > 0.7 && row("int4").mean > row("half").mean, "{:?}", row("int4"));
}

#[test]
fn the_limits_are_written_into_a_file_that_the_validator_reads() {
    let (reference, text, calibrated) = calibrated("greedy", 0.0);
    assert!(!calibrated.table.rows.iter().any(|row| row.persona == "wrong seed"));
    let written = rewrite(&text, &calibrated, "weighhouse task calibrate x").expect("written");
    let read =
        Task::load(written.as_bytes(), &crate::OnRecord).unwrap_or_else(|error| panic!("{error}\n{written}"));
    let generate = read.generate().expect("of this kind");
    assert_eq!(generate.margins.token_max, calibrated.limits.token_max);
    assert!(generate.budget.is_some() && read.file().reference == Some(reference.digest()));
    assert!(
        written.starts_with("# A task for tests.\nversion = 1")
            && written.contains("# What is asked.\n[generate]")
    );
    assert!(!written.contains("To be measured"));
    // Written again it stays as it is.
    assert_eq!(
        rewrite(&written, &calibrated, "weighhouse task calibrate x").as_deref(),
        Ok(written.as_str())
    );
    assert_eq!(rewrite("version = 1", &calibrated, ""), Err(WriteError::NoSection("[margins]")));
}

#[test]
fn what_can_not_be_calibrated_says_why() {
    let reference = load(&folder());
    let text = file(&reference, "greedy", 0.0);
    let task = Task::load(text.as_bytes(), &crate::OnRecord).expect("a task");
    let run = |task: &Task, challenges, against: &str| {
        let served: &[CalibrationModel] = &[];
        let calibration = Calibration { task, reference: &reference, served, challenges, seed: 1, against };
        calibration.run(&|| Duration::ZERO, &mut |_| {}).expect_err("refused").to_string()
    };
    assert!(run(&task, 0, "int4").contains("no challenges"));
    assert!(run(&task, 2, "int4").contains("no cheat named \"int4\""));
    let digits = Task::load(crate::DIGITS_CONFORMANCE.as_bytes(), &crate::OnRecord).expect("a task");
    assert!(run(&digits, 2, "int4").contains("classify"));
}

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::calibrate::CompletionSource;
use crate::sequential::DrawTerms;
use crate::{References, Task, complete};
use weighhouse_models::LoadLimits;
use weighhouse_models::language::LanguageModel;
use weighhouse_models::precision::Precision;
use weighhouse_models::sampling::Sampling;
use weighhouse_types::text::{Prompt as Asked, TextRequest};

/// A small Llama with random weights.
fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/testdata/language/llama")
}

/// The small model in every grade; none is weaker.
struct Small;

impl References for Small {
    fn language(&self) -> Result<Option<Arc<dyn Witness>>, TaskError> {
        Ok(Some(Arc::new(TeacherForced(self.served_language(Grade::Agreed)?))))
    }

    fn served_language(&self, grade: Grade) -> Result<LanguageModel, TaskError> {
        let model = match grade {
            Grade::Rounded(precision) => {
                LanguageModel::load_rounded(&folder(), &LoadLimits::STANDARD, precision)
            }
            Grade::Agreed | Grade::Weak => LanguageModel::load(&folder(), &LoadLimits::STANDARD),
        };
        model.map_err(|error| TaskError::Reference(error.to_string()))
    }
}

fn reference() -> LanguageModel {
    Small.served_language(Grade::Agreed).expect("a model")
}

fn file(sampler: &str, temperature: f32) -> String {
    format!(
        "# A task for tests.\nversion = 1\nkind = \"generate\"\nmode = \"conformance\"\nscope = \"private\"\n\
         model = \"small\"\nitems = 1\nreference = \"{}\"\n\n# What is asked.\n[generate]\nprompts = \"rust/v1\"\n\
         prompt_words = 2\nmax_tokens = 16\nsampler = \"{sampler}\"\ntemperature = {temperature:?}\nignore_end = true\n\n\
         # To be measured.\n[margins]\nclip = 1.0\ntoken_max = 1.0\nlog_prob_max = 1.0\n\n[conformance]\ntolerance = 0.5\n",
        reference().digest()
    )
}

fn plan<'a>(file: &'a str, servers: &'a [&'a dyn CompletionSource], challenges: u32) -> CalibrationPlan<'a> {
    CalibrationPlan {
        file,
        how: "weighhouse task calibrate x",
        references: &Small,
        coarsest: Some(Precision::Half),
        has_weak: false,
        servers,
        challenges,
        seed: 5,
        rounds: 12,
        against: "int4",
        cpu: &|| Duration::ZERO,
    }
}

fn run(text: &str, plan: &CalibrationPlan<'_>) -> Result<Calibrated, CalibrateError> {
    let task = Task::load(text.as_bytes(), &Small).expect("a task");
    super::run(task.kind().expect("of this kind"), plan, &mut |_| {})
}

fn row<'a>(calibrated: &'a Calibrated, name: &str) -> &'a figures::Row {
    let mut rows = calibrated.table.rows.iter();
    rows.find(|row| row.persona == name).unwrap_or_else(|| panic!("no {name}"))
}

/// The agreed model behind another's interface.
#[derive(Debug)]
struct Elsewhere;

impl CompletionSource for Elsewhere {
    fn complete(&self, requests: Vec<TextRequest>) -> Result<Vec<TextAnswer>, String> {
        let model = reference();
        let task = Task::load(file("greedy", 0.0).as_bytes(), &crate::OnRecord)
            .map_err(|error| error.to_string())?;
        let kind: &Completions = task.kind().expect("of this kind");
        let encode = |request: &TextRequest| match &request.prompt {
            Asked::Text(text) => {
                let sampling = Sampling::new(0.0, 0, 1.0, 0).expect("greedy");
                Ok((model.encode(text)?, kind.settings().generation(sampling)))
            }
            Asked::Ids(_) => unreachable!("a challenge's prompt is text"),
        };
        let wanted: Result<Vec<_>, weighhouse_models::language::TextError> =
            requests.iter().map(encode).collect();
        complete(&model, &wanted.map_err(|error| error.to_string())?, 4).map_err(|error| error.to_string())
    }
}

#[test]
fn a_server_that_is_not_ours_is_one_of_the_honest() {
    let servers: [&dyn CompletionSource; 1] = [&Elsewhere];
    let text = file("greedy", 0.0);
    let calibrated = run(&text, &plan(&text, &servers, 6)).expect("measured");
    let server = row(&calibrated, "server");
    assert!(server.honest && server.rejected == 0.0 && server.exact > 0.99, "{server:?}");
    let text = file("gumbel/v1", 0.7);
    let error = run(&text, &plan(&text, &servers, 6)).expect_err("greedy only").to_string();
    assert!(error.contains("server") && error.contains("greedy"), "{error}");
}

#[test]
fn honest_answers_are_within_the_limits_and_cheats_beyond() {
    let text = file("gumbel/v1", 0.7);
    let calibrated = run(&text, &plan(&text, &[], 40)).expect("measured");
    assert_eq!((calibrated.honest.checks, calibrated.honest.beyond), (60, 0));
    for name in ["honest", "honest, 16 at once", "half"] {
        let row = row(&calibrated, name);
        assert!(row.honest && row.rejected == 0.0 && row.convicted == 0.0, "{row:?}");
    }
    for name in ["reseeding", "cached", "ignoring", "hot", "truncating"] {
        let row = row(&calibrated, name);
        assert!(!row.honest && row.rejected > 0.9 && row.convicted > 0.9, "{row:?}");
    }
    assert!(row(&calibrated, "editing").rejected > 0.8, "{:?}", row(&calibrated, "editing"));
    let (half, bf16, int4) = (row(&calibrated, "half"), row(&calibrated, "bf16"), row(&calibrated, "int4"));
    assert!(!bf16.honest, "no coarser than half is honest here: {bf16:?}");
    assert!(int4.auc > 0.7 && int4.mean > half.mean, "{int4:?}");
}

#[test]
fn the_limits_are_written_into_a_file_that_the_validator_reads() {
    let text = file("greedy", 0.0);
    let calibrated = run(&text, &plan(&text, &[], 40)).expect("measured");
    assert!(!calibrated.table.rows.iter().any(|row| row.persona == "reseeding"));
    let report = calibrated.report(&plan(&text, &[], 40)).expect("written");
    let written = report.file;
    let read =
        Task::load(written.as_bytes(), &crate::OnRecord).unwrap_or_else(|error| panic!("{error}\n{written}"));
    let settings = read.kind::<Completions>().expect("of this kind").settings();
    assert_eq!(settings.margins.token_max, calibrated.limits.token_max);
    assert!(settings.budget.is_some() && read.file().reference == Some(reference().digest()));
    assert!(
        written.starts_with("# A task for tests.\nversion = 1")
            && written.contains("# What is asked.\n[generate]")
    );
    assert!(!written.contains("To be measured"));
    let again = calibrated.report(&plan(&written, &[], 40)).expect("written again");
    assert_eq!(again.file, written, "written again it stays as it is");
    assert_eq!(
        (report.rows.len(), report.columns.len()),
        (calibrated.table.rows.len(), report.rows[0].len())
    );
    let lacks = calibrated.report(&plan("version = 1", &[], 40)).expect_err("no sections").to_string();
    assert!(lacks.contains("[margins]"), "{lacks}");
}

#[test]
fn what_can_not_be_calibrated_says_why() {
    let text = file("greedy", 0.0);
    let error = |plan: &CalibrationPlan<'_>| run(&text, plan).expect_err("refused").to_string();
    assert!(error(&plan(&text, &[], 0)).contains("no challenges"));
    let unknown = CalibrationPlan { against: "int3", ..plan(&text, &[], 2) };
    assert!(error(&unknown).contains("no cheat named \"int3\""));
    let digits = Task::load(crate::DIGITS_CONFORMANCE.as_bytes(), &crate::OnRecord).expect("a task");
    let refused = digits.calibrate(&plan(&text, &[], 2), &mut |_| {}).expect_err("nothing to calibrate");
    assert_eq!(refused.to_string(), "kind = \"classify\" has no limits to calibrate");
}

#[test]
fn built_in_files_say_what_their_figures_mean() {
    let mut wrong = Vec::new();
    for name in ["generate", "generate-greedy"] {
        let text = crate::registry::builtin(name).expect("built in");
        let task = Task::load(text.as_bytes(), &crate::OnRecord).expect("a task");
        let budget = task.budget().expect("a budget");
        let terms = DrawTerms::of(&budget.cheats, 12);
        assert_eq!((budget.drawn, budget.newcomer_checks()), (terms.drawn, Some(terms.checks)), "{name}");
        let said = written::pretending(budget);
        if !text.ends_with(&said) {
            wrong.push(format!("{name} has to end with:\n{said}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

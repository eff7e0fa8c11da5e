//! Answerers of a calibration's challenges.

use weighhouse_models::language::LanguageModel;
use weighhouse_types::text::{TextAnswer, TextRequest};

use crate::calibrate::{CalibrateError, CalibrationPlan, CompletionSource};
use crate::error::TaskError;
use crate::generate::personas::{Fake, Way, wanted, ways};
use crate::generate::{Generate, Prompt, complete, verdict};
use crate::persona::Conduct;
use crate::references::Grade;

/// Sequences that an honest miner may run together.
const TOGETHER: usize = 16;
/// Sequences that run together where nothing else is said.
const BATCH: usize = 8;

/// Somebody who answers, under a name in the table.
pub(super) struct Answers<'a> {
    pub(super) name: String,
    pub(super) is_honest: bool,
    /// Cost of an answer over that of an honest one; `None` where it is what is measured.
    pub(super) cost: Option<f64>,
    by: By<'a>,
}

enum By<'a> {
    /// The decoder that miners serve from, so many sequences at a time.
    Decoder { model: LanguageModel, fake: Option<Fake>, batch: usize },
    /// A server that is not ours.
    Server(&'a dyn CompletionSource),
}

/// Everybody, the honest ones first.
pub(super) fn everybody<'a>(
    settings: &Generate,
    plan: &CalibrationPlan<'a>,
) -> Result<Vec<Answers<'a>>, CalibrateError> {
    let ways = ways(&settings.sampling);
    let (honest, cheats): (Vec<&Way>, Vec<&Way>) = ways.iter().partition(|way| is_honest(way, plan));
    let mut everybody = Vec::new();
    for way in honest {
        let is_agreed = way.serves == Grade::Agreed;
        // Alone and in full batches: an honest miner may run the model either way.
        everybody.push(decoding(way, plan, if is_agreed { 1 } else { BATCH })?);
        if is_agreed {
            let together = decoding(way, plan, TOGETHER)?;
            everybody.push(Answers { name: format!("{}, {TOGETHER} at once", way.name), ..together });
        }
    }
    for (source, at) in plan.servers.iter().zip(1..) {
        let name = if plan.servers.len() == 1 { "server".to_owned() } else { format!("server {at}") };
        everybody.push(Answers { name, is_honest: true, cost: Some(1.0), by: By::Server(*source) });
    }
    for way in cheats.into_iter().filter(|way| way.serves != Grade::Weak || plan.has_weak) {
        everybody.push(decoding(way, plan, BATCH)?);
    }
    Ok(everybody)
}

/// Rounding is honest as far as the plan lets it be.
fn is_honest(way: &Way, plan: &CalibrationPlan<'_>) -> bool {
    match way.serves {
        Grade::Rounded(precision) => plan.allows(precision),
        Grade::Agreed | Grade::Weak => way.conduct == Conduct::Honest,
    }
}

fn decoding<'a>(way: &Way, plan: &CalibrationPlan<'a>, batch: usize) -> Result<Answers<'a>, CalibrateError> {
    let model = plan.references.served_language(way.serves)?;
    let by = By::Decoder { model, fake: way.fake, batch };
    Ok(Answers { name: way.name.to_owned(), is_honest: is_honest(way, plan), cost: way.cost(), by })
}

impl Answers<'_> {
    pub(super) fn answer(
        &self,
        settings: &Generate,
        prompts: &[Prompt],
    ) -> Result<Vec<TextAnswer>, CalibrateError> {
        let answers = match &self.by {
            By::Decoder { model, fake, batch } => {
                let ask = |prompt: &Prompt| {
                    let mut request = verdict::asked(settings, &prompt.text, &prompt.sampling);
                    fake.inspect(|fake| fake.ask(&mut request));
                    wanted(model, &request)
                };
                let asked: Vec<_> = prompts.iter().map(ask).collect::<Result<_, TaskError>>()?;
                let answers = complete(model, &asked, *batch);
                let mut answers = answers.map_err(|error| self.failed(error.to_string()))?;
                if *fake == Some(Fake::Repeats) {
                    // Each question gets the answer to another one.
                    answers.rotate_right(1);
                }
                for (answer, (prompt, _)) in answers.iter_mut().zip(&asked) {
                    fake.inspect(|fake| fake.say(model, prompt, answer));
                }
                answers
            }
            // Another server draws by a sampler of its own: only greedy tokens can be held against ours.
            By::Server(server) if settings.sampling.temperature == 0.0 => {
                let request = |prompt: &Prompt| TextRequest {
                    log_probs: true,
                    ignore_end: settings.ignore_end,
                    ..TextRequest::greedy(&prompt.text, settings.max_tokens)
                };
                server.complete(prompts.iter().map(request).collect()).map_err(|why| self.failed(why))?
            }
            By::Server(_) => return Err(CalibrateError::GreedyOnly { who: self.name.clone() }),
        };
        if answers.len() == prompts.len() {
            return Ok(answers);
        }
        Err(self.failed(format!("{} answers to {} challenges", answers.len(), prompts.len())))
    }

    fn failed(&self, why: String) -> CalibrateError {
        CalibrateError::Answer { who: self.name.clone(), why }
    }
}

//! Judges answers to one challenge: the agreed model's, a weaker one's, and none at all.

use std::io::Write;

use anyhow::{Context, ensure};
use weighhouse_models::{Builtin, Classifier};
use weighhouse_tasks::{DIGITS_CONFORMANCE, Task, answer};
use weighhouse_types::{Failure, Mark};

fn main() -> anyhow::Result<()> {
    let task = Task::load(DIGITS_CONFORMANCE.as_bytes(), &Builtin::Reference.bytes())?;

    // A validator takes the seed from its VRF, so that nobody knows the challenge before it is sent.
    let challenge = task.challenge(&[7; 32])?;
    let request = task.request(&challenge, "example".to_owned());
    let references = task.references(std::slice::from_ref(&challenge))?;
    let reference = references.first().context("one reference for one challenge")?;

    let mut out = std::io::stdout().lock();
    for model in [Builtin::Reference, Builtin::Weak] {
        let classifier = Classifier::load(model.bytes())?;
        let judgement = task.judge(&challenge, reference, &Ok(answer(&classifier, "1", &request)?))?;
        writeln!(out, "{:<10} {} {:?}", model.name(), judgement.mark, judgement.reasons)?;
        ensure!(
            (judgement.mark > Mark::ZERO) == (model == Builtin::Reference),
            "only the agreed model is paid"
        );
    }
    let silence = task.judge(&challenge, reference, &Err(Failure::DeadlineExceeded))?;
    writeln!(out, "{:<10} {} {:?}", "silence", silence.mark, silence.reasons)?;
    Ok(())
}

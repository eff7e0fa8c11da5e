//! The proof that one answer and its verdict are in a validator's log: made of an epoch's file, and checked without it.

use std::path::Path;
use std::str::FromStr;

use weighhouse_types::Uid;
use weighhouse_validator::audit::{AnswerProof, ProvenAnswer, ProvenError, prove};

use crate::commands::write_file;
use crate::failure::{Context as _, Exit, Failure};
use crate::output;

/// `ROUND:UID`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Answered {
    round: u32,
    uid: Uid,
}

impl FromStr for Answered {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let read = || {
            let (round, uid) = text.split_once(':')?;
            Some(Self { round: round.parse().ok()?, uid: Uid(uid.parse().ok()?) })
        };
        read().ok_or_else(|| format!("{text:?} is no answer: write ROUND:UID, such as 0:5"))
    }
}

/// Makes the proof, into a folder or to standard output.
pub(super) fn write(file: &Path, asked: Answered, save: Option<&Path>) -> Result<(), Failure> {
    let shown = file.display();
    let bytes = std::fs::read(file).exit(Exit::Missing, &shown)?;
    let Answered { round, uid } = asked;
    let proof = prove(&bytes, round, uid).map_err(|error| {
        let exit = if matches!(error, ProvenError::NoAnswer { .. }) { Exit::Missing } else { Exit::Data };
        Failure::new(exit, format!("{shown}: {error}"))
    })?;
    let proven = proof.verify().exit(Exit::Data, &shown)?;
    let json = serde_json::to_string_pretty(&proof).exit(Exit::Internal, "the proof")?;
    let Some(folder) = save else { return Ok(output::line(json)?) };
    std::fs::create_dir_all(folder).exit(Exit::Unavailable, format!("{} (--save)", folder.display()))?;
    let path = folder.join(format!("answer-{}-{round}-{uid}.json", proven.epoch));
    write_file(&path, json.as_bytes())?;
    Ok(output::line(path.display().to_string())?)
}

/// Checks a proof, which needs nothing else.
pub(super) fn check(path: &Path, proof: &AnswerProof, wanted: usize, json: bool) -> Result<(), Failure> {
    let proven = proof.verify().exit(Exit::Data, path.display())?;
    if json {
        output::json(&proven)?;
    } else {
        print(proof, &proven)?;
    }
    let signed = proven.witnesses.len();
    if signed < wanted {
        let why =
            format!("{}: {signed} have signed its checkpoint, and {wanted} are demanded", path.display());
        return Err(Failure::new(Exit::Unavailable, why));
    }
    Ok(())
}

fn print(proof: &AnswerProof, proven: &ProvenAnswer) -> Result<(), Failure> {
    let mark = proven.judgement.mark;
    output::line(format!("an answer of uid {}, {}", proven.uid, proven.miner))?;
    output::line(format!(
        "to validator {}, epoch {}, round {}",
        proven.validator, proven.epoch, proven.round
    ))?;
    output::line(format!("by model {}, as the miner says; it has signed the answer", proven.model))?;
    let reasons: Vec<String> = proven.judgement.reasons.iter().map(ToString::to_string).collect();
    output::line(format!("judged {mark}: {}", reasons.join("; ")))?;
    output::line(format!(
        "record {} of {} in the validator's log, root {}",
        proof.index, proven.size, proven.root
    ))?;
    let witnesses: Vec<String> = proven.witnesses.iter().map(ToString::to_string).collect();
    Ok(output::line(match witnesses.is_empty() {
        true => "witnessed by nobody: the log may have another version of it".to_owned(),
        false => {
            format!("witnessed by {}: whether these are validators, the chain shows", witnesses.join(", "))
        }
    })?)
}

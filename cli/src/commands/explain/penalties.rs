//! What keeps a miner from the pay that its average alone would give, by name.

use serde::Serialize;
use weighhouse_scoring::Rating;
use weighhouse_scoring::path::Path;
use weighhouse_types::{PayStatement, Score};

/// One thing that lowers or ends its pay.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Penalty {
    pub(super) name: &'static str,
    pub(super) text: String,
}

/// Those of an epoch, the weightiest first.
pub(super) fn penalties(statement: &PayStatement, way: &Path) -> Vec<Penalty> {
    let mut found = Vec::new();
    let mut note = |name, text: String| found.push(Penalty { name, text });
    if let Some(why) = &way.abstains {
        note("no vector", format!("the validator publishes nothing for this epoch: {why}"));
    }
    match way.rated.rating {
        Rating::Scored => {}
        Rating::Convicted => {
            note(
                "conviction",
                "it was convicted of pretending: nothing this epoch, and it begins anew".to_owned(),
            );
        }
        Rating::OnProbation => {
            note(
                "newcomer",
                "checks have not accepted enough of its answers yet: not paid before".to_owned(),
            );
        }
        Rating::TooFewAttempts => {
            note(
                "newcomer",
                format!("{} verdicts are fewer than the policy wants before it pays", way.attempts),
            );
        }
        Rating::TooOld => note("too old", "its last verdict is too long ago to count".to_owned()),
        Rating::BelowMinMark if way.rated.score == Score::ZERO => {
            note("below the floor", "its average is below the least mark that the policy pays".to_owned());
        }
        Rating::BelowMinMark => {}
        Rating::NoValue => note("no value", "the policy's expression has no value for it".to_owned()),
    }
    if let Some(cluster) = way.cluster {
        note(
            "likeness",
            format!("its answers are like those of others (cluster {cluster}), who share one's pay"),
        );
    }
    let silent = way
        .verdicts
        .iter()
        .filter(|step| step.judgement.reasons.iter().any(|reason| reason.failure().is_some()));
    let silent = silent.count();
    if silent > 0 {
        note(
            "refusals",
            format!("{silent} of {} questions got no answer that could be judged", way.verdicts.len()),
        );
    }
    let late = (way.verdicts.len() - silent).saturating_sub(way.in_time as usize);
    if late > 0 {
        note("late", format!("{late} answers came behind the policy's deadline"));
    }
    let lost = statement.share_without.saturating_sub(statement.share);
    if lost > 0 {
        note("checks", format!("{:.4} % of all weights lost to what checks found", lost as f64 / 1e7));
    }
    found
}

#[cfg(test)]
mod tests;

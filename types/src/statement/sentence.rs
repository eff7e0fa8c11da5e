//! A statement's first sentence: what was lost, to which check, and what the epoch would have paid without it.

use super::{Loss, PayStatement};
use crate::Rao;

/// Checks that the sentence names with their figures; the table behind it has all.
const NAMED_MAX: usize = 3;

impl PayStatement {
    /// The sentence. Amounts are what the miners' pay gives for this validator's weights alone, in the subnet's own token; without
    /// figures of the pay, shares of the weights.
    pub fn sentence(&self) -> String {
        let mut sentence = format!("epoch {}: {}", self.epoch, self.told());
        match (&self.abstains, self.rating.as_str()) {
            (Some(why), _) => sentence.push_str(&format!("; the validator had no weights to publish: {why}")),
            (None, "scored" | "below_min_mark") => {}
            (None, rating) => sentence.push_str(&format!("; not paid: {}", rating.replace('_', " "))),
        }
        sentence
    }

    fn told(&self) -> String {
        let answers = self.answers;
        let (paid, unit) = (self.amount(self.share), self.unit());
        let without = self.amount(self.share_without);
        let costly: Vec<&Loss> = self.losses.iter().filter(|loss| self.shows(loss)).collect();
        match costly[..] {
            [] if self.losses.is_empty() => {
                format!("nothing was lost over {answers} answers; this epoch pays {paid} {unit}")
            }
            [] => {
                // A validator's word, which may be any number.
                let failed: u64 = self.losses.iter().map(|loss| u64::from(loss.answers)).sum();
                let checks = named(&self.losses.iter().collect::<Vec<_>>());
                format!(
                    "nothing was lost, though {failed} of {answers} answers failed {checks}; this epoch pays {paid} {unit}"
                )
            }
            [only] => format!(
                "{} of {without} {unit} lost to `{}` over {} of {answers} answers; without it this epoch would have paid {without}",
                self.part(only.lost),
                only.check,
                only.answers,
            ),
            _ => {
                let told = |loss: &&Loss| {
                    let counted = if loss.answers == 1 { "answer" } else { "answers" };
                    format!("{} to `{}` over {} {counted}", self.part(loss.lost), loss.check, loss.answers)
                };
                let mut parts: Vec<String> = costly.iter().take(NAMED_MAX).map(told).collect();
                if let Some(rest) = costly.get(NAMED_MAX..).filter(|rest| !rest.is_empty()) {
                    parts.push(format!("the rest to {}", named(rest)));
                }
                format!(
                    "{} of {without} {unit} lost over {answers} answers, {}; without them this epoch would have paid {without}",
                    self.amount(self.share_without.saturating_sub(self.share)),
                    parts.join(", "),
                )
            }
        }
    }

    /// True of a loss that shows in the figures.
    fn shows(&self, loss: &Loss) -> bool {
        self.part(loss.lost) != self.part(0)
    }

    /// A share of this validator's weights in [`PayStatement::unit`].
    pub fn amount(&self, share: u64) -> String {
        match &self.pay {
            Some(pay) => four_decimals(pay.part(share)),
            None => format!("{:.2}", share as f64 / 1e7),
        }
    }

    /// As [`PayStatement::amount`], of a part that is below 0 where undoing a check costs something.
    pub fn part(&self, part: i64) -> String {
        let amount = self.amount(part.unsigned_abs());
        if part < 0 && amount != self.amount(0) { format!("-{amount}") } else { amount }
    }

    /// The unit of amounts.
    pub fn unit(&self) -> &'static str {
        if self.pay.is_some() { "alpha" } else { "% of the weights" }
    }
}

fn named(losses: &[&Loss]) -> String {
    let checks: Vec<String> = losses.iter().map(|loss| format!("`{}`", loss.check)).collect();
    checks.join(", ")
}

/// To the nearest of four decimals.
fn four_decimals(amount: Rao) -> String {
    let rounded = amount.0.saturating_add(50_000) / 100_000;
    format!("{}.{:04}", rounded / 10_000, rounded % 10_000)
}

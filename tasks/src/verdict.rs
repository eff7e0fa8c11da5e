//! Verdicts that several kinds give.

use weighhouse_types::{Judgement, Mark, Outcome, Reason};

/// The verdict on what is no answer: it earns nothing. `item` is the place of the fault, from 0.
pub fn malformed(item: u32, what: impl Into<String>) -> Judgement {
    Judgement { mark: Mark::ZERO, reasons: vec![Reason::Malformed { item, what: what.into() }] }
}

/// An answer that is good, worth so much in (0, 1], and why in a few words.
pub fn accepted(worth: f64, why: &str) -> Judgement {
    Judgement { mark: mark(worth.max(0.0)), reasons: vec![Reason::told(Outcome::Accepted, why)] }
}

/// An answer that is not good enough, worth so much in [-1, 0], and why in a few words. One that is below 0 takes from what
/// better answers of the miner earned.
pub fn wrong(worth: f64, why: &str) -> Judgement {
    // Not `min`, which would make 0 of a worth that is no number.
    let worth = if worth > 0.0 { 0.0 } else { worth };
    Judgement { mark: mark(worth), reasons: vec![Reason::told(Outcome::Wrong, why)] }
}

/// An answer worth so much in [-1, 1], and why in a few words: accepted above 0, wrong otherwise.
pub fn scored(worth: f64, why: &str) -> Judgement {
    if worth > 0.0 { accepted(worth, why) } else { wrong(worth, why) }
}

/// Pays fidelity: 1 if every item is within the tolerance, else minus the share of those outside. `worst` is the item that is
/// furthest off.
pub fn fidelity(items: u32, outside: u32, worst: u32) -> Judgement {
    if outside == 0 {
        return Judgement { mark: Mark::MAX, reasons: vec![Reason::Conforms { items }] };
    }
    let reasons = vec![Reason::Deviates { items, outside, worst }];
    Judgement { mark: mark(-f64::from(outside) / f64::from(items)), reasons }
}

/// Pays skill, in units where guessing is worth 0 and the truth 1: an answer's own, if it is not below the reference's less
/// the margin; else what it lacks, never above 0. A skill that is no number is the worst.
pub fn skill(own: f64, reference: f64, margin: f64) -> Judgement {
    let (answer, floor) = (mark(own), mark(reference));
    if own >= reference - margin {
        Judgement { mark: answer, reasons: vec![Reason::Skill { answer, reference: floor }] }
    } else {
        let reasons = vec![Reason::BelowReference { answer, reference: floor }];
        let lack = own - reference;
        // As in `wrong`.
        Judgement { mark: mark(if lack > 0.0 { 0.0 } else { lack }), reasons }
    }
}

fn mark(value: f64) -> Mark {
    Mark::from_f64(value).unwrap_or(Mark::MIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_skill_that_is_no_number_is_the_worst() {
        assert_eq!(skill(f64::NAN, 0.0, 0.0).mark, Mark::MIN);
        assert_eq!(skill(-0.25, 0.0, 0.0).mark.to_f64(), -0.25);
        assert_eq!(skill(0.2, 0.5, 0.0).mark.to_f64(), -0.3);
        assert_eq!(scored(f64::NAN, "no number").mark, Mark::MIN);
        assert_eq!((scored(0.5, "half").mark.to_f64(), scored(0.0, "none").mark), (0.5, Mark::ZERO));
    }
}

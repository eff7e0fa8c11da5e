//! What each attack does, how it is seen, and what answers it: one text for the command line, the report and the docs.

/// An attack in words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct AttackWords {
    pub name: &'static str,
    pub does: &'static str,
    pub seen: &'static str,
    pub answer: &'static str,
}

/// Every attack of the catalogue, in its order.
pub const WORDS: [AttackWords; 20] = [
    AttackWords {
        name: "lazy",
        does: "Says the same thing to every challenge and runs no model.",
        seen: "Marks are at most 0 on average: the answer carries nothing that the challenge asked for.",
        answer: "A mark that is corrected for guessing, averaged before it is clipped; `metrics.answered` at 0.",
    },
    AttackWords {
        name: "random",
        does: "Draws its answers, so that some are right by luck.",
        seen: "Marks spread around what guessing is worth, which is 0 or less.",
        answer: "Averaging signed marks; `shape.floor`; `significance.standard_errors` where verdicts are few.",
    },
    AttackWords {
        name: "nan",
        does: "Answers with numbers that are none, or with rows of the wrong number, to upset a judge's arithmetic.",
        seen: "The judge refuses the answer: a mark of 0 with its reason.",
        answer: "Nothing to set: such answers never enter a sum.",
    },
    AttackWords {
        name: "cached",
        does: "Hands in an earlier challenge's answer.",
        seen: "It is a right answer to another question, and marked as a wrong one.",
        answer: "Fresh challenges, which a validator's hotkey draws and nobody foresees.",
    },
    AttackWords {
        name: "weak",
        does: "Serves a small model in place of the agreed or a good one.",
        seen: "Lower marks, on every answer a little or on some a lot.",
        answer: "`shape.floor` between the weak model's mean mark and the honest one's; a steeper `shape`.",
    },
    AttackWords {
        name: "half",
        does: "Serves the reference with weights rounded to half precision, which costs less than an own model.",
        seen: "Hardly: its marks are nearly the whole model's. Where quality is paid they are those of the reference.",
        answer: "Where fidelity is paid, a calibrated tolerance. Where quality is, a floor above the reference's mean mark, or a steeper shape: in proportion, four fifths of the marks at a fifth of the cost pay.",
    },
    AttackWords {
        name: "int8",
        does: "Serves the reference with weights rounded to 8 bits.",
        seen: "As `half`, with slightly larger differences.",
        answer: "As for `half`.",
    },
    AttackWords {
        name: "int4",
        does: "Serves the reference with weights rounded to 4 bits.",
        seen: "Mean marks well below the honest ones; on conformance tasks every answer is outside the tolerance.",
        answer: "`shape.floor`, and enough challenges: `policy check --profile` says how many make it sure.",
    },
    AttackWords {
        name: "plagiarist",
        does: "Copies another miner's answer instead of computing one.",
        seen: "A sealed round shows it nobody's answer in time; a copy of an earlier round is a cached answer.",
        answer: "Private challenges, or shared ones whose answers are committed before any is shown.",
    },
    AttackWords {
        name: "twin",
        does: "Two uids add the same noise with opposite signs, so that one of them is lucky in every round.",
        seen: "Their mistakes mirror each other, and their average is that of a noise model.",
        answer: "Averaging before clipping: luck of one round isn't kept. `cluster.pay` where challenges are shared.",
    },
    AttackWords {
        name: "sleeper",
        does: "Works until it is paid well, then answers lazily until its pay has fallen, and works again.",
        seen: "Its average falls with the first lazy epoch, at the speed of `average.half_life`.",
        answer: "A short half life, or a shorter `average.fall_half_life` than the one for rising.",
    },
    AttackWords {
        name: "burst",
        does: "Works three epochs of four, and on three requests of four that it takes for judged ones.",
        seen: "Marks alternate; those of the lazy quarter count like all others.",
        answer: "A floor above what part-time work averages, and unjudged requests that look like judged ones.",
    },
    AttackWords {
        name: "relay",
        does: "Two uids pass on what one backend computes, a little late.",
        seen: "On shared challenges their answers are one; asked at the same moment, the backend lacks the time for both.",
        answer: "Private challenges asked of all at once (a barrier), so that each uid needs power of its own.",
    },
    AttackWords {
        name: "sybil",
        does: "Eight uids on the power that one honest miner needs.",
        seen: "As `relay`. On shared challenges with one right answer not at all: all honest answers are alike.",
        answer: "Private challenges asked of all at once. On shared quality tasks `cluster.pay`.",
    },
    AttackWords {
        name: "veiled",
        does: "As `sybil`, with noise of its own on each uid's answer, so that no two look alike.",
        seen: "By its marks alone, a little: noise that hides a common model costs little quality.",
        answer: "Private challenges, where each uid has to compute. On shared ones no policy can tell such copies from miners of their own: `policy attack` says by how much they earn more.",
    },
    AttackWords {
        name: "decoy",
        does: "One uid works and three are registered beside it that never answer, to lower coverage or push others out.",
        seen: "Silence is a verdict: the three count as judged and earn nothing.",
        answer: "Nothing to set: coverage counts silence, and registrations cost.",
    },
    AttackWords {
        name: "timing",
        does: "Holds seven tenths of the computing power that all of its challenges need at once.",
        seen: "Three answers of ten miss the deadline.",
        answer: "Where computing is nearly all of what honest work earns, this pays: let a missed deadline cost more than its share, by `deadline.capacity` with a floor, or an expression over `answered`.",
    },
    AttackWords {
        name: "silence",
        does: "Answers the validators that hold most stake, and is silent to the others.",
        seen: "Those others have low marks for it, which the consensus of the majority clips.",
        answer: "Nothing in a policy: it saves the attacker little and costs small validators dividends, which `validator_loss` counts.",
    },
    AttackWords {
        name: "boycott",
        does: "As `silence`, towards the smallest validators alone, below the largest 85 % of stake.",
        seen: "The validator that is left out sees it, nobody else does.",
        answer: "As for `silence`; a small validator may judge through the common challenges that others publish.",
    },
    AttackWords {
        name: "shirker",
        does: "Leaves requests unanswered that it takes for ones nobody judges, and is right three times of four.",
        seen: "Judged requests that it was wrong about miss their answer; the others are seen by customers alone.",
        answer: "Requests that can't be told apart, and customers' traffic that is judged in part. Without unjudged requests it loses; `--unjudged` says from how many on it pays.",
    },
];

/// The words on an attack, those of `sybil` for `sybil-N`.
pub fn words(name: &str) -> Option<&'static AttackWords> {
    let name = if name.starts_with("sybil-") { "sybil" } else { name };
    WORDS.iter().find(|words| words.name == name)
}

/// All of them as a section of the docs.
pub fn markdown() -> String {
    let one = |words: &AttackWords| {
        let AttackWords { name, does, seen, answer } = words;
        format!("**{name}.** {does} *Seen:* {seen} *Answered:* {answer}\n")
    };
    WORDS.iter().map(one).collect::<Vec<_>>().join("\n")
}

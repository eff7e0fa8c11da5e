use super::*;
use crate::sim::fixture::{policy, read};
use weighhouse_types::{Hotkey, Uid};

fn found(text: &str) -> Vec<(Severity, &'static str)> {
    let report = lint(&policy(text), None, None, 3).expect("a valid policy");
    report.findings.into_iter().map(|finding| (finding.severity, finding.key)).collect()
}

fn subnet(miners: u16) -> Live {
    Live {
        tempo_blocks: 360,
        immunity_blocks: 4096,
        miners,
        max_weights_limit: 65535,
        reveal_epochs: 1,
        hotkeys: Vec::new(),
        owner: None,
    }
}

#[test]
fn the_default_policy_is_beyond_doubt() {
    let live = subnet(192);
    let report = lint(&PolicyFile::shipped(), None, Some(&live), 3).expect("valid");
    assert_eq!(report.findings, []);
}

#[test]
fn keys_that_do_nothing_are_named() {
    for (text, key) in [
        ("[shape]\nexponent = 2.0", "shape.exponent"),
        ("[shape]\nkind = \"power\"\nexponent = 2.0\nkeep = 3", "shape.keep"),
        ("[shape]\nhysteresis = 0.1", "shape.hysteresis"),
        ("[average]\nkind = \"window\"\nhalf_life = 1.0", "average.half_life"),
        ("[average]\ntrim = 0.1", "average.trim"),
        ("[audit]\nspot_share = 0.1", "audit.spot_share"),
        ("[cluster]\nagreement = 0.5", "cluster.agreement"),
    ] {
        assert_eq!(found(text), [(Severity::Warning, key)], "{text}");
    }
}

#[test]
fn caps_that_cannot_be_met_are_errors() {
    assert_eq!(
        found("[shape]\nkind = \"top_k\"\nkeep = 3\n[caps]\nshare = 0.3"),
        [(Severity::Error, "caps.share")]
    );
    assert_eq!(
        found("[shape]\nkind = \"winner_takes_all\"\n[caps]\nshare = 0.9"),
        [(Severity::Error, "caps.share")]
    );
    let findings = |live: Live| {
        let report = lint(&policy("[caps]\nshare = 0.2"), None, Some(&live), 3).expect("valid");
        report.findings.into_iter().map(|finding| finding.severity).collect::<Vec<_>>()
    };
    assert_eq!(findings(subnet(4)), [Severity::Error]);
    assert_eq!(findings(Live { max_weights_limit: 9000, ..subnet(16) }), [Severity::Note]);
    // Four weights of at most 9000 of 65535 each don't make a whole.
    assert_eq!(findings(Live { max_weights_limit: 9000, ..subnet(4) }), [Severity::Error, Severity::Error]);
    assert_eq!(findings(subnet(0)), [Severity::Note]);
}

#[test]
fn branches_that_nobody_takes_and_scores_that_fall_are_found() {
    let message = |source: &str| {
        let text = format!("version = 2\n[expression]\nscore = \"{source}\"");
        let report = lint(&read(&text), None, None, 3).expect("valid");
        report.findings.into_iter().map(|finding| finding.message).collect::<Vec<_>>()
    };
    assert_eq!(message("age < 3 ? score * 0.5 : score"), Vec::<String>::new());
    assert_eq!(
        message("score > 1.5 ? 0.0 : score"),
        ["`score > 1.5` never holds, so one branch is never taken"]
    );
    assert_eq!(
        message("average <= 1.0 ? score : 0.0"),
        ["`average <= 1.0` always holds, so one branch is never taken"]
    );
    let falling = message("average > 0.85 ? 0.1 : score");
    assert!(
        falling.len() == 1 && falling[0].starts_with("is not monotone: an average of 0.8 is worth 0.8000"),
        "{falling:?}"
    );
}

#[test]
fn a_newcomer_must_have_time_within_half_its_immunity() {
    let text = "version = 2\n[newcomer]\nmin_attempts = 30\nramp_epochs = 4";
    let live = |immunity_blocks| Live { tempo_blocks: 100, immunity_blocks, reveal_epochs: 2, ..subnet(64) };
    let messages =
        |immunity, rounds| lint(&read(text), None, Some(&live(immunity)), rounds).expect("valid").findings;
    assert_eq!(messages(2600, 3), []);
    let finding = &messages(2599, 3)[0];
    assert!(
        finding
            .message
            .starts_with("a newcomer needs 13 epochs (1300 blocks: 10 to be judged, a ramp of 4, 2 until"),
        "{}",
        finding.message
    );
    assert_eq!(messages(1400, 30), []);
}

#[test]
fn a_burn_that_would_stop_the_subnet_is_an_error() {
    let (owner, other) = (Hotkey([1; 32]), Hotkey([2; 32]));
    let burning =
        |share: &str, hotkey: &Hotkey| policy(&format!("[burn]\nshare = {share}\nhotkey = \"{hotkey}\""));
    let found = |file: &PolicyFile, live: Option<&Live>| {
        let findings = lint(file, None, live, 3).expect("valid").findings;
        findings.into_iter().map(|found| (found.severity, found.key)).collect::<Vec<_>>()
    };
    // That a burn's hotkey must not mine is always noted.
    let note = (Severity::Note, "burn.hotkey");
    let live = Live { hotkeys: vec![other, owner], owner: Some(Uid(1)), ..subnet(64) };
    assert_eq!(found(&burning("0.5", &owner), Some(&live)), [note]);
    assert_eq!(found(&burning("0.5", &other), Some(&live)), [(Severity::Warning, "burn.hotkey"), note]);
    let stranger = burning("0.5", &Hotkey([3; 32]));
    assert_eq!(found(&stranger, Some(&live)), [(Severity::Error, "burn.hotkey"), note]);
    assert_eq!(found(&stranger, None), [note]);
    assert_eq!(found(&burning("0.999999999", &owner), None), [(Severity::Error, "burn.share"), note]);
    // Enough for one miner, and too little for 64.
    assert_eq!(found(&burning("0.9999", &owner), None), [note]);
    assert_eq!(found(&burning("0.9999", &owner), Some(&live)), [(Severity::Error, "burn.share"), note]);
}

#[test]
fn a_policy_that_asks_for_more_miners_than_there_are_is_an_error() {
    let report = lint(&policy("[guards]\nmin_miners = 9"), None, Some(&subnet(8)), 3).expect("valid");
    let [finding] = &report.findings[..] else { panic!("{report:?}") };
    assert_eq!((finding.severity, finding.key), (Severity::Error, "guards.min_miners"));
}

#[test]
fn divisions_by_zero_and_ages_that_earn_nothing_are_errors() {
    let found = |source: &str| {
        let text = format!("version = 2\n[expression]\nscore = \"{source}\"");
        let findings = lint(&read(&text), None, None, 3).expect("valid").findings;
        findings.into_iter().map(|found| (found.severity, found.message)).collect::<Vec<_>>()
    };
    for (source, wanted) in [
        (
            "age > 8 ? score / double(age - 37) : score",
            "`score / double(age - 37)` divides by zero where score is",
        ),
        ("attempts < 1000 ? score : score / error", "`score / error` divides by zero where"),
        ("age < 50 ? score : 0.0", "pays nobody from age 50 on"),
        ("min(score, 0.0)", "pays nobody: no miner comes to"),
    ] {
        let found = found(source);
        assert!(
            found.iter().any(|(severity, message)| *severity == Severity::Error && message.contains(wanted)),
            "{source}: {found:?}"
        );
    }
    let young = found("age < 3 ? 0.0 : score");
    assert!(
        matches!(&young[..], [(Severity::Warning, message)] if message.contains("no miner of age 0")),
        "{young:?}"
    );
}

#[test]
fn examples_of_policies_are_beyond_doubt() {
    for (name, _, text) in weighhouse_scoring::policy::EXAMPLES {
        let report = lint(&read(text), None, Some(&subnet(192)), 8).expect("valid");
        let grave: Vec<_> = report
            .findings
            .iter()
            .filter(|found| found.severity > Severity::Note && found.key != "newcomer.min_attempts")
            .collect();
        assert!(grave.is_empty(), "{name}: {grave:?}");
    }
}

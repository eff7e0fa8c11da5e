use super::*;
use crate::sim::fixture::{policy, read};

fn found(text: &str) -> Vec<(Severity, &'static str)> {
    let report = lint(&policy(text), None, None, 3).expect("a valid policy");
    report.findings.into_iter().map(|finding| (finding.severity, finding.key)).collect()
}

#[test]
fn the_default_policy_is_beyond_doubt() {
    let live = Live {
        tempo_blocks: 360,
        immunity_blocks: 4096,
        miners: 192,
        max_weights_limit: 65535,
        reveal_epochs: 1,
    };
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
    let live = Live {
        tempo_blocks: 360,
        immunity_blocks: 4096,
        miners: 4,
        max_weights_limit: 9000,
        reveal_epochs: 0,
    };
    let report = lint(&policy("[caps]\nshare = 0.2"), None, Some(&live), 3).expect("valid");
    let severities: Vec<_> = report.findings.iter().map(|finding| finding.severity).collect();
    assert_eq!(severities, [Severity::Error, Severity::Note]);
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
    let live = |immunity_blocks| Live {
        tempo_blocks: 100,
        immunity_blocks,
        miners: 64,
        max_weights_limit: 65535,
        reveal_epochs: 2,
    };
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

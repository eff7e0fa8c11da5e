use super::*;

fn description() -> v1::JudgeServiceDescribeResponse {
    v1::JudgeServiceDescribeResponse {
        protocol: 1,
        version: 3,
        digest: vec![7; 32],
        exchanges: 1,
        limits: Some(v1::JudgeLimits {
            challenges_max: 1,
            attempts_max: 2,
            together_max: 3,
            message_bytes_max: 4,
        }),
        ..Default::default()
    }
}

#[test]
fn a_description_is_refused_by_what_is_wrong_with_it() {
    type Change = fn(&mut v1::JudgeServiceDescribeResponse);
    let cases: [(Change, &str); 7] = [
        (|it| it.protocol = 2, "version 2"),
        (|it| it.version = 0, "version"),
        (|it| it.digest = vec![1; 31], "31 bytes"),
        (|it| it.exchanges = 0, "exchanges"),
        (|it| it.exchanges = 9, "exchanges"),
        (|it| it.limits = None, "limits"),
        (|it| it.limits.as_mut().expect("limits").attempts_max = 0, "attempts_max"),
    ];
    let read = JudgeDescription::try_from(description()).expect("a description");
    assert_eq!((read.version, read.digest, read.limits.together_max), (3, Digest([7; 32]), 3));
    for (change, word) in cases {
        let mut message = description();
        change(&mut message);
        let error = JudgeDescription::try_from(message).expect_err(word).to_string();
        assert!(error.contains(word), "{error}");
    }
}

fn verdict(mark_billionths: i32, outcome: i32) -> Result<Judgement, JudgeMessageError> {
    v1::Verdict { mark_billionths, outcome, text: "so\nit is".into() }.try_into()
}

#[test]
fn marks_and_outcomes_are_checked_on_entry() {
    let praised = verdict(1_000_000_000, 1).expect("a verdict");
    assert_eq!((praised.mark, praised.reasons[0].to_string()), (Mark::MAX, "accepted: so it is".into()));
    assert_eq!(verdict(-1_000_000_000, 2).expect("a verdict").mark, Mark::MIN);
    assert_eq!(verdict(i32::MIN, 2), Err(JudgeMessageError::Mark { billionths: i32::MIN }));
    assert_eq!(verdict(1_000_000_001, 1), Err(JudgeMessageError::Mark { billionths: 1_000_000_001 }));
    assert_eq!(verdict(1, 3), Err(JudgeMessageError::Praise { billionths: 1 }));
    for value in [0, 4, -1] {
        assert_eq!(verdict(0, value), Err(JudgeMessageError::Outcome { value }));
    }
}

#[test]
fn a_group_of_alike_answers_names_answers_that_there_are() {
    let joint = |groups: &[&[u32]]| {
        let verdicts = vec![v1::Verdict { outcome: 1, ..Default::default() }; 3];
        let alike = groups.iter().map(|group| v1::AlikeAttempts { attempts: group.to_vec() }).collect();
        JointVerdicts::try_from(v1::JudgeTogetherResponse { verdicts, alike })
    };
    assert_eq!(joint(&[&[0, 2]]).expect("a group").alike, [[0, 2]]);
    for wrong in [&[&[0][..]][..], &[&[2, 0]], &[&[0, 3]], &[&[1, 1]], &[&[0, 1], &[1, 2]]] {
        assert_eq!(joint(wrong), Err(JudgeMessageError::Alike), "{wrong:?}");
    }
}

use std::sync::Arc;

use super::*;
use crate::fake::{BUDGET, Fake, OLDER, OTHER_END, file, sent};
use crate::generate::Completions;
use crate::witness::{Language, TeacherForced, Witness};
use crate::{Challenge, OnRecord, Recorded, Reference, Task, TaskError, TaskFileError};
use weighhouse_models::sampling::Sampling;
use weighhouse_types::{Digest, Failure};

fn task(sampler: &str, temperature: f32, ignore_end: bool) -> Task {
    let file = file(sampler, temperature, ignore_end, "");
    let witness: Arc<dyn Witness> = Arc::new(TeacherForced(Fake::REFERENCE));
    Task::load(file.as_bytes(), &witness).expect("a task")
}

/// The verdict on an answer, through the journal's bytes and an auditor without a model.
fn verdict(task: &Task, challenge: &Challenge, answer: &TextAnswer) -> Judgement {
    let answer = sent(answer);
    let reference = match task.read(challenge, &Ok(answer.clone())) {
        Ok(read) => task.testify(&[(challenge, &read)]).expect("testimony").expect("asked").remove(0),
        Err(_) => task.references(std::slice::from_ref(challenge)).expect("awaited").remove(0),
    };
    let judgement = task.judge(challenge, &reference, &Ok(answer.clone())).expect("judged");
    let read = Reference::from_bytes(&reference.to_bytes()).expect("recorded");
    assert_eq!(read, reference);
    let settings = settings(task);
    let (sampler, temperature) = (settings.sampling.sampler().name(), settings.sampling.temperature);
    let file = file(sampler, temperature, settings.ignore_end, "");
    let auditor = Task::load(file.as_bytes(), &crate::OnRecord).expect("the same file");
    assert_eq!(auditor.judge(challenge, &read, &Ok(answer)), Ok(judgement.clone()));
    judgement
}

fn kinds() -> [Task; 3] {
    [task("greedy", 0.0, true), task("gumbel/v1", 0.8, true), task("gumbel/v1", 1.0, false)]
}

fn settings(task: &Task) -> &Generate {
    task.kind::<Completions>().expect("of this kind").settings()
}

fn ignores_end(task: &Task) -> bool {
    settings(task).ignore_end
}

#[test]
fn a_task_that_leaves_no_room_for_answers_is_refused_with_its_figures() {
    let witness: Arc<dyn Witness> = Arc::new(TeacherForced(Fake::REFERENCE));
    let file = file("greedy", 0.0, true, "").replace("max_tokens = 32", "max_tokens = 4000");
    let error = Task::load(file.as_bytes(), &witness).expect_err("refused").to_string();
    let context = Fake::REFERENCE.context();
    assert!(error.starts_with("generate.max_tokens = 4000 and a prompt of "), "{error}");
    assert!(error.contains(&format!("over the reference's context of {context}")), "{error}");
    assert!(Task::load(file.as_bytes(), &OnRecord).is_ok(), "old records stay readable");
}

#[test]
fn honest_completions_pass_and_none_of_a_thousand_is_doubted() {
    for task in kinds() {
        for seed in 0..100_u8 {
            let challenge = task.challenge(&[seed; 32]).expect("drawn");
            let answer = Fake::REFERENCE.answer(&challenge, 32, ignores_end(&task));
            let judgement = verdict(&task, &challenge, &answer);
            assert_eq!(judgement.mark, Mark::MAX, "{judgement:?}");
            assert_eq!(judgement.reasons, [Reason::Attested { tokens: answer.tokens.len() as u32, mean: 0 }]);
        }
    }
}

#[test]
fn texts_agree_whatever_stands_for_bytes_that_are_no_characters() {
    let says = |own: &str, text: &str| {
        let (tokens, log_probs, finish) = (vec![1], Vec::new(), Finish::Length);
        Completion { tokens, log_probs, finish, text: own.to_owned() }.says(text)
    };
    for own in ["éa", "é\u{fffd}a", "é\u{fffd}\u{fffd}\u{fffd}a", "éa\u{fffd}"] {
        assert!(says(own, "é\u{fffd}\u{fffd}a"), "{own}");
    }
    assert!(!says("éb", "é\u{fffd}a") && !says("é", "éa"));
    for own in ["a b", "a\u{fffd} b", "ab", "a\u{fffd}b"] {
        assert!(says(own, "a\u{fffd}\u{fffd} b"), "vLLM loses the space behind: {own}");
    }
    assert!(
        !says("ab", "a b")
            && !says("ab", "a\u{fffd}  b")
            && says("a b", "a\u{fffd}  b")
            && !says("a  b", "a\u{fffd} b")
    );
}

#[test]
fn another_model_temperature_or_seed_is_told_by_a_token() {
    let task = task("gumbel/v1", 0.8, true);
    for seed in 0..20_u8 {
        let challenge = task.challenge(&[seed; 32]).expect("drawn");
        let (prompt, sampling) = challenge.prompt().expect("a prompt");
        let blurred = Fake { blur: 0.5, salt: 3 }.answer(&challenge, 32, true);
        let complete = |sampling| Fake::REFERENCE.complete(prompt, &sampling, 32, true);
        let hotter = complete(Sampling { temperature: 1.2, ..sampling });
        let reseeded = complete(Sampling { seed: sampling.seed + 1, ..sampling });
        let greedy = complete(Sampling { temperature: 0.0, ..sampling });
        let elsewhere = Fake::REFERENCE.complete("something else", &sampling, 32, true);
        for answer in [blurred, hotter, reseeded, greedy, elsewhere] {
            let judgement = verdict(&task, &challenge, &answer);
            assert_eq!(judgement.mark, Mark::MIN);
            assert!(matches!(judgement.reasons[..], [Reason::Betrayed { margin: 1.., .. }]), "{judgement:?}");
        }
    }
}

#[test]
fn one_edited_token_is_named() {
    for task in kinds() {
        let challenge = task.challenge(&[9; 32]).expect("drawn");
        let honest = Fake::REFERENCE.answer(&challenge, 32, ignores_end(&task));
        let at = honest.tokens.len() / 2;
        let mut edited = honest.clone();
        // The fake looks at two tokens back, so the edit shows in the two after it as well.
        edited.tokens[at] = (honest.tokens[at] + 11) % 90 + 1;
        edited.text = Language::continuation(&Fake::REFERENCE, &[], &edited.tokens);
        let judgement = verdict(&task, &challenge, &edited);
        let [Reason::Betrayed { token, .. }] = judgement.reasons[..] else { panic!("{judgement:?}") };
        assert!((at as u32..=at as u32 + 2).contains(&token), "{token} {at}");
    }
}

#[test]
fn what_contradicts_itself_is_worth_nothing_and_says_why() {
    let task = task("gumbel/v1", 0.8, true);
    let challenge = task.challenge(&[4; 32]).expect("drawn");
    let honest = Fake::REFERENCE.answer(&challenge, 32, true);
    let check = |change: &dyn Fn(&mut TextAnswer), expected: &str| {
        let mut answer = honest.clone();
        change(&mut answer);
        let judgement = verdict(&task, &challenge, &answer);
        assert_eq!(judgement.mark, Mark::ZERO);
        let [Reason::Contradicts { what, .. } | Reason::Malformed { what, .. }] = &judgement.reasons[..]
        else {
            panic!("{judgement:?}")
        };
        assert!(what.contains(expected), "{what}");
    };
    check(
        &|answer| {
            answer.tokens.truncate(20);
            answer.log_probs.truncate(20);
        },
        "cut short",
    );
    let surplus = |answer: &mut TextAnswer| {
        answer.tokens.push(3);
        answer.log_probs.push(-1.0);
    };
    check(&surplus, "more tokens");
    check(&|answer| (0..40).for_each(|_| surplus(answer)), "at most 64");
    check(&|answer| answer.finish = None, "no finish reason");
    check(&|answer| answer.finish = Some(Finish::Stop), "stop word");
    check(&|answer| answer.finish = Some(Finish::End), "asked to go on");
    check(&|answer| answer.text.push('x'), "not what the tokens say");
    check(&|answer| answer.log_probs.clear(), "no log-probabilities");
    check(&|answer| answer.log_probs[3] = f32::NAN, "log-probability NaN");
    check(&|answer| answer.log_probs[3] = 0.5, "log-probability 0.5");
    check(&|answer| (answer.tokens.clear(), answer.log_probs.clear(), ()).2, "no token ids");
}

#[test]
fn log_probabilities_are_a_second_witness() {
    let task = task("greedy", 0.0, true);
    let challenge = task.challenge(&[4; 32]).expect("drawn");
    let mut answer = Fake::REFERENCE.answer(&challenge, 32, true);
    answer.log_probs[5] -= 0.02;
    let judgement = verdict(&task, &challenge, &answer);
    assert!(
        matches!(judgement.reasons[..], [Reason::Doubted { token: 5, difference: 19_000..=21_000 }]),
        "{judgement:?}"
    );
}

#[test]
fn going_on_past_the_end_and_ending_without_one_are_seen() {
    let task = task("gumbel/v1", 1.0, false);
    let ended = |seed: &u8| {
        let answer = Fake::REFERENCE.answer(&task.challenge(&[*seed; 32]).expect("drawn"), 32, false);
        answer.finish == Some(Finish::End) && answer.tokens.len() > 3
    };
    let challenge = task.challenge(&[(0..).find(ended).expect("some end"); 32]).expect("drawn");
    let past = Fake::REFERENCE.answer(&challenge, 32, true);
    let said = |answer: &TextAnswer| match &verdict(&task, &challenge, answer).reasons[..] {
        [Reason::Contradicts { what, .. }] => what.clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!(said(&past), "goes on after its end");
    let mut shown = Fake::REFERENCE.answer(&challenge, 32, false);
    assert_eq!(verdict(&task, &challenge, &shown).mark, Mark::MAX, "an end token without text");
    shown.text = Language::continuation(&Fake::REFERENCE, &[], &shown.tokens);
    assert_eq!(said(&shown), "the text is not what the tokens say");
    let mut early = past.clone();
    early.tokens.truncate(2);
    early.log_probs.truncate(2);
    early.text = Language::continuation(&Fake::REFERENCE, &[], &early.tokens[..1]);
    early.finish = Some(Finish::End);
    assert_eq!(said(&early), "ends without an end token");
}

#[test]
fn tokens_that_no_vocabulary_has_betray_and_never_panic() {
    let task = task("greedy", 0.0, true);
    let challenge = task.challenge(&[4; 32]).expect("drawn");
    for id in [96, 1 << 30] {
        let mut answer = Fake::REFERENCE.answer(&challenge, 32, true);
        answer.tokens[6] = id;
        let judgement = verdict(&task, &challenge, &answer);
        let expected = Reason::Betrayed { token: 6, id, margin: u32::MAX, mean: 142_857, tokens: 32 };
        assert_eq!(judgement.reasons, [expected]);
    }
}

#[test]
fn answers_of_a_round_are_looked_at_together_and_apart_alike() {
    let task = task("gumbel/v1", 0.8, true);
    let challenges: Vec<_> = (0..40).map(|seed| task.challenge(&[seed; 32]).expect("drawn")).collect();
    let answer = |challenge| Ok(sent(&Fake::REFERENCE.answer(challenge, 32, true)));
    let read = |challenge| task.read(challenge, &answer(challenge)).expect("well-formed");
    let answers: Vec<_> = challenges.iter().map(read).collect();
    let pairs: Vec<_> = challenges.iter().zip(&answers).collect();
    let together = task.testify(&pairs).expect("testimonies").expect("asked");
    for (pair, testimony) in pairs.iter().zip(&together) {
        assert_eq!(&task.testify(&[*pair]).expect("testimony").expect("asked")[0], testimony);
    }
}

#[test]
fn a_judge_without_testimony_or_with_another_answers_says_so() {
    let task = task("greedy", 0.0, true);
    let challenge = task.challenge(&[4; 32]).expect("drawn");
    let answer = Ok(sent(&Fake::REFERENCE.answer(&challenge, 32, true)));
    let awaited = task.references(std::slice::from_ref(&challenge)).expect("awaited").remove(0);
    assert_eq!(task.judge(&challenge, &awaited, &answer), Err(TaskError::NoTestimony));
    let short = Testimony { margins: vec![0.0; 3], log_probs: vec![0.0; 3], ..Testimony::default() };
    let short = Reference::new(challenge.digest(), Recorded::Testimony(short));
    assert_eq!(task.judge(&challenge, &short, &answer), Err(TaskError::Tokens { expected: 32, actual: 3 }));
    let silent = task.judge(&challenge, &awaited, &Err(Failure::Unreachable)).expect("judged");
    assert_eq!(silent.mark, Mark::ZERO);
}

#[test]
fn challenges_differ_by_seed_and_are_asked_as_the_file_says() {
    let task = task("gumbel/v1", 0.8, true);
    let (one, other) = (task.challenge(&[1; 32]).expect("drawn"), task.challenge(&[2; 32]).expect("drawn"));
    assert_ne!(one.digest(), other.digest());
    assert_ne!(one.prompt().expect("a prompt").1.seed, other.prompt().expect("a prompt").1.seed);
    let limits = TextLimits { prompt_bytes: 4_096, prompt_tokens: 0, max_tokens: 64 };
    let request = TextRequest::from_infer(&task.request(&one, "id".into()), &limits).expect("a request");
    assert_eq!(request.prompt, Prompt::Text(one.prompt().expect("a prompt").0.to_owned()));
    assert_eq!((request.max_tokens, request.temperature, request.ignore_end), (32, 0.8, true));
    assert!(request.log_probs);
}

#[test]
fn files_that_contradict_themselves_are_refused_by_name() {
    let sound = file("gumbel/v1", 0.8, true, BUDGET);
    assert!(Task::load(sound.as_bytes(), &OnRecord).is_ok());
    let refused = |from: &str, to: &str, name: &str| {
        assert!(sound.contains(from), "{from}");
        let error =
            Task::load(sound.replacen(from, to, 1).as_bytes(), &OnRecord).expect_err("refused").to_string();
        assert!(error.contains(name), "{error}");
    };
    refused("items = 1", "items = 2", "items");
    refused("temperature = 0.8", "temperature = 0.0", "generate.temperature");
    refused("temperature = 0.8", "temperature = 200.0", "generate.temperature");
    refused("\"gumbel/v1\"", "\"greedy\"", "generate.temperature");
    refused("\"gumbel/v1\"", "\"beam\"", "generate.sampler");
    refused("max_tokens = 32", "max_tokens = 0", "generate.max_tokens");
    refused("\"rust/v1\"", "\"rust/v2\"", "generate.prompts");
    refused("clip = 1.0", "clip = 0.0", "margins.clip");
    refused("false_alarm = 0.0001", "false_alarm = 0.9", "budget.false_alarm");
    refused("edges = [0.000001, 0.1]", "edges = [0.1, 0.000001]", "budget.edges");
    refused("honest = [0.999, ", "honest = [", "budget.honest");
    refused("cheat = [0.95, 0.03, 0.02]", "cheat = [0.999, 0.0009, 0.0001]", "budget.cheat");
    let quality = sound.replace("mode = \"conformance\"", "mode = \"quality\"");
    let quality = quality.replace("[conformance]\ntolerance = 0.001", "[quality]\nfloor_margin = 0.1");
    let error = Task::load(quality.as_bytes(), &OnRecord).expect_err("refused");
    assert_eq!(error, TaskError::File(TaskFileError::NoQuality { kind: "generate" }));
    let embed = sound.replace("\"generate\"", "\"embed\"");
    let error = Task::load(embed.as_bytes(), &OnRecord).expect_err("refused").to_string();
    assert!(error.contains("unknown field") && error.contains("expected `embed`"), "{error}");
}

#[test]
fn an_answer_may_end_where_some_servers_do_and_go_on_there() {
    let task = task("gumbel/v1", 1.0, false);
    let answer = |seed: u8| Fake::REFERENCE.answer(&task.challenge(&[seed; 32]).expect("drawn"), 32, false);
    let other = |answer: &TextAnswer| answer.tokens.iter().position(|id| *id == OTHER_END);
    let seed = (0..).find(|seed| other(&answer(*seed)).is_some_and(|at| at > 0)).expect("one comes by it");
    let challenge = task.challenge(&[seed; 32]).expect("drawn");
    let on = answer(seed);
    assert_eq!(verdict(&task, &challenge, &on).mark, Mark::MAX, "goes on");
    let at = other(&on).expect("found");
    let mut ended = on.clone();
    ended.tokens.truncate(at + 1);
    ended.log_probs.truncate(at + 1);
    ended.text = Language::continuation(&Fake::REFERENCE, &[], &ended.tokens[..at]);
    ended.finish = Some(Finish::End);
    assert_eq!(verdict(&task, &challenge, &ended).mark, Mark::MAX, "ends");
}

#[test]
fn a_task_file_pins_any_digest_that_is_the_models_own() {
    let witness: Arc<dyn Witness> = Arc::new(TeacherForced(Fake::REFERENCE));
    let file = file("greedy", 0.0, true, "");
    let [newest, older, none] = [&b"fake"[..], OLDER, b"another"].map(Digest::of);
    let pins = |digest: Digest| file.replace(&newest.to_string(), &digest.to_string());
    for own in [newest, older] {
        assert!(Task::load(pins(own).as_bytes(), &witness).is_ok());
        assert_eq!(crate::with_reference_at_hand(&pins(own), &witness).expect("read"), pins(own));
    }
    let error = Task::load(pins(none).as_bytes(), &witness).expect_err("refused");
    assert_eq!(error, TaskError::WrongLanguage { named: none, given: newest });
    assert!(error.to_string().contains("generation_config.json"), "{error}");
    assert_eq!(crate::with_reference_at_hand(&pins(none), &witness).expect("read"), file);
}

#[test]
fn a_task_without_log_probabilities_takes_tokens_alone_and_judges_them_all_the_same() {
    let with = |key: &str, sampler: &str, temperature| {
        file(sampler, temperature, true, "")
            .replace("ignore_end = true", &format!("ignore_end = true\n{key}"))
    };
    let witness: Arc<dyn Witness> = Arc::new(TeacherForced(Fake::REFERENCE));
    let task = |text: String| Task::load(text.as_bytes(), &witness);
    let lenient = task(with("log_probs = false", "greedy", 0.0)).expect("a task");
    let strict = task(with("", "greedy", 0.0)).expect("a task");
    let challenge = lenient.challenge(&[3; 32]).expect("drawn");
    let mut answer = Fake::REFERENCE.answer(&challenge, 32, true);
    answer.log_probs.clear();
    let mark = |task: &Task, answer: &TextAnswer| {
        let answer = Ok(sent(answer));
        let reference = match task.read(&challenge, &answer) {
            Ok(read) => task.testify(&[(&challenge, &read)]).expect("testimony").expect("asked").remove(0),
            Err(judgement) => return judgement.mark,
        };
        task.judge(&challenge, &reference, &answer).expect("judged").mark
    };
    assert_eq!(mark(&lenient, &answer), Mark::MAX);
    assert_eq!(mark(&strict, &answer), Mark::ZERO);
    answer.tokens[3] ^= 1;
    assert_eq!(mark(&lenient, &answer), Mark::MIN);
    let refused = task(with("log_probs = false", "gumbel/v1", 0.8)).expect_err("not greedy");
    assert!(refused.to_string().contains("generate.log_probs"), "{refused}");
}

#[test]
fn an_end_that_is_none_is_seen_without_the_model() {
    let file = file("greedy", 0.0, false, BUDGET).replace("settled_after = 8", "newcomer_checks = 8");
    let witness: Arc<dyn Witness> = Arc::new(TeacherForced(Fake::REFERENCE));
    let task = Task::load(file.as_bytes(), &witness).expect("a task");
    let looked = |seed: u8, change: &dyn Fn(&mut TextAnswer)| {
        let challenge = task.challenge(&[seed; 32]).expect("drawn");
        let mut answer = Fake::REFERENCE.answer(&challenge, 32, false);
        change(&mut answer);
        let read = task.read(&challenge, &Ok(sent(&answer))).expect("well-formed");
        let on_sight = task.contradict_themselves(&[(&challenge, &read)]).expect("looked at");
        let on_sight = on_sight.expect("by these terms")[0];
        let word = task.testify(&[(&challenge, &read)]).expect("testimony").expect("asked").remove(0);
        assert_eq!(on_sight, task.contradicts(&word, &read), "an auditor sees the same");
        on_sight
    };
    let stops_early = |answer: &mut TextAnswer| {
        answer.tokens.truncate(2);
        answer.log_probs.truncate(2);
        answer.finish = Some(Finish::End);
        let spoken = answer.tokens.len() - 1;
        answer.text = Language::continuation(&Fake::REFERENCE, &[], &answer.tokens[..spoken]);
    };
    for seed in 0..20 {
        assert!(!looked(seed, &|_| {}));
        let honest = Fake::REFERENCE.answer(&task.challenge(&[seed; 32]).expect("drawn"), 32, false);
        let ends_later = honest.tokens.len() > 2 && honest.tokens[1] != OTHER_END;
        assert_eq!(looked(seed, &stops_early), ends_later, "{honest:?}");
    }
}

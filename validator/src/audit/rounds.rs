//! An epoch's rounds as an auditor counts them: each is asked of everybody or void, and nobody is left out.

use std::collections::BTreeSet;

use weighhouse_scoring::Policy;
use weighhouse_types::{Digest, EpochContext, Neuron, Record, RegistrationId, VoidRound};

use super::audited::AuditReport;

/// Notes whatever is missing from the rounds, and who is in them that has no place there.
pub(super) fn check(records: &[Record], context: &EpochContext, audited: &mut AuditReport) {
    audited.problems.extend(foreigners(records, context));
    let Some(rounds) = context.fields.rounds() else {
        // Of version 1 the report says that it shows less.
        if context.judge.is_some() {
            audited.problems.push("the epoch's opening doesn't say how many rounds it has".to_owned());
        }
        return;
    };
    let spot_rounds = match Policy::parse(&context.policy) {
        Ok(policy) if policy.rounds().is_some_and(|wanted| wanted != rounds) => {
            audited.problems.push(format!("the epoch has {rounds} rounds, and its policy wants others"));
            policy.spot_rounds().0
        }
        Ok(policy) => policy.spot_rounds().0,
        // Weighing tells.
        Err(_) => return,
    };
    let beyond = asked(records).range(rounds.saturating_add(spot_rounds)..).copied().collect::<Vec<_>>();
    if !beyond.is_empty() {
        audited.problems.push(format!("rounds {beyond:?} were asked, and the epoch has {rounds}"));
    }
    if !records.iter().any(|record| matches!(record, Record::EpochClosed(_))) {
        audited.is_open = true;
        // It is closed in the commit that decides it.
        if records.iter().any(|record| matches!(record, Record::Intent(_) | Record::Abstained { .. })) {
            audited.problems.push("no closing record: its end was cut off".to_owned());
        }
        return;
    }
    // An epoch in which nobody was asked gives no vector.
    if asked(records).is_empty() {
        return;
    }
    let mut known = asked(records);
    known.extend(records.iter().filter_map(|record| match record {
        Record::VoidRound(void) => Some(void.round),
        _ => None,
    }));
    // The first alone: a foreign record may name any number.
    if let Some(round) = (0..rounds).find(|round| !known.contains(round)) {
        audited.problems.push(format!("round {round} was neither asked nor is it void"));
    }
    known.into_iter().filter(|round| *round < rounds).for_each(|round| {
        check_round(records, context, round, audited);
    });
    let undrawn = undrawn(records, context);
    if !undrawn.is_empty() {
        audited.on_trust.push(format!(
            "whom the validator checked in rounds {undrawn:?}: drawn by what it knew beforehand, and by no later block"
        ));
    }
    let departed = departed(records).len();
    if departed > 0 {
        audited.on_trust.push(format!("that {departed} registrations ended in this epoch: the chain's"));
    }
    if spot_rounds > 0 {
        audited.on_trust.push("who was spared in spot rounds: the validator's own draw".to_owned());
    }
}

fn check_round(records: &[Record], context: &EpochContext, round: u32, audited: &mut AuditReport) {
    let done = done(records, context, round);
    let void = records.iter().find_map(|record| match record {
        Record::VoidRound(void) if void.round == round => Some(void),
        _ => None,
    });
    let missing = expected(records, context).filter(|neuron| !done.contains(&neuron.registration()));
    let divided = divided(records, round);
    let missing: Vec<u16> = missing
        .chain(context.state.metagraph.neurons.iter().filter(|neuron| {
            let who = neuron.registration();
            neuron.axon.is_none() && divided.contains(&who) && !done.contains(&who)
        }))
        .map(|neuron| neuron.uid.0)
        .collect();
    let registered = |who: &RegistrationId| {
        context.state.metagraph.neurons.iter().any(|neuron| neuron.registration() == *who)
    };
    if !divided.iter().all(registered) {
        audited.problems.push(format!("round {round} was divided among some who are not registered"));
    }
    match void {
        _ if missing.is_empty() => {}
        None => audited.problems.push(format!("round {round} has no verdict on uids {missing:?}")),
        // Void as a whole it counts for nobody, and too many of them for nothing.
        Some(_) if done.is_empty() => {}
        Some(VoidRound { cause, .. }) => audited.on_trust.push(format!(
            "that uids {missing:?} have no verdict in round {round} by the validator's own trouble ({})",
            cause.name()
        )),
    }
}

/// Whoever serves by the epoch's opening has to be judged in every round.
fn expected<'a>(records: &[Record], context: &'a EpochContext) -> impl Iterator<Item = &'a Neuron> {
    let departed = departed(records);
    let others = context.state.metagraph.neurons.iter();
    others.filter(move |neuron| {
        let is_other = neuron.hotkey != context.validator && neuron.axon.is_some();
        is_other && !departed.contains(&neuron.registration())
    })
}

/// Whom a round's question was divided among.
fn divided(records: &[Record], round: u32) -> BTreeSet<RegistrationId> {
    let divided = records.iter().filter_map(|record| match record {
        Record::Asked(asked) if asked.round == round => asked.fields.asked_of(),
        _ => None,
    });
    divided.flatten().collect()
}

fn departed(records: &[Record]) -> BTreeSet<RegistrationId> {
    let departed = records.iter().filter_map(|record| match record {
        Record::Departed { who, .. } => Some(who),
        _ => None,
    });
    departed.flatten().copied().collect()
}

/// Registrations that a round is done with: judged, or answered where the truth comes later.
fn done(records: &[Record], context: &EpochContext, round: u32) -> BTreeSet<RegistrationId> {
    let closed: BTreeSet<Digest> = records
        .iter()
        .filter_map(|record| match record {
            Record::PhaseChange(change) => Some(change.challenge),
            _ => None,
        })
        .collect();
    let done = records.iter().filter_map(|record| match record {
        Record::Judged(judged) if judged.round == round && judged.asked_in == context.epoch => {
            Some(judged.who)
        }
        Record::Answered(answered) if answered.round == round && closed.contains(&answered.challenge) => {
            answered.outcome.is_ok().then_some(answered.who)
        }
        _ => None,
    });
    done.collect()
}

/// Judged rounds without the beacon that should have drawn their checks.
fn undrawn(records: &[Record], context: &EpochContext) -> BTreeSet<u32> {
    if !records.iter().any(|record| matches!(record, Record::EarlierChecks(_))) {
        return BTreeSet::new();
    }
    let judged = records.iter().filter_map(|record| match record {
        Record::Judged(judged) if judged.exchange.is_some() && judged.asked_in == context.epoch => {
            Some(judged.round)
        }
        _ => None,
    });
    let mut undrawn: BTreeSet<u32> = judged.collect();
    for record in records {
        if let Record::CheckDraw(draw) = record {
            undrawn.remove(&draw.round);
        }
    }
    undrawn
}

fn asked(records: &[Record]) -> BTreeSet<u32> {
    let asked = records.iter().filter_map(|record| match record {
        Record::Asked(asked) => Some(asked.round),
        _ => None,
    });
    asked.collect()
}

/// Verdicts and answers under a uid that isn't the registration's.
fn foreigners(records: &[Record], context: &EpochContext) -> Vec<String> {
    let metagraph = &context.state.metagraph;
    let of_own = records.iter().filter_map(|record| match record {
        Record::Judged(judged) => Some((judged.uid, judged.who, judged.round)),
        Record::Answered(answered) => Some((answered.uid, answered.who, answered.round)),
        _ => None,
    });
    let is_foreign = |(uid, who, _): &(weighhouse_types::Uid, RegistrationId, u32)| {
        metagraph.neuron(*uid).is_none_or(|neuron| neuron.registration() != *who)
    };
    of_own
        .filter(is_foreign)
        .map(|(uid, who, round)| format!("round {round}: uid {uid} is not {} by the metagraph", who.hotkey))
        .collect()
}

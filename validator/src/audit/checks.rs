//! Checks of earlier epochs, as an auditor takes them over: from one file whether they can be, from two whether they are.

use std::collections::BTreeSet;

use weighhouse_tasks::Task;
use weighhouse_types::{CheckedMiner, EpochContext, Neuron, Record};

use crate::checks::{CheckHistory, earlier};

/// Everything wrong with the checks that an epoch takes over, as its own file shows it.
pub(super) fn check(records: &[Record], context: &EpochContext, task: &Task) -> Vec<String> {
    let least = task.budget().and_then(|budget| budget.newcomer_checks());
    let earlier = earlier(records);
    match (least, earlier) {
        (None, None) => Vec::new(),
        (None, Some(_)) => vec!["earlier checks are recorded, and the task takes none over".to_owned()],
        (Some(_), None) => vec!["the checks that the epoch took over are not recorded".to_owned()],
        (Some(least), Some(earlier)) => {
            let neurons = &context.state.metagraph.neurons;
            let registered: BTreeSet<_> = neurons.iter().map(Neuron::registration).collect();
            let is_foreign = |miner: &&CheckedMiner| !registered.contains(&miner.who);
            let foreign = earlier.miners.iter().filter(is_foreign);
            let mut problems: Vec<String> = foreign
                .map(|miner| format!("earlier checks of {}, which is not registered", miner.who.hotkey))
                .collect();
            if earlier.newcomer_checks != least {
                problems.push("earlier checks name other terms than the task file".to_owned());
            }
            problems
        }
    }
}

/// Tells whether an epoch took over the checks that the epoch right before it left behind.
pub(super) fn are_taken_over(before: &[Record], records: &[Record], task: &Task) -> bool {
    let (Some(left), Some(context)) = (super::opening(before), super::opening(records)) else { return true };
    let neurons = &context.state.metagraph.neurons;
    if left.task != context.task {
        return CheckHistory::anew(task, context.epoch, before, neurons).as_ref() == earlier(records);
    }
    let Some(mut history) = CheckHistory::new(task, &left.carried, earlier(before)) else { return true };
    for record in before {
        match record {
            Record::Evidence(evidence) => history.take(task, evidence),
            Record::Judged(judged) => history.judged(judged),
            _ => {}
        }
    }
    history.leave(task, context.epoch, neurons).as_ref() == earlier(records)
}

//! The next block of a state: prices and emission, epochs that are due, then the calls.
//!
//! **Invariant.** The same state and the same calls give the same bytes, wherever and in whatever order the calls
//! came in; and every rao that was issued is in a balance, a stake, a pending pot, or burned. A refused call changes
//! nothing but its signer's nonce.

use weighhouse_types::{Block, Coldkey, Hotkey, Rao};

use super::commits::SealedWeights;
use super::extrinsic::Extrinsic;
use super::state::{Ownership, State};
use crate::rules::emission;
use crate::rules::{registration_price, schedule};
use crate::timelock::LocalBeacon;
use crate::{Call, Event, Refusal};

/// Results of a block: one per call, in their order, and the events besides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BlockOutcome {
    pub(crate) calls: Vec<Result<Vec<Event>, Refusal>>,
    pub(crate) events: Vec<Event>,
}

/// The books don't add up: a defect, never a caller's doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum LedgerDefect {
    #[error("block {block}: {issued} rao were issued but {held} are held")]
    Conservation { block: Block, issued: Rao, held: u128 },
    #[error("block {block}: the epoch can't be computed: {why}")]
    Epoch { block: Block, why: weighhouse_yuma::InputError },
}

impl State {
    /// Applies the next block. The extrinsics are in their order: by signer, then nonce; each signer's begin at its
    /// own next nonce and leave no gap.
    pub(crate) fn apply_block(
        &mut self,
        extrinsics: &[Extrinsic],
        beacon: &LocalBeacon,
    ) -> Result<BlockOutcome, LedgerDefect> {
        self.block.0 += 1;
        self.accrue();
        let mut events = self.reveal_timelocked(beacon);
        // Epochs before calls, as the chain has it: weights that are set in an epoch's block count in the next.
        self.run_epochs(&mut events)?;
        let calls = extrinsics.iter().map(|extrinsic| self.apply(extrinsic)).collect();
        self.check_conservation()?;
        Ok(BlockOutcome { calls, events })
    }

    /// Prices fall, and the block's emission becomes pending.
    fn accrue(&mut self) {
        for subnet in self.subnets.values_mut() {
            if self.block.0 > 1 {
                subnet.registration_price =
                    registration_price::decayed(subnet.registration_price, &subnet.rules);
            }
            subnet.registrations_this_block = 0;
            // Near the end of the supply the emission shrinks to what is left, so that no sum can overflow.
            let emission = Rao(subnet.emission_per_block.0.min(u64::MAX - self.issued.0));
            self.issued.0 += emission.0;
            subnet.pending.add(emission::split(emission));
        }
    }

    fn run_epochs(&mut self, events: &mut Vec<Event>) -> Result<(), LedgerDefect> {
        let block = self.block;
        let mut epochs = 0;
        for (netuid, subnet) in &mut self.subnets {
            subnet.schedule.blocks_since_last_step = subnet.schedule.blocks_since_last_step.saturating_add(1);
            if !schedule::should_run_epoch(&subnet.schedule, block) {
                continue;
            }
            // The chain's own limit; the subnet's epoch moves to the next block.
            if epochs == schedule::EPOCHS_PER_BLOCK_MAX {
                subnet.schedule.pending_epoch_at = Some(Block(block.0 + 1));
                continue;
            }
            let ownership = Ownership { owners: &self.owners, takes: &self.takes };
            let paid =
                subnet.run_epoch(block, ownership).map_err(|why| LedgerDefect::Epoch { block, why })?;
            epochs += 1;
            self.burned.0 += paid.burned.0;
            let (owner, incentive, dividends) = (paid.owner, paid.incentive, paid.dividends);
            events.push(Event::EpochRun { netuid: *netuid, owner, incentive, dividends });
            for hotkey in subnet.family.settle(block) {
                events.push(Event::ChildrenSet { netuid: *netuid, hotkey });
            }
        }
        Ok(())
    }

    pub(super) fn apply(&mut self, extrinsic: &Extrinsic) -> Result<Vec<Event>, Refusal> {
        // Used up even if the call is refused, or its bytes could be included again.
        self.accounts.entry(extrinsic.signer).or_default().nonce = extrinsic.nonce + 1;
        match self.apply_hotkeys(Hotkey(extrinsic.signer), &extrinsic.call) {
            Some(result) => result,
            None => self.apply_coldkeys(Coldkey(extrinsic.signer), &extrinsic.call),
        }
    }

    /// Calls that hotkeys sign; `None` for others.
    fn apply_hotkeys(&mut self, hotkey: Hotkey, call: &Call) -> Option<Result<Vec<Event>, Refusal>> {
        Some(match call {
            Call::SetWeights(call) => self.set_weights(hotkey, call),
            Call::CommitWeights { netuid, mechanism, hash } => {
                self.commit_weights(hotkey, *netuid, *mechanism, *hash)
            }
            Call::RevealWeights { weights, salt } => self.reveal_weights(hotkey, weights, salt),
            Call::BatchRevealWeights { netuid, reveals } => {
                self.batch_reveal_weights(hotkey, *netuid, reveals)
            }
            Call::CommitTimelockedWeights { netuid, mechanism, ciphertext, reveal_round, version } => {
                let sealed = SealedWeights { ciphertext, reveal_round: *reveal_round, version: *version };
                self.commit_timelocked(hotkey, *netuid, *mechanism, sealed)
            }
            Call::ServeAxon { netuid, axon } => self.serve_axon(hotkey, *netuid, *axon, None),
            Call::ServeAxonTls { netuid, axon, certificate } => {
                self.serve_axon(hotkey, *netuid, *axon, Some(certificate))
            }
            Call::ServePrometheus { netuid, endpoint } => self.serve_prometheus(hotkey, *netuid, *endpoint),
            Call::SetCommitment { netuid, data } => self.set_commitment(hotkey, *netuid, data),
            _ => return None,
        })
    }

    fn apply_coldkeys(&mut self, coldkey: Coldkey, call: &Call) -> Result<Vec<Event>, Refusal> {
        match call {
            Call::Register { netuid, hotkey, limit } => self.register(coldkey, *netuid, *hotkey, *limit),
            Call::AddStake { netuid, hotkey, amount } => self.add_stake(coldkey, *netuid, *hotkey, *amount),
            Call::RemoveStake { netuid, hotkey, amount } => {
                self.remove_stake(coldkey, *netuid, *hotkey, *amount)
            }
            Call::Transfer { to, amount } => self.transfer(coldkey, *to, *amount),
            Call::SetHyperparameters { netuid, hyperparameters } => {
                self.set_hyperparameters(coldkey, *netuid, hyperparameters)
            }
            Call::SetChildren { netuid, hotkey, children } => {
                self.set_children(coldkey, *netuid, *hotkey, children)
            }
            Call::SetChildkeyTake { netuid, hotkey, take } => {
                self.set_childkey_take(coldkey, *netuid, *hotkey, *take)
            }
            Call::SetTake { hotkey, take } => self.set_take(coldkey, *hotkey, *take),
            Call::SetTempo { netuid, tempo } => self.set_tempo(coldkey, *netuid, *tempo),
            Call::TriggerEpoch { netuid } => self.trigger_epoch(coldkey, *netuid),
            Call::SetActivityCutoffFactor { netuid, factor_milli } => {
                self.set_activity_cutoff_factor(coldkey, *netuid, *factor_milli)
            }
            Call::SetMechanisms { netuid, mechanisms } => self.set_mechanisms(coldkey, *netuid, mechanisms),
            call => Err(Refusal::Unsupported { what: format!("{call:?}") }),
        }
    }

    pub(crate) fn check_conservation(&self) -> Result<(), LedgerDefect> {
        let held = self.held();
        if held == u128::from(self.issued.0) {
            return Ok(());
        }
        Err(LedgerDefect::Conservation { block: self.block, issued: self.issued, held })
    }
}

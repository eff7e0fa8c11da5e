//! Calls that only the subnet's owner may make, besides setting the hyperparameters as a whole.

use weighhouse_types::{Block, Coldkey, Netuid};

use super::state::{LedgerSubnet, State};
use crate::rules::hyperparameters::{ACTIVITY_CUTOFF_FACTOR_MILLI, TEMPO_MIN};
use crate::rules::schedule::{TEMPO_MAX, freeze_blocks};
use crate::{Event, Refusal};

impl State {
    pub(super) fn owned_subnet(
        &mut self,
        coldkey: Coldkey,
        netuid: Netuid,
    ) -> Result<&mut LedgerSubnet, Refusal> {
        let subnet = self.subnet_mut(netuid)?;
        if subnet.owner_coldkey == coldkey { Ok(subnet) } else { Err(Refusal::NotSubnetOwner) }
    }

    /// Once per shortest tempo, and not just before an epoch. The cycle starts anew.
    pub(super) fn set_tempo(
        &mut self,
        coldkey: Coldkey,
        netuid: Netuid,
        tempo: u16,
    ) -> Result<Vec<Event>, Refusal> {
        let block = self.block;
        let subnet = self.owned_subnet(coldkey, netuid)?;
        if !(TEMPO_MIN..=TEMPO_MAX).contains(&tempo) {
            return Err(Refusal::TempoOutOfBounds { minimum: TEMPO_MIN, maximum: TEMPO_MAX });
        }
        subnet.check_window(block)?;
        let since = subnet.tempo_set.map_or(u64::MAX, |set| block.saturating_since(set));
        if since < u64::from(TEMPO_MIN) {
            return Err(Refusal::TxRateLimitExceeded { blocks: u64::from(TEMPO_MIN) - since });
        }
        subnet.rules.tempo = tempo;
        subnet.schedule.tempo = tempo;
        subnet.schedule.last_epoch_block = block;
        subnet.tempo_set = Some(block);
        Ok(vec![Event::TempoSet { netuid, tempo }])
    }

    /// Not while commit-reveal is on: rounds of the beacon were chosen by the regular schedule.
    pub(super) fn trigger_epoch(&mut self, coldkey: Coldkey, netuid: Netuid) -> Result<Vec<Event>, Refusal> {
        let block = self.block;
        let subnet = self.owned_subnet(coldkey, netuid)?;
        if subnet.rules.commit_reveal_weights_enabled {
            return Err(Refusal::DynamicTempoBlockedByCommitReveal);
        }
        if let Some(at) = subnet.schedule.pending_epoch_at {
            return Err(Refusal::EpochTriggerAlreadyPending { at });
        }
        let window = freeze_blocks(subnet.schedule.tempo);
        let blocks = subnet.blocks_until_epoch(block);
        if blocks < window {
            return Err(Refusal::AutoEpochAlreadyImminent { blocks });
        }
        let fires_at = Block(block.0.saturating_add(window.max(1)));
        subnet.schedule.pending_epoch_at = Some(fires_at);
        Ok(vec![Event::EpochTriggered { netuid, fires_at }])
    }

    pub(super) fn set_activity_cutoff_factor(
        &mut self,
        coldkey: Coldkey,
        netuid: Netuid,
        factor_milli: u32,
    ) -> Result<Vec<Event>, Refusal> {
        let block = self.block;
        let subnet = self.owned_subnet(coldkey, netuid)?;
        if !ACTIVITY_CUTOFF_FACTOR_MILLI.contains(&factor_milli) {
            return Err(Refusal::ActivityCutoffFactorMilliOutOfBounds {
                minimum: *ACTIVITY_CUTOFF_FACTOR_MILLI.start(),
                maximum: *ACTIVITY_CUTOFF_FACTOR_MILLI.end(),
            });
        }
        subnet.check_window(block)?;
        subnet.rules.activity_cutoff_factor_milli = factor_milli;
        Ok(vec![Event::ActivityCutoffFactorSet { netuid, factor_milli }])
    }
}

impl LedgerSubnet {
    fn blocks_until_epoch(&self, block: Block) -> u64 {
        self.schedule.next_epoch_block().map_or(u64::MAX, |next| next.saturating_since(block))
    }

    /// Just before an epoch, when weights come in, the rules stay as they are.
    fn check_window(&self, block: Block) -> Result<(), Refusal> {
        let blocks = self.blocks_until_epoch(block);
        if blocks >= freeze_blocks(self.schedule.tempo) {
            return Ok(());
        }
        Err(Refusal::AdminActionProhibitedDuringWeightsWindow { blocks })
    }
}

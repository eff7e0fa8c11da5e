//! Which endpoints are asked, and which have a say in the head: not those that rest, nor those that are stuck while another moves.

use std::sync::atomic::Ordering;

use tokio::time::Instant;
use weighhouse_types::Block;

use super::endpoint::{Endpoint, NewestBlock};
use super::endpoints::{Endpoints, disagree, hash_at};
use crate::ChainError;

impl Endpoints {
    /// Those that don't rest; all where all do.
    pub(super) fn awake(&self) -> Vec<&Endpoint> {
        let now = Instant::now();
        let awake: Vec<_> = self.all.iter().filter(|endpoint| !endpoint.health.rests(now)).collect();
        if awake.is_empty() { self.all.iter().collect() } else { awake }
    }

    /// All, in the order in which one alone is asked: the one that answered last, and at the end those that are away or stuck.
    pub(super) fn in_turn(&self) -> Vec<usize> {
        let (first, now) = (self.preferred.load(Ordering::Relaxed), Instant::now());
        let mut turns: Vec<_> = (0..self.all.len()).map(|turn| (first + turn) % self.all.len()).collect();
        turns.sort_by_key(|index| {
            let health = &self.all[*index].health;
            health.rests(now) || health.is_stuck()
        });
        turns
    }

    /// Takes those away that have no say, and gives their names: their heads stand still while another's moves.
    pub(super) async fn leave_out<'a>(
        &'a self,
        told: &mut Vec<(&'a Endpoint, NewestBlock)>,
        newest: Option<Block>,
    ) -> Result<Vec<&'a str>, ChainError> {
        let now = Instant::now();
        let heads: Vec<_> = told
            .iter()
            .map(|(endpoint, said)| (said.head.number, endpoint.health.stands(said.head, now)))
            .collect();
        let moving =
            |than: Block| heads.iter().any(|(head, stood)| *head > than && *stood < self.stuck_after);
        let mut out = Vec::new();
        for ((endpoint, said), (head, stood)) in told.iter().zip(&heads) {
            let is_left_behind = *stood >= self.stuck_after && moving(*head);
            if endpoint.health.is_out(is_left_behind, *head, newest) {
                out.push((*endpoint, said.head));
            } else if endpoint.health.turn(false) {
                tracing::info!(endpoint = endpoint.url(), %head, "an endpoint of the chain moves again");
            }
        }
        // With nobody left there is nobody that moves.
        if out.len() == told.len() {
            return Ok(Vec::new());
        }
        told.retain(|(endpoint, _)| out.iter().all(|(other, _)| other.url() != endpoint.url()));
        let Some((ahead, _)) = told.iter().max_by_key(|(_, said)| said.head.number) else {
            return Ok(Vec::new());
        };
        for (endpoint, head) in &out {
            if endpoint.health.is_stuck() {
                continue;
            }
            // It may stand still for being on another chain: then nobody knows who is right.
            let hash = hash_at(ahead, head.number).await?;
            if hash != head.hash {
                return Err(disagree(*head, endpoint, hash, ahead));
            }
            endpoint.health.turn(true);
            tracing::warn!(
                endpoint = endpoint.url(), head = %head.number,
                "an endpoint of the chain answers, but its head stands still: it is left out until it has caught up"
            );
        }
        Ok(out.into_iter().map(|(endpoint, _)| endpoint.url()).collect())
    }
}

//! Rounds as a step runs them: asked of those without a verdict, journalled before and after, held while trouble of our own
//! lasts, void where it lasts too long.

use std::collections::BTreeMap;
use std::sync::PoisonError;

use futures::future::join;
use tracing::info;
use weighhouse_ask::Target;
use weighhouse_chain::certificate;
use weighhouse_types::{Hotkey, Record, SubnetState, VoidCause};

use super::validator::{ROUNDS, Validator};
use crate::closing::{tell_void, untold_void_round, void_round};
use crate::dialogue;
use crate::draw::Draw;
use crate::epoch::OpenEpoch;
use crate::error::ValidatorError;
use crate::fault::{self, Fault};
use crate::metrics;
use crate::receipts;
use crate::round::{AnsweredRound, JudgedRound, Resumed, Round};
use crate::timetable::Timetable;

/// Bytes of answers that wait to be judged; while there are more, no further round is asked.
const HELD_BYTES_MAX: usize = 256 << 20;

/// Rounds that fail in a step before it tries no more.
const FAILED_MAX: u32 = 3;

/// The block at which rounds run.
#[derive(Clone, Copy)]
pub(super) struct Moment<'a> {
    pub(super) state: &'a SubnetState,
    pub(super) table: &'a Timetable,
    /// The epoch is weighed right after.
    pub(super) is_last_chance: bool,
}

/// Trouble of our own that a step has met.
#[derive(Default)]
struct Trouble {
    last: Option<(VoidCause, String)>,
    failed: u32,
    is_away: bool,
    /// Rounds that are void by it, to be told in one line.
    void: Vec<u32>,
}

impl Trouble {
    fn note(&mut self, cause: VoidCause, error: &ValidatorError) {
        self.last = Some((cause, error.to_string()));
        self.failed += 1;
        self.is_away |= fault::is_away(error);
    }

    /// The trouble, where a further round would only meet it again, and wait for it again.
    fn everywhere(&self) -> Option<(VoidCause, &str)> {
        let (cause, why) = self.last.as_ref()?;
        (self.is_away || self.failed >= FAILED_MAX).then_some((*cause, why.as_str()))
    }
}

impl Validator {
    /// Runs the rounds that are due. Trouble of our own holds back what it befalls, a question or answers, and each block tries
    /// again; at the epoch's last chance it makes the round void, which is not asked again.
    pub(super) async fn run_rounds(&mut self, now: Moment<'_>) -> Result<(), ValidatorError> {
        let mut trouble = Trouble::default();
        for round in now.table.rounds_due(now.state.head.number.0) {
            self.run_round(round, now, &mut trouble).await?;
        }
        if let (Some(open), Some((_, why)), false) = (&self.open, &trouble.last, trouble.void.is_empty()) {
            tell_void(open.context().epoch, &trouble.void, why);
        }
        Ok(())
    }

    async fn run_round(
        &mut self,
        round: u32,
        now: Moment<'_>,
        trouble: &mut Trouble,
    ) -> Result<(), ValidatorError> {
        let is_last_chance = now.is_last_chance;
        let Some(open) = self.open.as_ref().filter(|open| !open.is_void(round)) else { return Ok(()) };
        let mut answered = self.held.remove(&round);
        let was_held = answered.is_some();
        if answered.is_none() {
            match trouble.everywhere() {
                // It would be asked for nothing: there is no time left to judge the answers.
                Some((cause, why)) if is_last_chance && !open.has_asked(round) => {
                    self.void(round, cause, why).await?;
                    trouble.void.push(round);
                    return Ok(());
                }
                _ if self.held.values().map(AnsweredRound::bytes).sum::<usize>() > HELD_BYTES_MAX => {
                    return Ok(());
                }
                _ => {}
            }
            answered = match self.ask_round(round, now).await {
                Ok(answered) => answered,
                Err(error) => {
                    if let ValidatorError::Canary { why } = &error {
                        self.tell_canary(Some(why));
                    }
                    return self.failed(round, error, is_last_chance, trouble).await;
                }
            };
        }
        let Some(mut answered) = answered else { return Ok(()) };
        let drawn = self.draw(round, &mut answered, now.state.head.number).await;
        if drawn.is_err() || matches!(answered.draw, Draw::At(_)) {
            self.held.insert(round, answered);
            return drawn;
        }
        let judged = match trouble.everywhere() {
            None => self.judge(&mut answered, is_last_chance).await,
            Some((cause, why)) if is_last_chance => {
                self.void(round, cause, why).await?;
                trouble.void.push(round);
                return Ok(());
            }
            Some(_) => {
                self.held.insert(round, answered);
                return Ok(());
            }
        };
        match judged {
            Ok(judged) => self.close_round(round, judged, &answered.targets, was_held).await,
            Err(error) => {
                if let (Fault::Ours(_) | Fault::Question(_), false) = (error.fault(), is_last_chance) {
                    self.held.insert(round, answered);
                }
                self.failed(round, error, is_last_chance, trouble).await
            }
        }
    }

    /// Sorts what a round failed with: held back, void, or an end of the step.
    async fn failed(
        &mut self,
        round: u32,
        error: ValidatorError,
        is_last_chance: bool,
        trouble: &mut Trouble,
    ) -> Result<(), ValidatorError> {
        let Some(open) = &self.open else { return Err(error) };
        let (Fault::Ours(cause) | Fault::Question(cause)) = error.fault() else { return Err(error) };
        let is_held = self.held.contains_key(&round) || self.awaiting.contains_key(&round);
        let has_asked = open.has_asked(round);
        if is_held || !(is_last_chance || has_asked) {
            self.postpone(cause, &error);
        } else if has_asked || !error.is_transient() {
            self.void(round, cause, &error.to_string()).await?;
            trouble.void.push(round);
        } else {
            // Trouble that passes, at the last chance and with nothing sent: the whole step is tried again.
            return Err(error);
        }
        trouble.note(cause, &error);
        Ok(())
    }

    async fn void(&mut self, round: u32, cause: VoidCause, why: &str) -> Result<(), ValidatorError> {
        let Some(open) = &self.open else { return Ok(()) };
        let void = untold_void_round(open.context().epoch, round, cause, why);
        self.record(vec![void]).await
    }

    async fn judge(
        &mut self,
        answered: &mut AnsweredRound,
        is_last_chance: bool,
    ) -> Result<JudgedRound, ValidatorError> {
        // A copy: the epoch's own takes in a check's outcome only once its record is durable.
        let history = self.open.as_ref().and_then(OpenEpoch::history).cloned();
        let speaks = is_last_chance && self.open.as_ref().is_some_and(OpenEpoch::has_evidence);
        answered.judge(&self.parts, history, speaks).await
    }

    /// Makes a round's verdicts durable, and that some answers have none.
    async fn close_round(
        &mut self,
        round: u32,
        judged: JudgedRound,
        targets: &BTreeMap<Hotkey, Target>,
        was_held: bool,
    ) -> Result<(), ValidatorError> {
        if std::mem::take(&mut self.in_trouble) {
            info!(state = ROUNDS, turned = "good", round, "rounds are judged again");
        }
        let Some(open) = &self.open else { return Ok(()) };
        let epoch = open.context().epoch;
        let JudgedRound { mut records, fingerprints, left_out } = judged;
        let miners = records.iter().filter(|record| matches!(record, Record::Judged(_))).count();
        records.extend(left_out.map(|why| void_round(epoch, round, VoidCause::Reference, &why)));
        let unix_us = self.parts.clock.now().0 / 1_000;
        let receipted = open.records().iter().chain(&records);
        let receipts = receipts::signed(&self.parts.keypair, open.context(), round, unix_us, receipted);
        let (receipt, told) = receipts.map(|signed| (signed.record, signed.told)).unzip();
        records.extend(receipt);
        self.record(records).await?;
        if let Some(open) = &mut self.open {
            open.note(fingerprints);
        }
        // Only what is durable is acknowledged.
        self.deliveries.send(&self.asker, targets, told.unwrap_or_default());
        metrics::round_closed(self.parts.clock.now());
        info!(%epoch, round, miners, was_held, "round closed");
        Ok(())
    }

    /// Asks everybody without a verdict; `None` where nobody is left to ask.
    async fn ask_round(
        &mut self,
        round: u32,
        now: Moment<'_>,
    ) -> Result<Option<AnsweredRound>, ValidatorError> {
        let asking = match self.awaiting.remove(&round) {
            Some(asking) => Some(asking),
            // Boxed: it is the largest part of a step, and few steps begin a round.
            None => Box::pin(self.begin_round(round, now)).await?,
        };
        let Some(mut asking) = asking else { return Ok(None) };
        let head = now.state.head.number;
        while !asking.is_asked() {
            if let Some(by) = asking.commit_by() {
                if head <= by {
                    self.awaiting.insert(round, asking);
                    return Ok(None);
                }
                // Nothing was asked yet of what follows: a chain that is away for a block costs nothing.
                if let Err(error) = asking.read_roots(&self.parts).await {
                    self.awaiting.insert(round, asking);
                    return Err(error);
                }
            }
            let records = asking.ask_stage(&self.parts, &self.asker, head).await?;
            if !records.is_empty() {
                self.record(records).await?;
            }
        }
        self.tell_clock(asking.ahead_ms);
        self.tell_canary(None);
        let mut answered = asking.answered();
        answered.draw = self.draw_of(round, now).await;
        Ok(Some(answered))
    }

    /// Draws a round, or takes it up where it was cut off, and asks its first stage; `None` where nobody is left to ask.
    async fn begin_round(&mut self, round: u32, now: Moment<'_>) -> Result<Option<Round>, ValidatorError> {
        let Some(open) = &self.open else { return Ok(None) };
        let mut done = open.done_in(round);
        let (rounds, _) = open.rounds();
        // Spot rounds are numbered behind those that ask everybody.
        if round >= rounds.unwrap_or(self.parts.rounds.per_epoch) {
            done.extend(open.spared(round, &self.parts.keypair)?);
        }
        let cut_off = {
            let mut journal = self.journal.lock().unwrap_or_else(PoisonError::into_inner);
            dialogue::cut_off(open, round, &mut journal)?
        };
        let resumed = Resumed { done, cut_off, divided: open.divided_in(round) };
        let pins = certificate::pins(&*self.parts.chain, now.state).await?;
        let current = (now.state, &pins);
        let Some(mut asking) = Round::new(&self.parts, open.context(), round, current, resumed).await? else {
            return Ok(None);
        };
        self.record(asking.records()).await?;
        if asking.commit_by().is_some() {
            return Ok(Some(asking));
        }
        let asked = asking.hotkeys();
        // Beside the first stage, so that a round takes no longer for it.
        let stage = asking.ask_stage(&self.parts, &self.asker, now.state.head.number);
        let (first, reached) = join(stage, self.reached()).await;
        let records = first?;
        if let Some(why) = self.cut_off(&asked, &asking.silent, reached) {
            return Err(ValidatorError::CutOff { why });
        }
        self.record(records).await?;
        Ok(Some(asking))
    }
}

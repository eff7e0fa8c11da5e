//! A validator of ours and 64 miners, half of which play: honest marks, the round's time, memory and descriptors stay as they are in
//! a calm run, in which the same half takes connections and says nothing, as miners do that hang.

mod body;
mod peers;
mod plays;
mod wire;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use weighhouse_seams::TcpBound;
use weighhouse_types::{Epoch, Mark, Record};
use weighhouse_validator::config::Rounds;
use weighhouse_validator::{Canary, Validator};

use self::peers::Peers;
use super::super::Tally;
use crate::median::median;
use crate::round::resident;
use crate::round::subnet::Subnet;
use crate::say;

pub(crate) use peers::{Mode, serve};

/// Miners in all; the first half is honest.
const MINERS: u16 = 64;
const HONEST: u16 = MINERS / 2;
/// Blocks from an epoch's last round to the next epoch, and some in which the weights are confirmed.
const BLOCKS_BESIDES: u16 = 8;
/// How much longer than in the calm run a round may take.
const TIME_GOAL: f64 = 1.1;
/// How much more memory: an answer of the largest size for each that plays, and as much again for everything else.
const MEMORY_ADDED_MAX: f64 = 64.0 * 1_048_576.0;
/// Descriptors that may be left when the farewells are over.
const DESCRIPTORS_LEFT_MAX: usize = 4;
const FAREWELLS: Duration = Duration::from_secs(12);
const REST: Duration = Duration::from_millis(250);

/// What one run came to.
struct Measured {
    /// Seconds of each round.
    rounds: Vec<f64>,
    /// The marks of each honest miner, in the order of its rounds.
    honest: BTreeMap<u16, Vec<Mark>>,
    /// The marks above zero of those that play.
    paid: usize,
    void: usize,
    published: Option<Epoch>,
    most: f64,
    descriptors_left: usize,
    journal: u64,
}

pub(crate) fn run(rounds: u32, deadline: Duration) -> anyhow::Result<()> {
    let mut tally = Tally::new("hostile-validator");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let calm = runtime.block_on(measure(Mode::Calm, rounds, deadline))?;
    let played = runtime.block_on(measure(Mode::Played, rounds, deadline));
    tally.check("the validator goes on", || {
        played.as_ref().map(drop).map_err(|error| anyhow::anyhow!("{error:#}"))
    });
    let Ok(played) = played else { return tally.finish() };
    let ratio = median(played.rounds.clone()) / median(calm.rounds.clone());
    let added = played.most - calm.most;
    tally.check("honest marks are those of the calm run", || {
        ensure!(
            played.honest.len() == usize::from(HONEST),
            "{} honest miners were judged",
            played.honest.len()
        );
        ensure!(played.honest == calm.honest, "{:?} against {:?}", played.honest, calm.honest);
        ensure!(played.honest.values().flatten().all(|mark| *mark == Mark::MAX), "{:?}", played.honest);
        Ok(())
    });
    tally.check("no round is void, and the epoch is published", || {
        ensure!(
            played.void == 0 && calm.void == 0,
            "{} void rounds, {} in the calm run",
            played.void,
            calm.void
        );
        ensure!(played.published.is_some() && played.published == calm.published, "{:?}", played.published);
        Ok(())
    });
    tally.check("nobody is paid for playing", || {
        ensure!(played.paid == 0, "{} marks above zero", played.paid);
        Ok(())
    });
    tally.check("a round takes no longer", || {
        ensure!(ratio <= TIME_GOAL, "{ratio:.3} of the calm run's: {:?}, {:?}", played.rounds, calm.rounds);
        Ok(())
    });
    tally.check("memory is bounded", || {
        ensure!(added <= MEMORY_ADDED_MAX, "{added} bytes more than in the calm run");
        Ok(())
    });
    tally.check("connections end with their round", || {
        let left = played.descriptors_left;
        ensure!(left <= DESCRIPTORS_LEFT_MAX, "{left} descriptors are left");
        Ok(())
    });
    let figures = [
        ("ratio", ratio.into()),
        ("goal", format!("at most {TIME_GOAL}").into()),
        ("met", (ratio <= TIME_GOAL).into()),
        ("calm_seconds", median(calm.rounds).into()),
        ("hostile_seconds", median(played.rounds).into()),
        ("memory_added_bytes", added.into()),
        ("memory_bytes", played.most.into()),
        ("descriptors_left", played.descriptors_left.into()),
        ("journal_bytes", played.journal.into()),
        ("calm_journal_bytes", calm.journal.into()),
        ("unit", "seconds of a round with half of 64 miners hostile, against the same half silent".into()),
    ];
    tally.finish_with(&figures.map(|(name, figure)| (name.to_owned(), figure)))
}

async fn measure(mode: Mode, rounds: u32, deadline: Duration) -> anyhow::Result<Measured> {
    let mut peers = Peers::start(mode)?;
    let dir = tempfile::tempdir()?;
    let tempo = u16::try_from(2 * rounds)? + BLOCKS_BESIDES;
    let subnet = Subnet::new(peers.places(), tempo).await?;
    let asking = Rounds { per_epoch: rounds, deadline, ..Rounds::default() };
    let mut parts = subnet.parts(dir.path(), asking)?;
    let listener = TcpBound::bind(([127, 0, 0, 1], 0).into()).await?;
    let (canary, server) = Canary::new(Box::new(listener), &mut parts.entropy)?;
    parts.canary = Some(canary);
    let (mut serving, stop) = (JoinSet::new(), CancellationToken::new());
    serving.spawn(server.run(parts.clock.clone(), stop.clone()));
    let mut validator = Validator::open(parts).await?;
    let (mut seconds, mut most, before) = (Vec::new(), resident()?, descriptors()?);
    for _ in 0..tempo + BLOCKS_BESIDES {
        let begun = Instant::now();
        validator.step().await?;
        let took = begun.elapsed().as_secs_f64();
        most = most.max(resident()?);
        // The first step may have several rounds to catch up with, and the last is another epoch's.
        if peers.asked()? == usize::from(HONEST) && seconds.len() < rounds as usize {
            seconds.push(took);
            say(&format!("        {}: a round in {took:.2} s, {:.0} MiB", mode.name(), most / 1_048_576.0));
        }
        subnet.next_block().await?;
        if validator.progress().borrow().published.is_some() {
            break;
        }
    }
    let (over, mut descriptors_left) = (Instant::now(), usize::MAX);
    // Receipts are on their way for a while after the last round.
    while descriptors_left > DESCRIPTORS_LEFT_MAX && over.elapsed() < FAREWELLS {
        tokio::time::sleep(REST).await;
        descriptors_left = descriptors()?.saturating_sub(before);
    }
    stop.cancel();
    while serving.join_next().await.is_some() {}
    let published = validator.progress().borrow().published;
    drop(validator);
    let verdicts = verdicts(dir.path())?;
    Ok(Measured { rounds: seconds, published, most, descriptors_left, ..verdicts })
}

/// What the journal says of the first epoch.
fn verdicts(dir: &Path) -> anyhow::Result<Measured> {
    let (mut honest, mut paid, mut void) = (BTreeMap::<u16, Vec<Mark>>::new(), 0, 0);
    let mut reasons = BTreeMap::<String, usize>::new();
    let (_, file) = weighhouse_journal::segments(dir)?.into_iter().next().context("a journal")?;
    let journal = std::fs::metadata(&file)?.len();
    for record in weighhouse_journal::read_segment(&file)? {
        match record {
            // The validator is the first uid.
            Record::Judged(verdict) if verdict.uid.0 <= HONEST => {
                honest.entry(verdict.uid.0).or_default().push(verdict.judgement.mark);
            }
            Record::Judged(verdict) => {
                paid += usize::from(verdict.judgement.mark > Mark::ZERO);
                let reason = verdict.judgement.reasons.first().map(ToString::to_string);
                *reasons.entry(reason.unwrap_or_default()).or_default() += 1;
            }
            Record::VoidRound(_) => void += 1,
            _ => {}
        }
    }
    for (reason, count) in reasons {
        say(&format!("        {count} times: {}", reason.chars().take(100).collect::<String>()));
    }
    let (rounds, published, most, descriptors_left) = (Vec::new(), None, 0.0, 0);
    Ok(Measured { rounds, honest, paid, void, published, most, descriptors_left, journal })
}

fn descriptors() -> anyhow::Result<usize> {
    Ok(std::fs::read_dir("/proc/self/fd")?.count())
}

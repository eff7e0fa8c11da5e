//! `weighhouse validator status`: how far the running validator is, and what the chain says of it, once or with each block.

use std::fmt::{self, Write as _};
use std::time::Duration;

use clap::Args;
use serde::Serialize;
use tokio_util::sync::CancellationToken;
use weighhouse_chain::SharedChain;
use weighhouse_seams::{Clock as _, ClockExt as _, SystemClock};
use weighhouse_types::{Block, Hotkey};
use weighhouse_validator::config::{ByteSize, Config};

use super::{ConfigFile, place, read_config};
use crate::commands::connect;
use crate::commands::keys::daemon_hotkey;
use crate::commands::samples::Samples;
use crate::commands::standing::HotkeyStatus;
use crate::failure::{Exit, Failure};
use crate::output::{self, Screen};

/// The journal's folder, as the running validator measured it.
#[derive(Debug, Serialize)]
struct Disk {
    epochs: u64,
    bytes: u64,
    /// Of the newest epoch that is over.
    epoch_bytes: Option<u64>,
    free_bytes: Option<u64>,
    /// True while less is free than `journal.free_space_min`.
    is_short: bool,
}

impl Disk {
    fn of(samples: &Samples) -> Option<Self> {
        let bytes = |name: &str| samples.total(name).map(|bytes| bytes as u64);
        Some(Self {
            epochs: bytes("weighhouse_validator_journal_epochs")?,
            bytes: bytes("weighhouse_validator_journal_bytes")?,
            epoch_bytes: bytes("weighhouse_validator_journal_epoch_bytes"),
            free_bytes: bytes("weighhouse_disk_free_bytes"),
            is_short: samples.total("weighhouse_validator_disk_short") == Some(1.0),
        })
    }
}

impl fmt::Display for Disk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} epochs take {}", self.epochs, ByteSize(self.bytes))?;
        if let Some(newest) = self.epoch_bytes {
            write!(f, ", the newest whole one {}", ByteSize(newest))?;
        }
        if let Some(free) = self.free_bytes {
            write!(f, "; {} are free", ByteSize(free))?;
        }
        // A full disk ends the validator.
        if let (Some(free), Some(newest @ 1..)) = (self.free_bytes, self.epoch_bytes) {
            write!(f, ", room for {} epochs more", free / newest)?;
        }
        f.write_str(if self.is_short { ": less than journal.free_space_min" } else { "" })
    }
}

/// The log of the journal, as of the newest epoch that is over.
#[derive(Debug, Serialize)]
struct Log {
    /// Validators that have signed its checkpoint.
    witnesses: u64,
    /// Those whose signatures an audit demands.
    wanted: u64,
    /// The newest epoch whose checkpoint is on the chain.
    anchored_epoch: Option<u64>,
    /// Validators' logs that were found to show two records.
    forks: u64,
}

impl Log {
    fn of(samples: &Samples) -> Option<Self> {
        let count = |name: &str| samples.total(name).map(|count| count as u64);
        Some(Self {
            witnesses: count("weighhouse_validator_witnesses")?,
            wanted: count("weighhouse_validator_witnesses_wanted")?,
            anchored_epoch: count("weighhouse_validator_anchored_epoch"),
            forks: count("weighhouse_validator_forks_total").unwrap_or_default(),
        })
    }
}

impl fmt::Display for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { witnesses, wanted, .. } = self;
        write!(
            f,
            "{witnesses} signatures of others on the newest checkpoint, and an audit demands {wanted}"
        )?;
        if let Some(epoch) = self.anchored_epoch {
            write!(f, "; epoch {epoch}'s is on the chain")?;
        }
        match self.forks {
            0 => Ok(()),
            forks => write!(f, "; forks that were found: {forks} (fork-*.json in journal.dir)"),
        }
    }
}

/// Epochs without weights that are more than a beginning.
const ABSTAINED_MIN: u64 = 2;
/// Blocks that a validator which makes progress may be behind the chain.
const LAG_BLOCKS_MAX: u64 = 10;
/// A validator is looked at again by then, block or no block: it may have stopped.
const LOOK_MAX: Duration = Duration::from_secs(15);
/// Between two looks, however fast the blocks come.
const LOOK_MIN: Duration = Duration::from_millis(500);

#[derive(Args, Debug)]
pub(super) struct Status {
    #[command(flatten)]
    file: ConfigFile,
    /// Look again with each block, until Ctrl-C; the exit code is the last look's
    #[arg(long)]
    watch: bool,
}

pub(super) async fn run(args: &Status, shutdown: CancellationToken) -> Result<(), Failure> {
    let config = read_config(&args.file.config)?;
    let (hotkey, json) = (daemon_hotkey(&config.wallet)?.hotkey(), args.file.json);
    if args.watch {
        let chain = connect(&config.chain.address, config.chain.genesis).await?;
        return watch((&config, hotkey), &chain, json, shutdown).await;
    }
    // Before the chain: a validator that isn't there is the nearer trouble.
    let samples = Samples::ask("validator", config.metrics.listen).await?;
    let chain = connect(&config.chain.address, config.chain.genesis).await?;
    let look = Look::new(&samples, place(&config, hotkey).ask(&*chain).await?);
    if json {
        output::json(&look.json())?;
    } else {
        output::line(look.text().trim_end())?;
    }
    look.verdict()
}

/// Looks until `shutdown`. A look that fails is shown, and the next one may not.
async fn watch(
    (config, hotkey): (&Config, Hotkey),
    chain: &SharedChain,
    json: bool,
    shutdown: CancellationToken,
) -> Result<(), Failure> {
    let (mut screen, clock, mut last) = (Screen::new(), SystemClock::new(), Ok(()));
    loop {
        let look = async {
            let samples = Samples::ask("validator", config.metrics.listen).await?;
            Ok::<_, Failure>(Look::new(&samples, place(config, hotkey).ask(&**chain).await?))
        };
        let look = tokio::select! {
            look = look => look,
            () = shutdown.cancelled() => return last,
        };
        let verdict = look.as_ref().map_or_else(|error| Err(error.again()), Look::verdict);
        match (&look, &verdict, json) {
            (Ok(look), _, true) => output::json(&look.json())?,
            (Err(error), _, true) => {
                output::json(&serde_json::json!({"works": false, "error": error.to_string()}))?
            }
            (Ok(look), Ok(()), false) => screen.show(&(look.text() + "it works; Ctrl-C ends this\n"))?,
            (Ok(look), Err(why), false) => {
                screen.show(&format!("{}NOT as it should be: {why}\n", look.text()))?
            }
            (Err(error), _, false) => screen.show(&format!("NOT as it should be: {error}\n"))?,
        }
        let seen = look.map_or(Block(0), |look| look.standing.head);
        let next = async {
            clock.sleep(LOOK_MIN).await;
            // Trouble with the chain is told by the next look.
            if seen == Block(0)
                || !matches!(clock.timeout(LOOK_MAX, chain.next_block(seen)).await, Err(_) | Ok(Ok(_)))
            {
                clock.sleep(LOOK_MIN * 4).await;
            }
        };
        tokio::select! {
            () = next => last = verdict,
            () = shutdown.cancelled() => return verdict,
        }
    }
}

/// The validator's own figures beside the chain's.
struct Look {
    standing: HotkeyStatus,
    block: u64,
    epoch: u64,
    published: Option<u64>,
    passed: Option<u64>,
    /// That epoch's weights are missing, as no newer one's are on the chain yet.
    has_passed: Option<u64>,
    verdicts: u64,
    errors: u64,
    held: u64,
    void: u64,
    disk: Option<Disk>,
    log: Option<Log>,
    /// What is wrong with the chain, as the validator sees it.
    chain_trouble: Option<String>,
    /// The block in which another process published with the hotkey.
    foreign_block: Option<u64>,
    /// Epochs since weights were last published: those that gave none, and those whose weights didn't get through.
    abstained: u64,
    failed: u64,
}

impl Look {
    fn new(samples: &Samples, standing: HotkeyStatus) -> Self {
        let count = |name: &str| samples.total(name).unwrap_or(0.0) as u64;
        let epoch = |name: &str| samples.total(name).map(|epoch| epoch as u64);
        let published = epoch("weighhouse_validator_published_epoch");
        let passed = epoch("weighhouse_validator_passed_epoch");
        Self {
            standing,
            block: count("weighhouse_validator_block"),
            epoch: count("weighhouse_validator_epoch"),
            has_passed: passed.filter(|passed| published.is_none_or(|published| published < *passed)),
            published,
            passed,
            verdicts: count("weighhouse_validator_verdicts_total"),
            errors: count("weighhouse_validator_chain_errors_total"),
            held: count("weighhouse_validator_rounds_postponed_total"),
            void: count("weighhouse_validator_rounds_void_total"),
            disk: Disk::of(samples),
            log: Log::of(samples),
            chain_trouble: chain_trouble(samples),
            foreign_block: epoch("weighhouse_validator_foreign_update_block").filter(|block| *block > 0),
            abstained: count("weighhouse_validator_epochs_abstained"),
            failed: count("weighhouse_validator_epochs_failed"),
        }
    }

    fn json(&self) -> serde_json::Value {
        serde_json::json!({
            "works": self.verdict().is_ok(), "passed_epoch": self.passed, "block": self.block, "epoch": self.epoch,
            "published_epoch": self.published, "verdicts": self.verdicts, "chain_errors": self.errors,
            "attempts_postponed": self.held, "rounds_void": self.void, "disk": self.disk, "chain": self.standing,
            "chain_trouble": self.chain_trouble, "foreign_update_block": self.foreign_block,
            "log": self.log, "epochs_abstained": self.abstained, "epochs_failed": self.failed,
        })
    }

    fn text(&self) -> String {
        let Self { standing, block, epoch, verdicts, errors, held, void, .. } = self;
        let published = self.published.map_or("none yet".to_owned(), |epoch| format!("epoch {epoch}"));
        let mut text = format!("progress   block {block} of {}; epoch {epoch} is open\n", standing.head);
        // Writing into a text doesn't fail.
        let _ =
            writeln!(text, "judged     {verdicts} answers since it started; {errors} steps the chain failed");
        if held + void > 0 {
            let _ = writeln!(
                text,
                "trouble    {held} attempts waited for trouble of its own, {void} rounds are void; its log says why"
            );
        }
        let _ = writeln!(text, "published  {published}; last update at block {}", standing.last_update);
        if let Some(disk) = &self.disk {
            let _ = writeln!(text, "disk       {disk}");
        }
        if let Some(log) = &self.log {
            let _ = writeln!(text, "witnesses  {log}");
        }
        let _ = writeln!(text, "chain      uid {}, stake {} TAO", standing.uid, standing.stake_tao);
        text
    }

    fn verdict(&self) -> Result<(), Failure> {
        let in_step = self.block.saturating_add(LAG_BLOCKS_MAX) >= self.standing.head.0;
        let why = match (in_step, self.has_passed) {
            _ if self.chain_trouble.is_some() => {
                let trouble = self.chain_trouble.as_deref().unwrap_or_default();
                format!("{trouble}; its log says more, and what to do")
            }
            _ if self.foreign_block.is_some() => format!(
                "another process published with this hotkey in block {}, and by the chain's rate limit each misses epochs: run one of \
                 them alone",
                self.foreign_block.unwrap_or_default()
            ),
            (false, _) => "the validator is behind the chain; its log says why".to_owned(),
            (true, _) if !self.standing.validator_permit => {
                "no validator permit: nothing is asked or published until an epoch grants one, which more stake does"
                    .to_owned()
            }
            (true, Some(passed)) => format!("epoch {passed} ended before it was weighed; its log says why"),
            (true, None) if self.failed > 0 => format!(
                "{} epochs since the last publication had weights that didn't get onto the chain; its log says why",
                self.failed
            ),
            // One alone may be the first, in which few were judged.
            (true, None) if self.abstained >= ABSTAINED_MIN => {
                format!("{} epochs in a row gave no weights; its log says why", self.abstained)
            }
            (true, None) => return Ok(()),
        };
        Err(Failure::new(Exit::Unavailable, why))
    }
}

/// The validator's words for trouble with the chain, in ours.
fn chain_trouble(samples: &Samples) -> Option<String> {
    let causes = samples.sums("weighhouse_validator_chain_trouble", "cause");
    let cause = causes.into_iter().find(|(_, is_there)| *is_there > 0)?.0;
    Some(match cause {
        "silent" => "no block comes from the chain".to_owned(),
        "behind" => "the chain is behind a block that was acted on: it was put back".to_owned(),
        "pruned" => "this epoch can't be opened: no endpoint keeps the block that began it".to_owned(),
        "finality" => "final blocks of the chain change".to_owned(),
        other => format!("trouble with the chain ({other})"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_journal_takes_is_told_with_the_room_that_is_left() {
        let page = "weighhouse_validator_journal_epochs 12\nweighhouse_validator_journal_bytes 36000000\n\
                    weighhouse_validator_journal_epoch_bytes 3000000\nweighhouse_disk_free_bytes 90000000\n\
                    weighhouse_validator_disk_short 1\n";
        let disk = Disk::of(&Samples::parse(page)).expect("measured");
        assert_eq!(
            disk.to_string(),
            "12 epochs take 36.0 MB, the newest whole one 3.0 MB; 90.0 MB are free, room for 30 epochs more: less than \
             journal.free_space_min"
        );
        assert!(Disk::of(&Samples::parse("")).is_none());
    }

    #[test]
    fn trouble_with_the_chain_is_read_by_its_cause() {
        let page = "weighhouse_validator_chain_trouble{cause=\"silent\"} 0\n\
                    weighhouse_validator_chain_trouble{cause=\"behind\"} 1\n";
        let trouble = chain_trouble(&Samples::parse(page)).expect("there is some");
        assert!(trouble.contains("put back"), "{trouble}");
        assert_eq!(chain_trouble(&Samples::parse(&page.replace("} 1", "} 0"))), None);
    }
}

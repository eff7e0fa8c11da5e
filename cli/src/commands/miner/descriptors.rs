//! File descriptors: raised to what the configuration needs, or refused before anything is served.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use weighhouse_miner::config::MinerLimits;

use crate::failure::{Exit, Failure};

/// Kept for files, the chain, the admin port and the listeners.
const KEPT: u64 = 128;
/// As many as any miner has use for.
const WANTED_MAX: u64 = 1 << 20;

/// Connections of callers, and one to a backend for each request that is worked on, for each hotkey that is served as.
fn needed(limits: &MinerLimits, hotkeys: usize) -> u64 {
    let each = (limits.connections_max as u64).saturating_add(limits.in_flight_max as u64);
    each.saturating_mul(hotkeys as u64).saturating_add(KEPT)
}

/// Raises the soft limit as far as it goes, and gives it.
pub(crate) fn raise(limits: &MinerLimits, hotkeys: usize) -> Result<u64, Failure> {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let most = maximum.unwrap_or(WANTED_MAX).min(WANTED_MAX);
    let mut held = current.unwrap_or(WANTED_MAX);
    if held < most && setrlimit(Resource::Nofile, Rlimit { current: Some(most), maximum }).is_ok() {
        held = most;
    }
    let needed = needed(limits, hotkeys);
    if held >= needed {
        return Ok(held);
    }
    let hotkeys = hotkeys as u64;
    let others = needed.saturating_sub(hotkeys.saturating_mul(limits.connections_max as u64));
    let fix = match held.saturating_sub(others) / hotkeys {
        0 => "lower both".to_owned(),
        most => format!("lower limits.connections_max to {most}"),
    };
    Err(Failure::new(
        Exit::Config,
        format!(
            "limits.connections_max = {} and limits.in_flight_max = {} need {needed} file descriptors, and this process may open \
             {held}: {fix}, or raise the limit (`LimitNOFILE=` in a systemd unit, `ulimit -n` in a shell)",
            limits.connections_max, limits.in_flight_max
        ),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_process_may_open_is_refused_with_what_may_be() {
        assert!(raise(&MinerLimits::default(), 1).expect("enough") >= 1024 + 256 + KEPT);
        let limits = MinerLimits { connections_max: usize::MAX / 2, ..MinerLimits::default() };
        let refused = raise(&limits, 1).expect_err("too many").to_string();
        assert!(refused.contains("limits.connections_max") && refused.contains("LimitNOFILE"), "{refused}");
    }
}

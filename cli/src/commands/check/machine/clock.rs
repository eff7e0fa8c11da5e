//! Whether the clock is kept right: signed requests outside a window of seconds are refused.

use std::io::Read as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::commands::checks::Checks;
use crate::failure::Failure;

/// What systemd-timesyncd leaves there once it has set the clock.
const SYNCHRONISED: &str = "/run/systemd/timesync/synchronized";
const PATIENCE: Duration = Duration::from_secs(3);
const LOOK_INTERVAL: Duration = Duration::from_millis(20);

pub(in crate::commands) async fn check(checks: &mut Checks) -> Result<(), Failure> {
    let told = if Path::new(SYNCHRONISED).exists() { Some(true) } else { asked().await };
    match told {
        Some(true) => checks.note("clock", Ok(((), "synchronised".to_owned()))).map(drop),
        Some(false) => checks.warn(
            "clock",
            "not synchronised, and signed requests are refused where it is seconds off: enable systemd-timesyncd or chrony"
                .to_owned(),
        ),
        None => checks.unsure(
            "clock",
            "nobody here tells whether it is synchronised; in a container the host's is the one that counts".to_owned(),
        ),
    }
}

/// The kernel's word, by way of systemd, where both are there.
async fn asked() -> Option<bool> {
    let mut command = Command::new("timedatectl");
    command.args(["show", "--property=NTPSynchronized", "--value"]);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().ok()?;
    let begun = Instant::now();
    while child.try_wait().ok()?.is_none() {
        if begun.elapsed() > PATIENCE {
            // Its end is no matter of ours.
            let _ = child.kill().and_then(|()| child.wait().map(drop));
            return None;
        }
        tokio::time::sleep(LOOK_INTERVAL).await;
    }
    let mut said = String::new();
    child.stdout.take()?.read_to_string(&mut said).ok()?;
    match said.trim() {
        "yes" => Some(true),
        "no" => Some(false),
        _ => None,
    }
}

//! A role's page of metrics, as Prometheus' own tool judges it.

use std::io::Write as _;
use std::process::{Command, Stdio};

use anyhow::{Context, ensure};

use super::Tally;

/// Series of a miner that was asked everything there is: statuses by method are most of them.
const SERIES_MAX: usize = 500;

pub(super) fn check(tally: &mut Tally, page: &str) {
    tally.check("labels stay few, whoever asks", || {
        let series = page.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).count();
        ensure!((30..=SERIES_MAX).contains(&series), "{series} series");
        Ok(())
    });
    let lint = "promtool finds nothing in the metrics";
    if Command::new("promtool").arg("--version").output().is_err() {
        return tally.skip(lint, "there is no promtool (Debian's package is prometheus)");
    }
    tally.check(lint, || {
        let mut child = Command::new("promtool")
            .args(["check", "metrics"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        child.stdin.take().context("stdin is piped")?.write_all(page.as_bytes())?;
        let output = child.wait_with_output()?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        ensure!(output.status.success() && said.trim().is_empty(), "{said}");
        Ok(())
    });
}

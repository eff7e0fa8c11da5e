//! A localnet's console in a real browser: headless Chromium follows the page from the first view down to an answer.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, bail, ensure};
use serde_json::Value;

use super::report::{BROWSER, install};
use super::{Running, Tally, npm, weighhouse};

const PLAYWRIGHT: &str = "playwright-core@1.64.1";
const DRIVER: &str = include_str!("console.js");

pub(crate) fn run() -> anyhow::Result<()> {
    let mut tally = Tally::new("console");
    let tools = install().and_then(|()| npm::install("console", PLAYWRIGHT));
    let tools = match tools {
        Ok(tools) => tools,
        Err(error) => {
            tally.skip("the page in a browser", &format!("{error:#}"));
            return tally.finish();
        }
    };
    let binary = weighhouse()?;
    let scratch = tempfile::tempdir()?;
    let (mut localnet, url) = start(&binary, &scratch.path().join("net"))?;
    // Beside its packages, where node looks for them.
    let driver = tools.join("drive.js");
    std::fs::write(&driver, DRIVER)?;
    let picture = tools.join("answer.png");
    let driven =
        Command::new("node").arg(&driver).args([url.as_str(), &browser_path()?]).arg(&picture).output()?;
    let said = String::from_utf8_lossy(&driven.stdout).into_owned();
    for line in said.lines() {
        let checked: Value = serde_json::from_str(line).with_context(|| line.to_owned())?;
        tally.check(checked["check"].as_str().context("no name")?, || match checked["why"].as_str() {
            None => Ok(()),
            Some(why) => bail!("{why}"),
        });
    }
    tally.check("the browser was driven to the end", || {
        ensure!(driven.status.success(), "{}", String::from_utf8_lossy(&driven.stderr));
        ensure!(said.lines().count() >= 8, "{said}");
        Ok(())
    });
    tally.check("Ctrl-C ends the console", || {
        let interrupted = Command::new("kill").args(["-INT", &localnet.0.id().to_string()]).status()?;
        ensure!(interrupted.success(), "no kill");
        let status = localnet.0.wait()?;
        ensure!(status.success(), "{status}");
        Ok(())
    });
    tally.finish()
}

/// A localnet with its console, and the page's address.
fn start(binary: &Path, dir: &Path) -> anyhow::Result<(Running, String)> {
    let mut command = Command::new(binary);
    command
        .args(["localnet", "--console", "--no-open", "--epochs", "3", "--seed", "1", "--json", "--dir"])
        .arg(dir);
    let mut child: Child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
    let mut lines = BufReader::new(child.stdout.take().context("stdout is piped")?).lines();
    let running = Running(child);
    let first: Value = serde_json::from_str(&lines.next().context("it said nothing")??)?;
    // The rest is read too, or the localnet would wait for room in the pipe.
    std::thread::spawn(move || lines.for_each(drop));
    Ok((running, first["console"].as_str().context("no address")?.to_owned()))
}

fn browser_path() -> anyhow::Result<String> {
    let found = Command::new("sh").args(["-c", &format!("command -v {BROWSER}")]).output()?;
    ensure!(found.status.success(), "no {BROWSER}");
    Ok(String::from_utf8(found.stdout)?.trim().to_owned())
}

//! The report page in a real browser: headless Chromium opens what `weighhouse policy attack --report` wrote, and the page
//! is as it should be, reaches nothing outside, and fits a telephone.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};
use serde_json::Value;

use super::{Tally, weighhouse};
use crate::say;

pub(super) const BROWSER: &str = "chromium";
/// Widths of a desktop and a telephone, in CSS pixels.
const WIDTHS: [u32; 2] = [1280, 400];
/// Reports its own figures in the page's title, which the policy of the page itself would not let a script do.
const PROBE: &str = "<script>addEventListener('load', () => { document.title = JSON.stringify({ \
    scroll: document.documentElement.scrollWidth, client: document.documentElement.clientWidth, \
    height: document.documentElement.scrollHeight, loaded: performance.getEntriesByType('resource').length }); });</script>";

pub(crate) fn run() -> anyhow::Result<()> {
    let mut tally = Tally::new("report");
    install()?;
    let binary = weighhouse()?;
    let scratch = tempfile::tempdir()?;
    let page = scratch.path().join("report.html");
    let mut matrix = Value::Null;
    tally.check("policy attack writes a report", || {
        matrix = attack(&binary, &page)?;
        Ok(())
    });
    if matrix.is_null() {
        return tally.finish();
    }
    let text = std::fs::read_to_string(&page)?;
    tally.check("the page names nothing outside itself", || {
        let outside = ["src=\"http", "href=\"http", "src=\"//", "href=\"//", "url(http", "@import"];
        let found: Vec<_> = outside.iter().filter(|outside| text.contains(**outside)).collect();
        ensure!(found.is_empty(), "{found:?}");
        ensure!(text.contains("default-src 'none'"), "no content security policy");
        Ok(())
    });
    tally.check("the browser shows every attack and no script of a stranger", || {
        let dom = browser(scratch.path(), &page, WIDTHS[0], &["--dump-dom"])?;
        for row in matrix["matrix"].as_array().context("no matrix")? {
            let attack = row["attack"].as_str().context("no attack")?;
            ensure!(dom.contains(attack), "{attack} is missing");
        }
        ensure!(dom.contains("<table"), "no table");
        ensure!(!dom.contains("<script>alert"), "a policy's name became a script");
        Ok(())
    });
    tally.check("the browser shows a simulation's curves", || {
        let page = scratch.path().join("simulation.html");
        simulate(&binary, &page)?;
        let dom = browser(scratch.path(), &page, WIDTHS[0], &["--dump-dom"])?;
        ensure!(dom.contains("<svg") && dom.contains("sleeper"), "no curves");
        Ok(())
    });
    for width in WIDTHS {
        tally.check(&format!("it fits {width} pixels and loads nothing"), || {
            let seen = measured(scratch.path(), &text, width)?;
            ensure!(seen["scroll"].as_u64() <= seen["client"].as_u64(), "it overflows: {seen}");
            ensure!(seen["loaded"] == 0, "it loads something: {seen}");
            ensure!(seen["height"].as_u64() > Some(600), "it is empty: {seen}");
            Ok(())
        });
    }
    tally.check("a picture of it is not blank", || {
        let picture = scratch.path().join("report.png");
        browser(scratch.path(), &page, WIDTHS[0], &[&format!("--screenshot={}", picture.display())])?;
        let bytes = std::fs::metadata(&picture)?.len();
        ensure!(bytes > 20_000, "{bytes} bytes");
        Ok(())
    });
    tally.finish()
}

/// A small matrix under two policies, one of them with a name that would like to be a script.
fn attack(binary: &Path, page: &Path) -> anyhow::Result<Value> {
    let folder = page.parent().context("a folder")?;
    let hostile = folder.join("<script>alert(1)<_script>.toml");
    std::fs::write(&hostile, "version = 2\n[shape]\nfloor = 0.1\n")?;
    let output = Command::new(binary)
        .args(["policy", "attack", "--json", "--seeds", "2", "--epochs", "30", "--fractions", "0,0.4"])
        .args(["--policy", "default", "--policy"])
        .arg(&hostile)
        .arg("--report")
        .arg(page)
        .output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout)?;
    Ok(serde_json::from_str(text.lines().last().context("no output")?)?)
}

fn simulate(binary: &Path, page: &Path) -> anyhow::Result<()> {
    let output = Command::new(binary)
        .args(["policy", "simulate", "--attack", "sleeper", "--fraction", "0.3", "--seeds", "2"])
        .args(["--epochs", "30", "--report"])
        .arg(page)
        .output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

/// The findings of a probe within a copy of the page.
fn measured(folder: &Path, text: &str, width: u32) -> anyhow::Result<Value> {
    let copy = folder.join("probe.html");
    let open = text.replacen("default-src 'none'", "default-src 'none'; script-src 'unsafe-inline'", 1);
    std::fs::write(&copy, open.replacen("</head>", &format!("{PROBE}</head>"), 1))?;
    let dom = browser(folder, &copy, width, &["--dump-dom"])?;
    let title =
        dom.split_once("<title>").and_then(|(_, rest)| rest.split_once("</title>")).context("no title")?;
    Ok(serde_json::from_str(&title.0.replace("&quot;", "\""))?)
}

fn browser(folder: &Path, page: &Path, width: u32, args: &[&str]) -> anyhow::Result<String> {
    let profile: PathBuf = tempfile::tempdir_in(folder)?.keep();
    let output = Command::new(BROWSER)
        // Chromium refuses to start its sandbox as root, which it is run as in containers.
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"])
        .args(["--disable-background-networking", "--disable-component-update", "--disable-sync"])
        .args(["--hide-scrollbars", "--timeout=20000"])
        .arg(format!("--window-size={width},2400"))
        .arg(format!("--user-data-dir={}", profile.display()))
        .args(args)
        .arg(format!("file://{}", page.display()))
        .output()
        .context("running chromium")?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Debian's browser, where it isn't there yet.
pub(super) fn install() -> anyhow::Result<()> {
    if Command::new(BROWSER).arg("--version").output().is_ok() {
        return Ok(());
    }
    say("installing chromium");
    for args in [&["update"][..], &["install", "-y", "--no-install-recommends", BROWSER]] {
        let status = Command::new("apt-get").args(args).stdout(std::io::stderr()).status()?;
        ensure!(status.success(), "apt-get {args:?} failed");
    }
    Ok(())
}

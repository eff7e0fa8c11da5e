use std::path::Path;

use clap::Parser;
use tokio_util::sync::CancellationToken;

use crate::commands::label::{Label, run};
use crate::commands::write_file;
use crate::failure::{Exit, Failure};

#[derive(Parser)]
struct Line {
    #[command(subcommand)]
    command: Label,
}

async fn said(dir: &Path, words: &str) -> Result<(), Failure> {
    let place = |word: &str| match word.strip_prefix('@') {
        Some(name) => dir.join(name).display().to_string(),
        None => word.to_owned(),
    };
    let words = std::iter::once("label".to_owned()).chain(words.split(' ').map(place));
    run(Line::try_parse_from(words).expect("a command").command, CancellationToken::new()).await
}

#[tokio::test]
async fn a_job_is_made_labelled_built_and_verified_by_its_commands() {
    let dir = tempfile::tempdir().expect("a folder");
    let dir = dir.path();
    let put = |name: &str, text: &str| write_file(&dir.join(name), text.as_bytes()).expect("written");
    put("items.csv", "id,text\nr1,good\nr2,bad\n");
    put("labels.csv", "task,worker,label\nr1,ann,yes\nr2,ann,no\nr1,ben,yes\n");
    said(dir, "plan --items 100 --accuracy 0.9 --classes 2").await.expect("planned");
    said(dir, "init @job --items @items.csv --id id --classes yes,no --overlap 2").await.expect("made");
    said(dir, "import @job @labels.csv").await.expect("taken over");
    said(dir, "export @job --format label-studio-config --out @config.xml").await.expect("handed out");
    said(dir, "init @again --items @items.csv --config @config.xml").await.expect("made of the config");
    said(dir, "build @job --out @set").await.expect("built");
    said(dir, "verify @set").await.expect("whole");
    let other = said(dir, &format!("verify @set --digest {}", "00".repeat(32))).await.expect_err("another");
    assert_eq!(other.exit, Exit::Above);
    put("set/guidelines.md", "other");
    assert_eq!(said(dir, "verify @set").await.expect_err("changed").exit, Exit::Above);
}

#[tokio::test]
async fn what_cannot_be_ends_with_its_own_code() {
    let dir = tempfile::tempdir().expect("a folder");
    let dir = dir.path();
    let codes = [
        ("build @absent --out @set", Exit::Missing),
        ("verify @absent", Exit::Missing),
        ("plan --items 10 --accuracy 0.99999999 --classes 2 --worker-accuracy 0.51", Exit::Config),
        ("work @absent --as ann --listen 0.0.0.0:0", Exit::Config),
        ("ask @absent --url https://example.org/v1 --model m", Exit::Config),
    ];
    for (words, code) in codes {
        assert_eq!(said(dir, words).await.expect_err(words).exit, code, "{words}");
    }
}

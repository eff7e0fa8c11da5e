use tokio_util::sync::CancellationToken;

use super::*;

const README: &str = include_str!("../../../README.md");

/// Keeps what is printed.
pub(super) struct Pages(pub(super) String);

impl Observer for Pages {
    fn block(&mut self, _: Epoch, _: Block, _: Block) {}

    fn epoch_closed(&mut self, report: &EpochReport) -> io::Result<()> {
        self.0.push_str(&text::epoch(report));
        self.0.push('\n');
        Ok(())
    }
}

/// The options of a command line.
pub(super) fn parsed(options: &str) -> Localnet {
    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        args: Localnet,
    }
    let words = std::iter::once("weighhouse").chain(options.split_whitespace());
    <Line as clap::Parser>::try_parse_from(words).expect("options").args
}

/// Leaves out what depends on which validator's question came first: those two miners' chance runs from answer to answer.
fn settled(text: &str) -> Vec<&str> {
    fn cut(line: &str) -> &str {
        let varies = line.contains("  lazy  ") || line.contains("  nan  ");
        if varies { line.rsplit_once(" (").map_or(line, |(kept, _)| kept) } else { line }
    }
    text.trim_end().lines().map(cut).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_readme_shows_what_the_first_run_prints() {
    let dir = tempfile::tempdir().expect("a folder");
    let args = parsed("--epochs 1 --seed 1");
    let (task, task_file) = (DIGITS.to_owned(), task_file(DIGITS, None).expect("a built-in task"));
    let (seed, epochs) = (args.seed, args.epochs);
    let (rounds, pretending) = (args.rounds, args.pretend.clone());
    let options = Options { task, task_file, commit_reveal: false, seed, epochs, rounds, pretending };
    let models = NamedModels::new(None, None);
    let economy = Economy::open(dir.path(), &options, Arc::new(models)).expect("opened");
    let mut pages = Pages(text::greeting(&economy, Block(0)) + "\n");
    let closing = text::Closing::new(&economy, &args);
    let account = economy.run(&mut pages, CancellationToken::new()).await.expect("it runs");
    let printed = pages.0 + &text::account(&account.expect("an epoch was closed"), &closing);
    let shown =
        README.split_once("```text\n").and_then(|(_, rest)| rest.split_once("```")).expect("an example").0;
    assert_eq!(
        settled(shown),
        settled(&printed),
        "the README's example, with --epochs 1 --seed 1, is:\n{printed}"
    );
}

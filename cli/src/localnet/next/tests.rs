use super::super::tests::{Pages, parsed};
use super::*;

#[test]
fn a_command_line_is_typed_again_with_all_that_it_chose() {
    let line = "--task my-task.toml --model ./m --mode quality --with a.py --with b.py --python py --seed 4 \
                --epochs 2 --dir ./net --commit-reveal";
    assert_eq!(typed(&parsed(line)), format!("weighhouse localnet {line}"));
    let pretending = "--task generate --pretend garbage:3+1 --pretend int4:3+2 --seed 4 --rounds 12";
    assert_eq!(typed(&parsed(pretending)), format!("weighhouse localnet {pretending}"));
    let subnet = "--subnet ./weather --seed 4";
    assert_eq!(typed(&parsed(subnet)), format!("weighhouse localnet {subnet}"));
    let watched = "--seed 4 --listen 127.0.0.1:8090 --console --no-open";
    assert_eq!(typed(&parsed(watched)), format!("weighhouse localnet {watched}"));
    assert_eq!(typed(&parsed("--json")), "weighhouse localnet");
}

#[test]
fn a_path_is_quoted_where_a_shell_would_take_it_apart() {
    assert_eq!(quoted(Path::new("./net-1/a.py")), "./net-1/a.py");
    assert_eq!(quoted(Path::new("my task's.toml")), "'my task'\\''s.toml'");
}

/// The suggestion after a run of an epoch of the built-in digits.
async fn suggested(options: &str) -> String {
    let args = parsed(options);
    let dir = tempfile::tempdir().expect("a folder");
    let economy = super::super::open(&args, dir.path()).await.expect("opened");
    let closing = Closing::new(&economy, &args);
    let mut pages = Pages(String::new());
    let account = economy.run(&mut pages, tokio_util::sync::CancellationToken::new()).await;
    next(&closing, &account.expect("it runs").expect("an epoch was closed"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_suggestion_keeps_what_was_chosen_and_changes_one_thing() {
    let cases = [
        ("--epochs 1 --seed 3", "weighhouse localnet --mode quality --seed 3 --epochs 3 "),
        ("--task regress --epochs 1", "weighhouse localnet --task regress --epochs 3 --commit-reveal "),
        (
            "--epochs 1 --commit-reveal --mode quality",
            "weighhouse localnet --mode quality --with examples/cheats/replay.py --epochs 3 --commit-reveal ",
        ),
    ];
    for (options, expected) in cases {
        let suggested = suggested(options).await;
        assert!(suggested.starts_with(expected), "{options}: {suggested}");
    }
}

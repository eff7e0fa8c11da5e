use super::*;

const TASK_FILE: &str = "version = 1\nkind = \"judge\"\nmode = \"quality\"\nscope = \"shared\"\nmodel = \"m\"\nitems = 1\n\
    [judge]\ndigest = \"sha256:0000000000000000000000000000000000000000000000000000000000000000\"\n";

fn save(folder: &Path, name: &str, text: &str) {
    let file = std::fs::File::create(folder.join(name)).expect("created");
    io::Write::write_all(&mut &file, text.as_bytes()).expect("written");
}

fn folder(dir: &tempfile::TempDir) -> SubnetFolder {
    SubnetFolder { path: dir.path().to_owned(), python: "python3".into() }
}

#[test]
fn the_task_pins_the_judge_as_it_is_now() {
    let dir = tempfile::tempdir().expect("a folder");
    save(dir.path(), TASK, TASK_FILE);
    save(dir.path(), "judge.py", "one");
    let first = folder(&dir).pinned().expect("pinned");
    let digest = judge_digest(&dir.path().join("judge.py")).expect("readable");
    assert_eq!(first, TASK_FILE.replace(&"0".repeat(64), &digest.to_string()));
    save(dir.path(), "judge.py", "two");
    assert_ne!(folder(&dir).pinned().expect("pinned"), first);
}

#[test]
fn a_folder_without_its_files_is_refused_with_what_it_lacks() {
    let dir = tempfile::tempdir().expect("a folder");
    let refused = || folder(&dir).pinned().expect_err("refused").to_string();
    assert!(refused().contains("no judge.py and no folder judge"), "{}", refused());
    save(dir.path(), "judge.py", "one");
    assert!(refused().contains("task.toml: No such file"), "{}", refused());
    save(dir.path(), TASK, "kind = \"classify\"\n");
    assert!(refused().contains("pins no judge"), "{}", refused());
}

#[tokio::test]
async fn a_folder_or_a_python_that_is_not_there_is_named_with_the_fix() {
    let dir = tempfile::tempdir().expect("a folder");
    for (name, text) in [(TASK, TASK_FILE), (POLICY, ""), ("judge.py", "one")] {
        save(dir.path(), name, text);
    }
    let elsewhere = SubnetFolder { path: dir.path().join("elsewhere"), ..folder(&dir) };
    let error = Subnet::start(elsewhere).await.expect_err("no folder").to_string();
    assert!(error.contains("`weighhouse init subnet NAME` writes one"), "{error}");
    let folder = SubnetFolder { python: dir.path().join("no-python"), ..folder(&dir) };
    let error = Subnet::start(folder).await.expect_err("no Python").to_string();
    assert!(error.contains("name a Python 3.10 or newer with --python"), "{error}");
}

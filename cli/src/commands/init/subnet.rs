//! `weighhouse init subnet`: a folder that runs, with a judge in Python or in Rust.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use weighhouse_judge::judge_digest;
use weighhouse_scoring::policy::DEFAULT_POLICY;
use weighhouse_tasks::{TaskFile, with_judge};

use super::super::write_file;
use crate::failure::{Context, Exit, Failure};
use crate::output;

const NAME_BYTES_MAX: usize = 48;
/// Checkout that this program was built in: a Rust judge depends on its crates.
const CHECKOUT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// A file of the folder, and its text with `{{name}}`, `{{judge}}` and `{{checkout}}` still to be filled in.
type Template = (&'static str, &'static str);

const COMMON: [Template; 4] = [
    ("task.toml", include_str!("../../../templates/subnet/task.toml")),
    ("policy.toml", DEFAULT_POLICY),
    ("miner.py", include_str!("../../../templates/subnet/miner.py")),
    ("personas.py", include_str!("../../../templates/subnet/personas.py")),
];
const PYTHON: [Template; 3] = [
    ("README.md", include_str!("../../../templates/subnet/python/README.md")),
    ("judge.py", include_str!("../../../templates/subnet/python/judge.py")),
    ("test_subnet.py", include_str!("../../../templates/subnet/python/test_subnet.py")),
];
const RUST: [Template; 4] = [
    ("README.md", include_str!("../../../templates/subnet/rust/README.md")),
    ("judge/Cargo.toml", include_str!("../../../templates/subnet/rust/Cargo.toml.in")),
    ("judge/.cargo/config.toml", include_str!("../../../templates/subnet/rust/config.toml")),
    ("judge/src/main.rs", include_str!("../../../templates/subnet/rust/src/main.rs")),
];

/// Write a folder that runs as a subnet of its own: judge, miner, personas, task and policy.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  weighhouse init subnet weather                    a judge in Python
  weighhouse init subnet weather --judge rust
  weighhouse localnet --subnet ./weather            what to do next")]
pub(crate) struct InitSubnet {
    /// Name of the subnet, of what its miners serve, and of the folder: lower-case letters, digits and dashes
    name: String,
    /// The judge's language
    #[arg(long, value_enum, default_value_t = JudgeLanguage::Python)]
    judge: JudgeLanguage,
    /// The folder to write; one that is there already is left alone [default: ./NAME]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// The source of Weighhouse, on whose crates a Rust judge depends [default: where this program was built]
    #[arg(long, value_name = "DIR")]
    checkout: Option<PathBuf>,
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum JudgeLanguage {
    Python,
    Rust,
}

impl JudgeLanguage {
    /// The judge's file or folder.
    fn judge(self) -> &'static str {
        match self {
            Self::Python => "judge.py",
            Self::Rust => "judge",
        }
    }
}

pub(super) fn run(args: &InitSubnet) -> Result<(), Failure> {
    check_name(&args.name)?;
    let folder = args.out.clone().unwrap_or_else(|| PathBuf::from(&args.name));
    super::refuse_existing(&folder)?;
    let templates: Vec<Template> = match args.judge {
        JudgeLanguage::Python => COMMON.into_iter().chain(PYTHON).collect(),
        JudgeLanguage::Rust => COMMON.into_iter().chain(RUST).collect(),
    };
    // Found before the first write: a second run would refuse a folder that was left half-written.
    let checkout = match args.judge {
        JudgeLanguage::Python => String::new(),
        JudgeLanguage::Rust => checkout(args.checkout.as_deref())?,
    };
    let fill = |text: &str| {
        let text = text.replace("{{name}}", &args.name).replace("{{judge}}", args.judge.judge());
        text.replace("{{checkout}}", &checkout)
    };
    for (name, text) in &templates {
        let path = folder.join(name);
        let parent = path.parent().unwrap_or(&folder);
        std::fs::create_dir_all(parent)
            .exit(Exit::Unavailable, format!("can't make {}", parent.display()))?;
        write_file(&path, fill(text).as_bytes())?;
    }
    if args.judge == JudgeLanguage::Rust {
        // Before the digest is pinned, which covers the lock file too.
        lock(&folder, args.checkout.as_deref())?;
    }
    pin(&folder, args.judge)?;
    let shown = folder.display();
    if args.json {
        let files: Vec<_> = templates.iter().map(|(name, _)| *name).collect();
        return Ok(output::json(&serde_json::json!({ "written": folder, "files": files }))?);
    }
    Ok(output::line(format!("{shown} written; try `weighhouse localnet --subnet {shown}` next"))?)
}

/// The name is the model's, and a Rust judge's crate's.
fn check_name(name: &str) -> Result<(), Failure> {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let begins = name.bytes().next().is_some_and(|byte| byte.is_ascii_lowercase());
    if begins && name.len() <= NAME_BYTES_MAX && name.bytes().all(allowed) {
        return Ok(());
    }
    let form = format!("a letter, then up to {NAME_BYTES_MAX} of a-z, 0-9 and -");
    Err(Failure::config(format!("{name:?} is no name of a subnet: write {form}")))
}

/// The judge's crate begins with the versions that the source is built with.
fn lock(folder: &Path, checkout: Option<&Path>) -> Result<(), Failure> {
    let path = checkout.unwrap_or(Path::new(CHECKOUT)).join("Cargo.lock");
    let versions = std::fs::read(&path).exit(Exit::Missing, path.display())?;
    write_file(&folder.join("judge/Cargo.lock"), &versions)
}

/// The path of the source, as a TOML string.
fn checkout(named: Option<&Path>) -> Result<String, Failure> {
    let path = named.unwrap_or(Path::new(CHECKOUT)).join("judge");
    match path.canonicalize() {
        Ok(path) if path.join("Cargo.toml").is_file() => {
            Ok(toml::Value::from(path.display().to_string()).to_string())
        }
        _ => Err(Failure::new(
            Exit::Missing,
            format!("{} is not there: name the source of Weighhouse with --checkout DIR", path.display()),
        )),
    }
}

/// Pins the judge as it was written.
fn pin(folder: &Path, judge: JudgeLanguage) -> Result<(), Failure> {
    let path = folder.join("task.toml");
    let digest = judge_digest(&folder.join(judge.judge())).exit(Exit::Internal, "the judge's files")?;
    let text = std::fs::read_to_string(&path).exit(Exit::Internal, path.display())?;
    let pinned = with_judge(&text, digest).ok_or_else(|| Failure::internal("task.toml pins no judge"))?;
    TaskFile::parse(pinned.as_bytes()).exit(Exit::Internal, path.display())?;
    write_file(&path, pinned.as_bytes())
}

#[cfg(test)]
mod tests {
    use weighhouse_tasks::{OnRecord, Task};

    use super::*;

    fn init(folder: &Path, judge: JudgeLanguage) -> Result<(), Failure> {
        let (name, out) = ("weather-2".to_owned(), Some(folder.join("weather-2")));
        run(&InitSubnet { name, judge, out, checkout: None, json: false })
    }

    #[test]
    fn a_written_folder_pins_its_own_judge_and_has_nothing_left_to_fill_in() {
        for judge in [JudgeLanguage::Python, JudgeLanguage::Rust] {
            let dir = tempfile::tempdir().expect("a folder");
            init(dir.path(), judge).expect("written");
            let folder = dir.path().join("weather-2");
            let task = std::fs::read(folder.join("task.toml")).expect("a task");
            let task = Task::load(&task, &OnRecord).expect("valid");
            let digest = judge_digest(&folder.join(judge.judge())).expect("a judge");
            assert_eq!(
                (task.judge_identity().digest, task.file().model.as_str()),
                (Some(digest), "weather-2")
            );
            for (name, _) in COMMON.iter().chain(&PYTHON).chain(&RUST) {
                let Ok(text) = std::fs::read_to_string(folder.join(name)) else { continue };
                assert!(!text.contains("{{"), "{name}");
            }
            let again = init(dir.path(), judge).expect_err("it is there").to_string();
            assert!(again.contains("exists already"), "{again}");
        }
    }

    #[test]
    fn names_that_no_crate_could_have_are_refused() {
        for name in ["", "Weather", "2-day", "a/b", "a.b", &"a".repeat(49)] {
            let error = check_name(name).expect_err(name).to_string();
            assert!(error.contains("is no name of a subnet"), "{error}");
        }
    }
}

//! A program beside a localnet, such as one of the Python package: started, asked where it listens, and ended with its owner.

use std::ffi::OsStr;
use std::io::{self, BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

use serde_json::Value;

/// The time that Python has to load its packages and the program's file.
const START_DEADLINE: Duration = Duration::from_secs(60);
/// Packages that the programs need besides the one they are in.
const PACKAGES: &str = "import grpc, google.protobuf, numpy, weighhouse.serve, weighhouse.judge";
/// The programs' common arguments: any port that is free, told in a line of JSON.
const LISTENING: [&str; 3] = ["--json", "--listen", "127.0.0.1:0"];

/// A failure to start a program.
#[derive(Debug, thiserror::Error)]
pub enum ProgramError {
    #[error("{python} can't be run: {source}; name a Python 3.10 or newer with --python")]
    Python { python: String, source: io::Error },
    #[error(
        "{python}: {why}; run `{python} -m pip install 'weighhouse[judge]'` (in a checkout: './python[judge]'), or name \
         another interpreter with --python"
    )]
    Package { python: String, why: String },
    #[error("cargo can't be run: {source}; a judge in Rust is built by it, see https://rustup.rs")]
    Cargo { source: io::Error },
    #[error("{folder}: the crate can't be built; cargo's own words stand above")]
    Build { folder: String },
    #[error("{file}: {program} ended before it listened; its own words stand above")]
    Ended { file: String, program: &'static str },
    #[error("{file}: {program} was not listening after {} s", START_DEADLINE.as_secs())]
    Slow { file: String, program: &'static str },
    #[error("{file}: {program} said {said:?} where its address was expected")]
    Said { file: String, program: &'static str, said: String },
}

/// A running program; dropping it ends it.
#[derive(Debug)]
pub(crate) struct Program {
    child: Child,
    /// The program's first line.
    pub(crate) told: Value,
}

impl Program {
    /// Runs `python -m MODULE --json --listen 127.0.0.1:0 OPTIONS FILE` and waits until it listens. Blocks.
    pub(crate) fn python(
        python: &Path,
        module: &'static str,
        options: &[&str],
        file: &Path,
    ) -> Result<Self, ProgramError> {
        // Asked first: the module's own traceback would be the user's only hint otherwise.
        check_packages(python)?;
        let mut command = Command::new(python);
        // Unbuffered, since its first line says where it listens.
        command.args(["-u", "-m", module]).args(LISTENING).args(options).arg(file);
        let child = spawned(&mut command).map_err(|source| unusable(python, source))?;
        Self::listening(child, file, module)
    }

    /// Runs a crate that was built, with the same arguments, and waits until it listens. Blocks.
    pub(crate) fn built(folder: &Path) -> Result<Self, ProgramError> {
        // On Unix cargo's process becomes the program's, so that ending the child ends the program.
        let mut command = cargo("run", folder);
        command.arg("--").args(LISTENING);
        let child = spawned(&mut command).map_err(|source| ProgramError::Cargo { source })?;
        Self::listening(child, folder, "cargo run")
    }

    fn listening(mut child: Child, file: &Path, name: &'static str) -> Result<Self, ProgramError> {
        let stdout = child.stdout.take();
        let mut program = Self { child, told: Value::Null };
        let file = file.display().to_string();
        let (first, line) = sync_channel(1);
        let Some(stdout) = stdout else { return Err(ProgramError::Ended { file, program: name }) };
        // Read to the end, or a program that prints much would block on a full pipe.
        std::thread::spawn(move || pass_on(stdout, &first));
        let said = match line.recv_timeout(START_DEADLINE) {
            Ok(line) => line,
            Err(RecvTimeoutError::Disconnected) => return Err(ProgramError::Ended { file, program: name }),
            Err(RecvTimeoutError::Timeout) => return Err(ProgramError::Slow { file, program: name }),
        };
        match serde_json::from_str::<Value>(&said) {
            Ok(told) if told["address"].is_string() => program.told = told,
            _ => return Err(ProgramError::Said { file, program: name, said }),
        }
        Ok(program)
    }

    /// The address at which it listens.
    pub(crate) fn address(&self) -> &str {
        self.told["address"].as_str().unwrap_or_default()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Builds the crate in a folder. Blocks, for minutes where what it depends on was never built.
pub(crate) fn build(folder: &Path) -> Result<(), ProgramError> {
    let built = cargo("build", folder).stdin(Stdio::null()).status();
    match built.map_err(|source| ProgramError::Cargo { source })? {
        status if status.success() => Ok(()),
        _ => Err(ProgramError::Build { folder: folder.display().to_string() }),
    }
}

fn cargo(verb: &str, folder: &Path) -> Command {
    let mut command = Command::new("cargo");
    // Within the folder, for its own .cargo/config.toml to count.
    command.args([verb, "--release", "--quiet"]).current_dir(folder);
    command
}

fn spawned(command: &mut Command) -> io::Result<Child> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()
}

/// Hands on the first line; further ones are the file's own words, which belong into the log. Ends with the program.
fn pass_on(stdout: ChildStdout, first: &SyncSender<String>) {
    let mut lines = BufReader::new(stdout).lines().map_while(Result::ok);
    if let Some(line) = lines.next() {
        let _ = first.send(line);
    }
    lines.for_each(|line| tracing::info!(line, "a program beside the localnet"));
}

fn check_packages(python: &Path) -> Result<(), ProgramError> {
    let mut command = Command::new(python);
    let asked = command.args(["-c", PACKAGES].map(OsStr::new)).stdin(Stdio::null()).output();
    let asked = asked.map_err(|source| unusable(python, source))?;
    if asked.status.success() {
        return Ok(());
    }
    let words = String::from_utf8_lossy(&asked.stderr);
    let why = words.lines().last().unwrap_or("a package is missing").trim().to_owned();
    Err(ProgramError::Package { python: python.display().to_string(), why })
}

fn unusable(python: &Path, source: io::Error) -> ProgramError {
    ProgramError::Python { python: python.display().to_string(), source }
}

//! Wallet options, and passwords: from a file descriptor, `BT_PW_*`, or a prompt; never the command line.

use std::ffi::OsString;
use std::io::{IsTerminal, Read};
use std::path::{Path, PathBuf};

use clap::Args;
use weighhouse_types::{Coldkey, Hotkey};
use weighhouse_wallet::folder::{Folder, WalletError};
use weighhouse_wallet::keyfile::KeyfileError;
use weighhouse_wallet::keypair::Keypair;
use weighhouse_wallet::password::{Password, Unlock};
use weighhouse_wallet::{NaclError, coldkey};

use super::expand;
use crate::failure::{Context, Exit, Failure};

const WALLETS: &str = "~/.bittensor/wallets";
/// Variables that name the folder of wallets, ours first.
const WALLETS_VARIABLES: [&str; 2] = ["WEIGHHOUSE_WALLETS", "BT_WALLET_PATH"];

/// The folder of a unit's credentials, by systemd.
const CREDENTIALS_VARIABLE: &str = "CREDENTIALS_DIRECTORY";
/// The folder of a container's secrets.
const SECRETS: &str = "/run/secrets";
/// The hotkey's password among either.
const SECRET: &str = "hotkey-password";

/// Options that name a wallet.
#[derive(Args, Clone, Debug)]
pub(crate) struct WalletArgs {
    /// Wallet name
    #[arg(long, default_value = "default", value_name = "NAME")]
    pub(crate) wallet: String,
    /// Hotkey name within the wallet
    #[arg(long, default_value = "default", value_name = "NAME")]
    pub(crate) hotkey: String,
    #[command(flatten)]
    pub(crate) at: WalletsDir,
}

/// Options that say where wallets lie and how encrypted ones are opened.
#[derive(Args, Clone, Debug)]
pub(crate) struct WalletsDir {
    /// Folder of wallets [env: WEIGHHOUSE_WALLETS or BT_WALLET_PATH] [default: ~/.bittensor/wallets]
    #[arg(long, value_name = "DIR")]
    wallet_path: Option<PathBuf>,
    /// Read the password from this open file descriptor
    #[arg(long, value_name = "FD")]
    pub(crate) password_fd: Option<u32>,
}

impl WalletsDir {
    pub(crate) fn base(&self) -> PathBuf {
        wallets(self.wallet_path.as_deref(), |name| std::env::var_os(name))
    }

    pub(crate) fn folder(&self, wallet: &str) -> Result<Folder, Failure> {
        Folder::new(&self.base(), wallet).map_err(wallet_failure)
    }

    /// The password given by descriptor, if any.
    pub(crate) fn given(&self) -> Result<Option<Password>, Failure> {
        self.password_fd.map(read_descriptor).transpose()
    }
}

impl WalletArgs {
    pub(crate) fn folder(&self) -> Result<Folder, Failure> {
        self.at.folder(&self.wallet)
    }

    pub(crate) fn open_hotkey(&self) -> Result<Keypair, Failure> {
        let folder = self.folder()?;
        unlocked(&self.at, |unlock| folder.open_hotkey(&self.hotkey, unlock))
    }

    /// For commands that a person runs: the only way to a coldkey's secret.
    pub(crate) fn open_coldkey(&self) -> Result<Keypair, Failure> {
        let folder = self.folder()?;
        unlocked(&self.at, |unlock| coldkey::open(&folder, unlock))
    }
}

/// A daemon's hotkey, as its configuration names it.
pub(crate) struct DaemonWallet<'a> {
    path: Option<&'a Path>,
    name: &'a str,
    hotkey: &'a str,
    password_file: Option<&'a Path>,
}

macro_rules! daemon_wallet {
    ($section:ty) => {
        impl<'a> From<&'a $section> for DaemonWallet<'a> {
            fn from(section: &'a $section) -> Self {
                Self {
                    path: section.path.as_deref(),
                    name: &section.name,
                    hotkey: &section.hotkey,
                    password_file: section.password_file.as_deref(),
                }
            }
        }
    };
}
daemon_wallet!(weighhouse_miner::config::WalletSection);
daemon_wallet!(weighhouse_validator::config::WalletSection);

impl DaemonWallet<'_> {
    fn folder(&self) -> Result<Folder, Failure> {
        let base = wallets(self.path, |name| std::env::var_os(name));
        Folder::new(&base, self.name).map_err(wallet_failure)
    }

    /// The addresses of its coldkey and its hotkey, as far as its files have them: for these no password is needed.
    pub(crate) fn addresses(&self) -> Result<(Option<Coldkey>, Option<Hotkey>), Failure> {
        let folder = self.folder()?;
        Ok((present_in(folder.coldkey())?, present_in(folder.hotkey(self.hotkey))?))
    }
}

/// What isn't there is no failure, and what can't be read is.
fn present_in<T>(read: Result<T, WalletError>) -> Result<Option<T>, Failure> {
    match read {
        Ok(found) => Ok(Some(found)),
        Err(WalletError::NoWallet { .. } | WalletError::NoKey { .. }) => Ok(None),
        Err(error) => Err(wallet_failure(error)),
    }
}

/// Opens a daemon's hotkey; never by prompt.
pub(crate) fn daemon_hotkey<'a>(wallet: impl Into<DaemonWallet<'a>>) -> Result<Keypair, Failure> {
    let wallet: DaemonWallet<'_> = wallet.into();
    let folder = wallet.folder()?;
    let DaemonWallet { hotkey, password_file, .. } = wallet;
    let open = |given| folder.open_hotkey(hotkey, &Unlock { given, env: &environment });
    let mut opened = open(password_file.map(|file| password_in(&expand(file))).transpose()?);
    // What happens to lie there is read only where nothing else was given.
    if matches!(opened, Err(WalletError::PasswordNeeded { .. }))
        && let Some(file) = usual_password(|name| std::env::var_os(name))
    {
        opened = open(Some(password_in(&file)?));
    }
    match opened {
        Err(WalletError::PasswordNeeded { path, variable }) => Err(Failure::new(
            Exit::Denied,
            format!(
                "{}: encrypted, and a daemon has nobody to ask: put its password into a file that `[wallet] password_file` \
                 names, into a systemd credential {SECRET} (LoadCredential=), into {SECRETS}/{SECRET}, or into the variable \
                 {variable} as Bittensor writes it",
                path.display()
            ),
        )),
        other => other.map_err(wallet_failure),
    }
}

/// The credential or secret that is there.
fn usual_password(env: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let credentials = env(CREDENTIALS_VARIABLE).map(PathBuf::from);
    let usual = credentials.into_iter().chain([PathBuf::from(SECRETS)]).map(|dir| dir.join(SECRET));
    usual.into_iter().find(|file| file.exists())
}

fn password_in(file: &Path) -> Result<Password, Failure> {
    let what = format!("password file {}", file.display());
    let password = read_password(std::fs::File::open(file).exit(Exit::Config, &what)?, &what)?;
    match password.is_empty() {
        true => Err(Failure::config(format!("{what}: it is empty"))),
        false => Ok(password),
    }
}

/// The folder of wallets: the one given, else what the environment names, else Bittensor's own.
fn wallets(given: Option<&Path>, env: impl Fn(&str) -> Option<OsString>) -> PathBuf {
    let named = WALLETS_VARIABLES.into_iter().filter_map(|name| env(name).map(PathBuf::from));
    // An empty one would be the folder that the command happens to run in.
    let found = given.map(Path::to_owned).into_iter().chain(named).find(|path| !path.as_os_str().is_empty());
    expand(&found.unwrap_or_else(|| PathBuf::from(WALLETS)))
}

fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Tries without a prompt first; asks only where somebody is there to answer.
fn unlocked(
    at: &WalletsDir,
    open: impl Fn(&Unlock<'_>) -> Result<Keypair, WalletError>,
) -> Result<Keypair, Failure> {
    let unlock = Unlock { given: at.given()?, env: &environment };
    match open(&unlock) {
        Err(WalletError::PasswordNeeded { path, .. }) if std::io::stdin().is_terminal() => {
            let password = prompt(&format!("password of {}: ", path.display()))?;
            open(&Unlock { given: Some(password), env: &environment }).map_err(wallet_failure)
        }
        other => other.map_err(wallet_failure),
    }
}

/// A new password, typed twice.
pub(crate) fn new_password(at: &WalletsDir, what: &str) -> Result<Password, Failure> {
    if let Some(given) = at.given()? {
        return present(given, what);
    }
    if !std::io::stdin().is_terminal() {
        return Err(Failure::config(format!(
            "{what} wants a password and there is no terminal to ask on: use --password-fd, or --no-password to keep it in the clear"
        )));
    }
    let first = prompt(&format!("new password for {what}: "))?;
    let second = prompt("the same again: ")?;
    if first != second {
        return Err(Failure::config("the two passwords differ; nothing was written"));
    }
    present(first, what)
}

/// An empty password is one that nobody gave: a closed descriptor, or Enter pressed twice.
fn present(password: Password, what: &str) -> Result<Password, Failure> {
    if password.is_empty() {
        return Err(Failure::config(format!(
            "the password for {what} is empty; nothing was written: give one, or --no-password to keep it in the clear"
        )));
    }
    Ok(password)
}

fn prompt(text: &str) -> Result<Password, Failure> {
    let typed = rpassword::prompt_password(text).exit(Exit::Internal, "reading the password")?;
    Ok(Password::new(typed.into_bytes()))
}

fn read_descriptor(descriptor: u32) -> Result<Password, Failure> {
    // Reached by name, so that no raw descriptor has to be trusted.
    let path = format!("/dev/fd/{descriptor}");
    let what = format!("--password-fd {descriptor}");
    read_password(std::fs::File::open(&path).exit(Exit::Config, &what)?, &what)
}

fn read_password(file: std::fs::File, what: &str) -> Result<Password, Failure> {
    let mut bytes = Vec::new();
    // Bounded: a descriptor of a device or pipe may never end.
    file.take(4096).read_to_end(&mut bytes).exit(Exit::Config, what)?;
    // `echo` and here-documents end in a newline that is no part of the password.
    while bytes.last().is_some_and(|byte| matches!(byte, b'\n' | b'\r')) {
        bytes.pop();
    }
    Ok(Password::new(bytes))
}

pub(crate) fn wallet_failure(error: WalletError) -> Failure {
    let exit = match &error {
        WalletError::NoWallet { .. } | WalletError::NoKey { .. } => Exit::Missing,
        WalletError::Name { .. } | WalletError::Exists { .. } => Exit::Config,
        WalletError::PasswordNeeded { .. } | WalletError::Password { .. } => Exit::Denied,
        WalletError::Keyfile { source: KeyfileError::Nacl(NaclError::WrongPassword), .. } => Exit::Denied,
        WalletError::Keyfile { .. } => Exit::Data,
        WalletError::Io { .. } => Exit::Internal,
    };
    Failure::new(exit, error)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn sources(dir: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(dir).expect("a source folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                sources(&path, found);
            } else {
                found.push(path);
            }
        }
    }

    #[test]
    fn a_folder_given_goes_before_the_environment_and_an_empty_one_is_none() {
        let ours = |name: &str| (name == "WEIGHHOUSE_WALLETS").then(|| OsString::from("/ours"));
        let theirs = |name: &str| (name == "BT_WALLET_PATH").then(|| OsString::from("/theirs"));
        let either = |name: &str| ours(name).or_else(|| theirs(name));
        assert_eq!(wallets(Some(Path::new("/given")), either), Path::new("/given"));
        assert_eq!(wallets(Some(Path::new("")), either), Path::new("/ours"));
        assert_eq!(wallets(None, theirs), Path::new("/theirs"));
        for env in [|_: &str| None, |_: &str| Some(OsString::new())] {
            assert!(wallets(None, env).ends_with(".bittensor/wallets"));
        }
    }

    #[test]
    fn a_new_password_is_not_empty() {
        assert!(present(Password::new("x"), "the coldkey").is_ok());
        let error = present(Password::new(""), "the coldkey").expect_err("refused").to_string();
        assert!(error.contains("nothing was written"), "{error}");
    }

    #[test]
    fn a_daemon_has_no_code_path_to_a_coldkeys_secret() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let mut files =
            vec![root.join("cli/src/commands/miner.rs"), root.join("cli/src/commands/validator.rs")];
        for role in ["miner/src", "validator/src", "ask/src", "localnet/src"] {
            sources(&root.join(role), &mut files);
        }
        assert!(files.len() > 20, "the roles' sources are where they were");
        for file in files {
            let text = std::fs::read_to_string(&file).expect("a source file");
            for door in ["wallet::coldkey", "coldkey::open", "open_coldkey"] {
                assert!(!text.contains(door), "{} names {door}", file.display());
            }
        }
    }

    #[test]
    fn a_daemons_password_is_in_a_file_or_a_credential() {
        let dir = tempfile::tempdir().expect("a folder");
        let (named, empty) = (dir.path().join("named"), dir.path().join("empty"));
        for (file, text) in [(&named, "one\n"), (&dir.path().join(SECRET), "two"), (&empty, "\n")] {
            std::fs::File::create(file)
                .and_then(|mut file| file.write_all(text.as_bytes()))
                .expect("written");
        }
        let env = |name: &str| (name == CREDENTIALS_VARIABLE).then(|| dir.path().as_os_str().to_owned());
        assert_eq!(password_in(&named).expect("read"), Password::new("one"));
        let usual = usual_password(env).expect("a credential");
        assert_eq!(password_in(&usual).expect("read"), Password::new("two"));
        assert!(password_in(&empty).is_err_and(|error| error.to_string().contains("empty")));
        assert!(password_in(&dir.path().join("none")).is_err(), "a file that is named has to be there");
        assert_eq!(usual_password(|_| Some("/nowhere".into())), None);
    }
}

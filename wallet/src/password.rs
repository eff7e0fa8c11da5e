//! Passwords of keyfiles: typed in, or taken from Bittensor's environment variables.
//!
//! `BT_PW_<PATH>` holds the password XORed with the variable's own name, in base64. That hides it from a glance and
//! from nothing else.

use std::fmt;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

/// Bytes that `Debug` does not show and that are wiped when dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(Zeroizing<Vec<u8>>);

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PasswordError {
    #[error("{variable} is not base64; it holds the password XORed with its own name, encoded")]
    NotBase64 { variable: String },
}

/// Source of a password: the one given, else the environment.
pub struct Unlock<'a> {
    pub given: Option<Password>,
    pub env: &'a dyn Fn(&str) -> Option<String>,
}

impl Password {
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self(Zeroizing::new(bytes.into()))
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The value that `Unlock` reads back from `variable`.
    pub fn to_env(&self, variable: &str) -> String {
        STANDARD.encode(xor(&self.0, variable))
    }

    fn from_env(variable: &str, value: &str) -> Result<Self, PasswordError> {
        let hidden = STANDARD
            .decode(value.trim())
            .map_err(|_| PasswordError::NotBase64 { variable: variable.to_owned() })?;
        Ok(Self(Zeroizing::new(xor(&hidden, variable))))
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(..)")
    }
}

impl Unlock<'_> {
    /// No password at all: plain keyfiles open, encrypted ones say what they need.
    pub const NONE: Unlock<'static> = Unlock { given: None, env: &|_| None };

    pub(crate) fn password(&self, path: &Path) -> Result<Option<Password>, PasswordError> {
        if let Some(given) = &self.given {
            return Ok(Some(given.clone()));
        }
        for variable in [env_variable(path), bittensor_variable(path)] {
            if let Some(value) = (self.env)(&variable).filter(|value| !value.is_empty()) {
                return Password::from_env(&variable, &value).map(Some);
            }
        }
        Ok(None)
    }
}

impl fmt::Debug for Unlock<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Unlock").field("given", &self.given.is_some()).finish_non_exhaustive()
    }
}

/// The variable that holds the password of the keyfile at `path`: whatever a shell can't export in a name is an
/// underscore.
pub fn env_variable(path: &Path) -> String {
    let exported = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' };
    format!("BT_PW_{}", path.to_string_lossy().chars().map(exported).collect::<String>())
}

/// Bittensor's own name of the same, in which only separators and dots are underscores.
fn bittensor_variable(path: &Path) -> String {
    format!("BT_PW_{}", path.to_string_lossy().replace([std::path::MAIN_SEPARATOR, '.'], "_").to_uppercase())
}

fn xor(bytes: &[u8], key: &str) -> Vec<u8> {
    bytes.iter().zip(key.bytes().cycle()).map(|(byte, mask)| byte ^ mask).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_holds_what_bittensor_writes() {
        let variable = env_variable(Path::new("/tmp/w/coldkey"));
        assert_eq!(variable, "BT_PW__TMP_W_COLDKEY");
        assert_eq!(
            env_variable(Path::new("/h/.bittensor/wallets/a/hotkeys/b")),
            "BT_PW__H__BITTENSOR_WALLETS_A_HOTKEYS_B"
        );
        // Written by `bittensor_core.save_password_to_environment`.
        let password = Password::from_env(&variable, "Mpf7ZWI=").expect("base64");
        assert_eq!(password, Password::new("pä55"));
        assert_eq!(password.to_env(&variable), "Mpf7ZWI=");
        assert_eq!(format!("{password:?}"), "Password(..)");
    }

    #[test]
    fn a_name_that_no_shell_exports_has_one_that_it_does() {
        let path = Path::new("/w/my-wallet 2/hotkeys/h");
        assert_eq!(env_variable(path), "BT_PW__W_MY_WALLET_2_HOTKEYS_H");
        for variable in ["BT_PW__W_MY_WALLET_2_HOTKEYS_H", "BT_PW__W_MY-WALLET 2_HOTKEYS_H"] {
            let env = |name: &str| (name == variable).then(|| Password::new("pä55").to_env(variable));
            let unlock = Unlock { given: None, env: &env };
            assert_eq!(unlock.password(path), Ok(Some(Password::new("pä55"))), "{variable}");
        }
    }

    #[test]
    fn a_given_password_comes_first_and_an_empty_variable_is_none() {
        let path = Path::new("/tmp/w/coldkey");
        let env = |_: &str| Some("Mpf7ZWI=".to_owned());
        let given = Unlock { given: Some(Password::new("typed")), env: &env };
        assert_eq!(given.password(path), Ok(Some(Password::new("typed"))));
        assert_eq!(Unlock { given: None, env: &env }.password(path), Ok(Some(Password::new("pä55"))));
        assert_eq!(Unlock { given: None, env: &|_| Some(String::new()) }.password(path), Ok(None));
        assert_eq!(Unlock::NONE.password(path), Ok(None));
        let broken = Unlock { given: None, env: &|_| Some("%".to_owned()) };
        assert!(matches!(broken.password(path), Err(PasswordError::NotBase64 { .. })));
    }
}

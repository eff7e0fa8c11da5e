//! The list that `check` prints: what was tried, and what is wrong with it.

use serde::Serialize;
use weighhouse_types::Hotkey;
use weighhouse_wallet::keypair::Keypair;

use super::super::output;
use crate::failure::{Exit, Failure};

#[derive(Serialize)]
struct CheckReport {
    check: &'static str,
    verdict: &'static str,
    detail: String,
}

/// Checks done so far. Each is printed when it is done, or all at the end as JSON.
pub(crate) struct Checks {
    json: bool,
    done: Vec<CheckReport>,
    /// The exit code of the first that failed.
    failed: Option<Exit>,
}

impl Checks {
    pub(crate) fn new(json: bool) -> Self {
        Self { json, done: Vec::new(), failed: None }
    }

    /// Notes an outcome, and gives back what a later check needs of it.
    pub(crate) fn note<T>(
        &mut self,
        check: &'static str,
        outcome: Result<(T, String), Failure>,
    ) -> Result<Option<T>, Failure> {
        let (value, verdict, detail) = match outcome {
            Ok((value, detail)) => (Some(value), "ok", detail),
            Err(failure) => {
                self.failed = self.failed.or(Some(failure.exit));
                (None, "failed", failure.to_string())
            }
        };
        self.push(CheckReport { check, verdict, detail })?;
        Ok(value)
    }

    /// Notes whether a wallet's hotkey opens.
    pub(crate) fn wallet(&mut self, opened: Result<Keypair, Failure>) -> Result<Option<Hotkey>, Failure> {
        let opened = opened.map(|keypair| {
            let hotkey = keypair.hotkey();
            (hotkey, format!("hotkey {hotkey}"))
        });
        self.note("wallet", opened)
    }

    /// Notes what can't be told from this machine, which fails nothing.
    pub(crate) fn unsure(&mut self, check: &'static str, detail: String) -> Result<(), Failure> {
        self.push(CheckReport { check, verdict: "unsure", detail })
    }

    /// Notes what works and wants a person's look all the same.
    pub(crate) fn warn(&mut self, check: &'static str, detail: String) -> Result<(), Failure> {
        self.push(CheckReport { check, verdict: "warning", detail })
    }

    fn push(&mut self, checked: CheckReport) -> Result<(), Failure> {
        if !self.json {
            output::line(format!("{:<7} {:<8} {}", checked.verdict, checked.check, checked.detail))?;
        }
        self.done.push(checked);
        Ok(())
    }

    pub(crate) fn finish(self) -> Result<(), Failure> {
        if self.json {
            let works = self.failed.is_none();
            output::json(&serde_json::json!({ "works": works, "checks": self.done }))?;
        }
        let failed = self.done.iter().filter(|checked| checked.verdict == "failed").count();
        match self.failed {
            Some(exit) => Err(Failure::new(exit, format!("{failed} of {} checks failed", self.done.len()))),
            None => Ok(()),
        }
    }
}

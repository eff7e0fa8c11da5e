//! Strategies of mining operators as data: honest work, every attack of the catalogue, and any that an optimiser finds.
//!
//! A strategy names kinds of answer; what they earn and cost comes from the task's [`Profile`]. Persona names are
//! only presets of it ([`Strategy::persona`]), so that a strategy from elsewhere needs no code of ours.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::error::{ScenarioError, within};
use weighhouse_types::profile::{HONEST, Profile};

#[cfg(test)]
mod tests;

/// Most uids of one operator.
pub const IDENTITIES_MAX: u16 = 64;

/// The kind of an answer copied from another miner; what it is worth follows from the scope and the delay.
pub const COPY: &str = "copy";

/// The persona whose figures a late copy has: an answer to another challenge.
pub(super) const CACHED: &str = "cached";
/// An answer that nobody gave.
pub(super) const SILENT: &str = "silent";
/// A noise model, and its mirror image.
pub(super) const NOISE: &str = "noise";
pub(super) const MIRROR: &str = "mirror";
/// An honest answer under noise of its own.
const VEILED: &str = "veiled-0.5";

/// Kinds of answer and the share of answers that each gives, in any unit: what counts is the share of their sum.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Mix(pub BTreeMap<String, f64>);

impl Mix {
    /// One kind only.
    pub fn only(kind: &str) -> Self {
        Self::of(&[(kind, 1.0)])
    }

    pub fn of(shares: &[(&str, f64)]) -> Self {
        Self(shares.iter().map(|(kind, share)| ((*kind).to_owned(), *share)).collect())
    }

    /// The share of `kind`, in [0, 1].
    pub fn share(&self, kind: &str) -> f64 {
        let sum: f64 = self.0.values().sum();
        self.0.get(kind).map_or(0.0, |share| share / sum)
    }

    /// Parts of the whole below which a kind isn't worth a word.
    const TRACE: f64 = 0.01;

    fn check(&self, key: &'static str) -> Result<(), ScenarioError> {
        for share in self.0.values() {
            within(key, *share, 0.0, 1e9)?;
        }
        // Above 0, as the shares are divided by their sum.
        within(key, self.0.values().sum(), 1e-9, 1e9)
    }
}

impl fmt::Display for Mix {
    /// Its three most frequent kinds of answer.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let total: f64 = self.0.values().sum();
        let mut kinds: Vec<_> = self.0.iter().filter(|(_, share)| **share > Self::TRACE * total).collect();
        kinds.sort_by(|one, other| other.1.total_cmp(one.1));
        let shown =
            kinds.iter().take(3).map(|(kind, share)| format!("{kind} {:.0} %", *share / total * 100.0));
        f.write_str(&shown.collect::<Vec<_>>().join(" + "))
    }
}

/// Conditions under which an identity rests. A condition that is not set never makes it rest.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Switch {
    /// Rests once its incentive exceeds this multiple of the mean of all paid miners, until `work_below`.
    pub rest_above: Option<f64>,
    /// Works again once its incentive falls below this multiple; with `rest_above`.
    pub work_below: f64,
    /// Of each `period` epochs, the first `duty` part is work. 0: no such cycle.
    pub period: u32,
    /// In [0, 1].
    pub duty: f64,
    /// Epochs after its registration before which it always works.
    pub work_first: u32,
}

/// Conditions under which an operator registers again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Return {
    /// Epochs between the loss of a uid and its new registration.
    pub after_epochs: u32,
    /// Epochs without earnings after which it gives the uid up and registers anew. 0: only when evicted.
    #[serde(default)]
    pub unpaid_epochs: u32,
}

/// One operator's conduct.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Strategy {
    /// A label for reports.
    pub name: String,
    /// Uids that the operator holds, 1 to 64.
    pub identities: u16,
    /// Number of these, the last ones, that never answer.
    pub decoys: u16,
    /// Computing power in units of what one honest miner needs; all identities share it. Not set: as much as the work
    /// needs. With less, a barrier of simultaneous challenges finds answers missing.
    pub backend: Option<f64>,
    /// Its cost per answer over the measured one, for instance of a cheaper place to compute.
    pub cost_factor: f64,
    /// Answers when it works.
    pub work: Mix,
    /// Answers when it rests. Not set: as when it works.
    pub rest: Option<Mix>,
    pub switch: Switch,
    /// Accuracy in telling judged from unjudged requests: the share of either that it recognises. Set: it works
    /// on those that it believes to be judged, and rests on the others.
    pub sight: Option<f64>,
    /// Serves the validators that hold this share of stake, the largest first, and rests on the others.
    pub served_stake: f64,
    /// Share of its answers that miss the deadline for reasons of its own, such as a longer way.
    pub late: f64,
    /// Epochs that lie between another miner's answer and its copy, for answers of the kind "copy".
    pub copy_delay: u32,
    /// Every second identity answers the mirror image of the one before.
    pub mirrored: bool,
    pub comes_back: Option<Return>,
}

impl Default for Strategy {
    /// Honest work with one uid.
    fn default() -> Self {
        Self {
            name: HONEST.to_owned(),
            identities: 1,
            decoys: 0,
            backend: None,
            cost_factor: 1.0,
            work: Mix::only(HONEST),
            rest: None,
            switch: Switch::default(),
            sight: None,
            served_stake: 1.0,
            late: 0.0,
            copy_delay: 0,
            mirrored: false,
            comes_back: None,
        }
    }
}

impl Strategy {
    /// Answers of one kind, all the time.
    pub fn plain(name: &str, kind: &str) -> Self {
        Self { name: name.to_owned(), work: Mix::only(kind), ..Self::default() }
    }

    /// Works by the kind `work` and rests by the kind `rest`.
    fn resting(name: &str, rest: &str, switch: Switch) -> Self {
        Self { rest: Some(Mix::only(rest)), switch, ..Self::plain(name, HONEST) }
    }

    /// The preset of that name, or none.
    pub fn persona(name: &str) -> Option<Self> {
        // Many uids on the power that one honest miner needs: the saving is what the attack is for.
        let backend_of_one = |strategy: Self| Self { backend: Some(1.0), ..strategy };
        Some(match name {
            "honest" => Self::default(),
            "lazy" | "random" | "nan" | "cached" | "weak" | "int4" | "int8" | "half" | "better" => {
                Self::plain(name, name)
            }
            "plagiarist" => Self { copy_delay: 1, ..Self::plain(name, COPY) },
            "twin" => Self { identities: 2, mirrored: true, ..Self::plain(name, NOISE) },
            "sleeper" => {
                let switch = Switch { rest_above: Some(0.8), work_below: 0.2, ..Switch::default() };
                Self::resting(name, "lazy", switch)
            }
            "burst" => {
                let sighted =
                    Self::resting(name, "lazy", Switch { period: 8, duty: 0.75, ..Switch::default() });
                Self { sight: Some(0.75), ..sighted }
            }
            "relay" => backend_of_one(Self { identities: 2, late: 0.01, ..Self::plain(name, HONEST) }),
            "sybil" => backend_of_one(Self { identities: 8, ..Self::plain(name, HONEST) }),
            // The noise takes a fifth of an answer's power on top.
            "veiled" => Self { identities: 8, backend: Some(1.25), ..Self::plain(name, VEILED) },
            "decoy" => backend_of_one(Self { identities: 4, decoys: 3, ..Self::plain(name, HONEST) }),
            "timing" => Self { backend: Some(0.7), ..Self::plain(name, HONEST) },
            "silence" => Self { served_stake: 0.6, ..Self::resting(name, SILENT, Switch::default()) },
            "boycott" => Self { served_stake: 0.85, ..Self::resting(name, SILENT, Switch::default()) },
            "shirker" => Self { sight: Some(0.75), ..Self::resting(name, SILENT, Switch::default()) },
            _ => return None,
        })
    }

    /// Its identities and their answers, in a line.
    pub fn summary(&self) -> String {
        let rest = self.rest.as_ref().map_or(String::new(), |rest| format!(", resting: {rest}"));
        format!("{} uids: {}{rest}", self.identities, self.work)
    }

    /// The operator's identities that answer.
    pub fn answering(&self) -> u16 {
        self.identities.saturating_sub(self.decoys)
    }

    /// True if the profile has figures for every kind of answer that it uses.
    pub fn is_measured(&self, profile: &Profile) -> bool {
        let mixes = [Some(&self.work), self.rest.as_ref()];
        let mut kinds = mixes.into_iter().flatten().flat_map(|mix| mix.0.keys());
        let has = |name: &str| profile.persona(name).is_ok();
        kinds.all(|kind| has(if kind == COPY { CACHED } else { kind })) && (!self.mirrored || has(MIRROR))
    }

    pub(super) fn check(&self) -> Result<(), ScenarioError> {
        within("identities", f64::from(self.identities), 1.0, f64::from(IDENTITIES_MAX))?;
        within("decoys", f64::from(self.decoys), 0.0, f64::from(self.identities))?;
        if let Some(backend) = self.backend {
            within("backend", backend, 0.0, 1e4)?;
        }
        within("cost_factor", self.cost_factor, 0.0, 1e4)?;
        self.work.check("work")?;
        self.rest.as_ref().map_or(Ok(()), |rest| rest.check("rest"))?;
        within("switch.rest_above", self.switch.rest_above.unwrap_or(0.0), 0.0, 1e4)?;
        within("switch.work_below", self.switch.work_below, 0.0, 1e4)?;
        within("switch.duty", self.switch.duty, 0.0, 1.0)?;
        within("sight", self.sight.unwrap_or(0.0), 0.0, 1.0)?;
        within("served_stake", self.served_stake, 0.0, 1.0)?;
        within("late", self.late, 0.0, 1.0)
    }
}

//! Arguments that several functions take: policies, profiles, attacks, candidates, each in every form that Python may
//! give it.

use pyo3::prelude::*;
use pyo3::types::{PyMapping, PyString};
use weighhouse_lab::attack::{Attack, CATALOGUE};
use weighhouse_lab::profiles;
use weighhouse_scoring::Candidate;
use weighhouse_scoring::policy::PolicyFile;
use weighhouse_types::profile::Profile;
use weighhouse_types::{Mark, Score, Uid};

use crate::class::Policy;
use crate::error::{InputError, ScenarioError, refuse};
use crate::field::Fields;
use crate::value;

/// A policy, or the text of one.
pub(crate) fn read_policy(policy: &Bound<'_, PyAny>) -> PyResult<PolicyFile> {
    match policy.cast::<Policy>() {
        Ok(policy) => Ok(policy.get().file.clone()),
        Err(_) => Ok(Policy::of(&policy.cast::<PyString>()?.to_cow()?)?.file),
    }
}

/// A shipped profile's name, the text of one (it has more than one line), or a dictionary.
pub(crate) fn read_profile(source: &Bound<'_, PyAny>) -> PyResult<Profile> {
    let Ok(text) = source.cast::<PyString>() else { return value::read_as::<_, ScenarioError>(source) };
    let text = text.to_cow()?;
    match text.contains('\n') {
        true => Profile::parse(&text).map_err(refuse::<ScenarioError>),
        false => profiles::shipped(&text).map_err(refuse::<ScenarioError>),
    }
}

/// A known attack's name, or one as a dictionary.
pub(crate) fn read_attack(attack: &Bound<'_, PyAny>) -> PyResult<Attack> {
    let Ok(name) = attack.cast::<PyString>() else { return value::read_as::<_, InputError>(attack) };
    let name = name.to_cow()?;
    Attack::named(&name).ok_or_else(|| {
        let known: Vec<&str> = CATALOGUE.iter().map(|(known, _)| *known).collect();
        refuse::<InputError>(format!(
            "no attack is called {name:?}; known are {}, and sybil-N",
            known.join(", ")
        ))
    })
}

/// Policies by name; the one that ships if none are given.
pub(crate) fn read_policies(policies: Option<&Bound<'_, PyMapping>>) -> PyResult<Vec<(String, PolicyFile)>> {
    let Some(policies) = policies else { return Ok(vec![("default".to_owned(), PolicyFile::shipped())]) };
    let named = |pair: Bound<'_, PyAny>| {
        let (name, policy): (String, Bound<'_, PyAny>) = pair.extract()?;
        Ok((name, read_policy(&policy)?))
    };
    policies.items()?.iter().map(named).collect()
}

/// Scores by uid, or dictionaries with the keys of a candidate.
pub(crate) fn read_candidates(candidates: &Bound<'_, PyAny>) -> PyResult<Vec<Candidate>> {
    if let Ok(scores) = candidates.cast::<PyMapping>() {
        let candidate = |pair: Bound<'_, PyAny>| {
            let (uid, score): (u16, f64) = pair.extract()?;
            Ok(Candidate {
                uid: Uid(uid),
                score: read_score(score)?,
                cluster: None,
                place: None,
                registered_at: 0,
            })
        };
        return scores.items()?.iter().map(candidate).collect();
    }
    let candidate = |item: PyResult<Bound<'_, PyAny>>| {
        let item = item?;
        let mut fields = Fields::of(item.cast::<PyMapping>()?, "candidate");
        let candidate = Candidate {
            uid: Uid(fields.required("uid")?),
            score: read_score(fields.required("score")?)?,
            cluster: fields.optional("cluster")?,
            place: fields.optional("place")?,
            registered_at: fields.or("registered_at", 0)?,
        };
        fields.finish()?;
        Ok(candidate)
    };
    candidates.try_iter()?.map(candidate).collect()
}

fn read_score(score: f64) -> PyResult<Score> {
    let mark = if (0.0..=1.0).contains(&score) { Mark::from_f64(score) } else { None };
    mark.map(Score::clip)
        .ok_or_else(|| refuse::<InputError>(format!("a score of {score}, it must lie in [0, 1]")))
}

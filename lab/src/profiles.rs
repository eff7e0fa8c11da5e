//! Profiles that ship with the software: measured figures of the built-in tasks.

use weighhouse_types::profile::Profile;

/// Name and text of each shipped profile.
const SHIPPED: [(&str, &str); 10] = [
    ("digits-conformance-private", include_str!("../profiles/digits-conformance-private.toml")),
    ("digits-conformance-shared", include_str!("../profiles/digits-conformance-shared.toml")),
    ("digits-quality-private", include_str!("../profiles/digits-quality-private.toml")),
    ("digits-quality-shared", include_str!("../profiles/digits-quality-shared.toml")),
    ("embed", include_str!("../profiles/embed.toml")),
    ("forecast", include_str!("../profiles/forecast.toml")),
    ("generate", include_str!("../profiles/generate.toml")),
    ("generate-greedy", include_str!("../profiles/generate-greedy.toml")),
    ("label", include_str!("../profiles/label.toml")),
    ("regress", include_str!("../profiles/regress.toml")),
];

/// A name under which no profile ships.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no profile `{name}` ships with the software, there are {known}")]
pub struct UnknownProfile {
    pub name: String,
    /// The names that ship.
    pub known: String,
}

/// The names of the shipped profiles.
pub fn names() -> impl Iterator<Item = &'static str> {
    SHIPPED.iter().map(|(name, _)| *name)
}

/// Reads a shipped profile.
///
/// # Errors
/// Names those that ship.
pub fn shipped(name: &str) -> Result<Profile, UnknownProfile> {
    let found = SHIPPED.iter().find(|(shipped, _)| *shipped == name);
    let unknown =
        || UnknownProfile { name: name.to_owned(), known: SHIPPED.map(|(shipped, _)| shipped).join(", ") };
    let (_, text) = found.ok_or_else(unknown)?;
    Ok(Profile::parse(text).expect("a test reads every profile that ships"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use weighhouse_types::profile::Scope;

    #[test]
    fn every_profile_that_ships_is_read_and_has_the_scope_of_its_name() {
        for name in names() {
            let profile = shipped(name).expect("parses");
            let is_shared = name.ends_with("shared") || ["forecast", "label", "regress"].contains(&name);
            let scope = if is_shared { Scope::Shared } else { Scope::Private };
            assert_eq!((profile.scope, name.starts_with(&profile.task)), (scope, true), "{name}");
            let silent = profile.persona("silent").expect("measured everywhere");
            assert!(profile.honest().mean > 0.5 && silent.mean == 0.0, "{name}");
        }
        let error = shipped("digits").expect_err("no such profile").to_string();
        assert!(error.contains("digits-quality-shared"), "{error}");
    }
}

//! A plausible task for tests; its figures are nobody's measurement.

use super::scenario::Scenario;
use weighhouse_scoring::policy::PolicyFile;
use weighhouse_types::profile::{Profile, Scope};

pub(crate) const PROFILE: &str = r#"
version = 1
task = "fixture"
paid = "quality"
scope = "private"
challenges = 1000
[cost]
answer = 0.002
reference = 0.002
judge = 0.00004
[[persona]]
name = "honest"
mean = 0.8
deviation = 0.2
cost = 1.0
rejected = 0.01
correlation = 0.3
[[persona]]
name = "weak"
mean = 0.62
deviation = 0.3
cost = 0.3
rejected = 0.1
correlation = 0.2
[[persona]]
name = "int4"
mean = 0.7
deviation = 0.25
cost = 0.4
rejected = 0.05
correlation = 0.25
[[persona]]
name = "lazy"
mean = -0.05
deviation = 0.2
cost = 0.0
rejected = 0.8
correlation = 0.0
[[persona]]
name = "random"
mean = 0.0
deviation = 0.3
cost = 0.0
rejected = 0.6
correlation = 0.0
[[persona]]
name = "nan"
mean = 0.0
deviation = 0.0
cost = 0.0
rejected = 1.0
[[persona]]
name = "cached"
mean = 0.0
deviation = 0.3
cost = 0.0
rejected = 0.6
[[persona]]
name = "silent"
mean = 0.0
deviation = 0.0
cost = 0.0
rejected = 1.0
[[persona]]
name = "noise"
mean = 0.0
deviation = 0.15
cost = 0.0
rejected = 0.5
[[persona]]
name = "mirror"
mean = 0.0
deviation = 0.15
cost = 0.0
rejected = 0.5
[[persona]]
name = "half"
mean = 0.75
deviation = 0.2
cost = 0.95
rejected = 0.02
[[persona]]
name = "int8"
mean = 0.74
deviation = 0.2
cost = 0.95
rejected = 0.02
[[persona]]
name = "veiled-0.5"
mean = 0.76
deviation = 0.2
cost = 1.0
rejected = 0.02
correlation = 0.3
"#;

/// The fixture with a scope.
pub(crate) fn profile(scope: Scope) -> Profile {
    Profile { scope, ..Profile::parse(PROFILE).expect("the fixture parses") }
}

/// A policy of version 2 with these keys.
pub(crate) fn policy(keys: &str) -> PolicyFile {
    read(&format!("version = 2\n{keys}"))
}

/// The policy file of this text.
pub(crate) fn read(text: &str) -> PolicyFile {
    PolicyFile::parse(text.as_bytes()).expect("a policy")
}

/// A small honest world.
pub(crate) fn small() -> Scenario {
    Scenario::honest(profile(Scope::Private), 20, 4, 40)
}

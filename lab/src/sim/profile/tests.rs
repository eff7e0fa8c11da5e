use super::*;
use crate::sim::fixture::PROFILE;

#[test]
fn a_measured_profile_is_read_whole() {
    let profile = Profile::parse(PROFILE).expect("parses");
    assert_eq!(profile.honest().cost, 1.0);
    assert_eq!(profile.kind("weak").expect("measured").name, "weak");
}

#[test]
fn a_kind_that_was_not_measured_is_an_error_that_names_the_others() {
    let error = Profile::parse(PROFILE).expect("parses").kind("brilliant").expect_err("unknown").to_string();
    assert!(error.contains("brilliant") && error.contains("honest"), "{error}");
}

#[test]
fn figures_out_of_range_are_refused_by_name() {
    for (from, to, named) in [
        ("version = 1", "version = 2", "version 2"),
        ("mean = 0.62", "mean = 1.5", "`mean` of `weak`"),
        ("answer = 0.002", "answer = 0.0", "`answer` of `cost`"),
        ("name = \"weak\"", "name = \"lazy\"", "twice"),
        ("name = \"honest\"", "name = \"decent\"", "lacks `honest`"),
        ("reference = ", "referent = ", "did you mean `reference`"),
    ] {
        assert!(PROFILE.contains(from), "the fixture has no {from}");
        let error = Profile::parse(&PROFILE.replacen(from, to, 1)).expect_err(to).to_string();
        assert!(error.contains(named), "{error}");
    }
}

#[test]
fn every_profile_that_ships_is_read_and_has_the_scope_of_its_name() {
    for name in Profile::builtin_names() {
        let profile = Profile::builtin(name).expect("parses");
        assert_eq!(profile.scope == Scope::Shared, name.ends_with("shared"), "{name}");
        assert!(profile.kind("lazy").is_ok() && profile.kind("silent").is_ok(), "{name}");
    }
    let error = Profile::builtin("digits").expect_err("no such profile").to_string();
    assert!(error.contains("digits-quality-shared"), "{error}");
}

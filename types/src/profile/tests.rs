use super::*;

const PROFILE: &str = r#"
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
[[persona]]
name = "lazy"
mean = -0.05
deviation = 0.2
cost = 0.0
rejected = 0.8
"#;

#[test]
fn a_measured_profile_is_read_whole() {
    let profile = Profile::parse(PROFILE).expect("parses");
    assert_eq!(profile.honest().cost, 1.0);
    assert_eq!(profile.persona("weak").expect("measured").name, "weak");
}

#[test]
fn a_persona_that_was_not_measured_is_an_error_that_names_the_others() {
    let error =
        Profile::parse(PROFILE).expect("parses").persona("brilliant").expect_err("unknown").to_string();
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

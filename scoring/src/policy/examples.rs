//! Policies to start from, each with its reasons in comments.

/// Name, what it is for, and the file.
pub const EXAMPLES: [(&str, &str, &str); 5] = [
    ("winner", "one miner takes all", include_str!("../../policies/examples/winner.toml")),
    ("top", "the best few, by places that are held", include_str!("../../policies/examples/top.toml")),
    ("softmax", "everybody, the better ones by more", include_str!("../../policies/examples/softmax.toml")),
    ("burn", "a share of emission for nobody", include_str!("../../policies/examples/burn.toml")),
    (
        "expression",
        "a deadline and a slow start in CEL",
        include_str!("../../policies/examples/expression.toml"),
    ),
];

#[cfg(test)]
mod tests {
    use super::EXAMPLES;
    use crate::policy::{PolicyFile, Shape};

    #[test]
    fn every_example_is_a_policy_of_its_kind_and_explains_itself() {
        for (name, _, text) in EXAMPLES {
            let file = PolicyFile::parse(text.as_bytes()).unwrap_or_else(|error| panic!("{name}: {error}"));
            let policy = file.policy();
            assert!(text.starts_with("# ") && text.matches("\n#").count() >= 4, "{name}");
            let fits = match name {
                "winner" => matches!(policy.shape(), Shape::WinnerTakesAll { .. }),
                "top" => matches!(policy.shape(), Shape::Rank { .. }),
                "softmax" => matches!(policy.shape(), Shape::Softmax { .. }),
                "burn" => policy.burn().is_some(),
                _ => policy.expression().is_some_and(|expression| expression.faults(8, 0.0).is_empty()),
            };
            assert!(fits, "{name}");
        }
    }
}

//! A report with every part, of made-up figures.

use crate::attack::MatrixCell;

use super::{BestResponse, Change, Comparison, Data, Figure, Goal, ReportEntry, ReportTable, Series};

pub(super) const FRACTIONS: [f64; 6] = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6];

pub(super) fn row(attack: &str, fraction: f64, ratio: f64) -> MatrixCell {
    MatrixCell {
        attack: attack.to_owned(),
        fraction,
        policy: "default".to_owned(),
        detectable: !matches!(attack, "relay" | "sybil"),
        profit_ratio: Some(ratio),
        ci95: Some([ratio - 0.02, ratio + 0.02]),
    }
}

pub(super) fn series(name: &str, values: impl IntoIterator<Item = f64>) -> Series {
    Series {
        name: name.to_owned(),
        attacker: name != "honest",
        values: values.into_iter().map(Some).collect(),
        low: Vec::new(),
        high: Vec::new(),
    }
}

pub(super) fn full() -> Data {
    let mut data = Data::new("Default policy against the catalogue");
    for (attack, start) in [("lazy", -0.1), ("int4", 0.6), ("burst", 0.85), ("relay", 0.98), ("sybil", 1.0)] {
        data.matrix.extend(FRACTIONS.map(|fraction| row(attack, fraction, start + fraction / 4.0)));
    }
    data.best_response = Some(BestResponse {
        profit_ratio: Some(1.031),
        evaluations: 100_000,
        goal: Some(Goal::AtMost(1.05)),
        strategy: "identities = 3\nwork = { honest = 0.8, int4 = 0.2 }".to_owned(),
    });
    data.curves.push(series("honest", (0..50).map(|epoch| 1.0 - 0.3 / f64::from(epoch + 1))));
    data.curves.push(series("lazy", (0..50).map(|epoch| 0.3 / f64::from(epoch + 1))));
    data.add_distribution("default", (1..=30).map(f64::from));
    data.comparison = Some(Comparison {
        before: "default".to_owned(),
        after: "sharper".to_owned(),
        changes: ["one", "two", "three"]
            .into_iter()
            .zip([(0.5, 0.6), (0.3, 0.3), (0.2, 0.1)])
            .map(|(miner, (before, after))| Change {
                miner: miner.to_owned(),
                before: Some(before),
                after: Some(after),
            })
            .collect(),
    });
    data.figures.push(Figure::new("vtrust, lowest", 0.981, "").at_least(0.97));
    data.figures.push(Figure::new("honest loss", 0.031, "%").at_most(0.02));
    data.tables.push(ReportTable {
        title: "Measured".to_owned(),
        columns: vec!["answer".to_owned(), "cost".to_owned()],
        rows: vec![
            vec![ReportEntry::from("lazy"), ReportEntry::from(0.0)],
            vec![ReportEntry::from("honest"), ReportEntry::from(1.0)],
        ],
    });
    data.note("seeds", "1, 2, 3");
    data
}

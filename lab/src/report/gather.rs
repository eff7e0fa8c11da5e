//! A report's data out of what the simulator leaves behind.

use super::data::{Data, Distribution, Figure, Note, ReportEntry, ReportTable, Series};
use crate::attack::{AttackWords, Matrix, MatrixRow, words};
use crate::sim::{MinerOutcome, SimulationOutcome, ValidatorOutcome};
use crate::world::{COST_SHARES, UNJUDGED};
use weighhouse_types::profile::Profile;

impl Data {
    pub fn new(title: impl Into<String>) -> Self {
        Self { title: title.into(), ..Self::default() }
    }

    /// Runs of one scenario with different seeds: curves, figures, results by group, and what the runs rest on.
    pub fn of_outcomes(title: impl Into<String>, outcomes: &[SimulationOutcome]) -> Self {
        let mut data = Self::new(title);
        data.add_outcomes(outcomes);
        data
    }

    /// Adds what runs of one scenario with different seeds have to show.
    pub fn add_outcomes(&mut self, outcomes: &[SimulationOutcome]) {
        let Some(first) = outcomes.first() else { return };
        self.curves.extend(curves(outcomes));
        self.figures.extend(figures(outcomes));
        self.tables.push(miners(outcomes));
        self.tables.push(validators(outcomes));
        self.add_profile(&first.profile);
        let seeds: Vec<_> = outcomes.iter().map(|outcome| outcome.seed.to_string()).collect();
        self.notes.push(Note::new("seeds", seeds.join(", ")));
        self.notes.push(Note::new("epochs", first.epochs.to_string()));
        self.notes
            .push(Note::new("CPU-seconds that a TAO is worth", format!("{:.6}", first.rao_value * 1e9)));
    }

    /// An attack matrix with the figures that it rests on.
    pub fn of_matrix(title: impl Into<String>, matrix: &Matrix) -> Self {
        let mut data = Self::new(title);
        data.matrix = matrix.matrix.iter().map(|row| row.cell.clone()).collect();
        let mut known: Vec<&str> = Vec::new();
        for row in &matrix.matrix {
            if !known.contains(&row.cell.attack.as_str()) {
                known.push(&row.cell.attack);
            }
        }
        let told = |name: &&str| {
            let AttackWords { does, seen, answer, .. } = words(name)?;
            Some(Note::new(*name, format!("{does} Seen: {seen} Answered: {answer}")))
        };
        data.explanations = known.iter().filter_map(told).collect();
        data.tables.extend(differences(matrix));
        data.tables.extend(victims(matrix));
        data.tables.extend(sweeps(matrix));
        data.add_profile(&matrix.profile);
        data.note("assumes that", matrix.assumptions.in_words());
        let seeds: Vec<_> = matrix.seeds.iter().map(u64::to_string).collect();
        data.note("seeds", seeds.join(", "));
        data.note("epochs", matrix.epochs.to_string());
        data.note("CPU-seconds that a TAO is worth", format!("{:.6}", matrix.rao_value * 1e9));
        data
    }

    /// Adds the measured costs and detection rates of a task, once.
    pub fn add_profile(&mut self, profile: &Profile) {
        let table = measured(profile);
        if !self.tables.contains(&table) {
            self.tables.push(table);
        }
    }

    /// Adds who gets how much, by rank.
    pub fn add_distribution(&mut self, label: impl Into<String>, weights: impl IntoIterator<Item = f64>) {
        self.distributions.push(Distribution::new(label, weights));
    }

    pub fn note(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.notes.push(Note::new(name, value));
    }
}

/// Each group's share of what miners got in each epoch: mean, least and most over the runs.
fn curves(outcomes: &[SimulationOutcome]) -> Vec<Series> {
    let names = outcomes[0].miners.iter();
    names.map(|group| curve(outcomes, &group.name, group.attacker)).collect()
}

fn curve(outcomes: &[SimulationOutcome], name: &str, attacker: bool) -> Series {
    let runs: Vec<Vec<Option<f64>>> = outcomes.iter().map(|outcome| shares(outcome, name)).collect();
    let epochs = runs.iter().map(Vec::len).max().unwrap_or(0);
    let at = |epoch: usize| runs.iter().filter_map(move |run| run.get(epoch).copied().flatten());
    let mean = |epoch| {
        let count = at(epoch).count();
        (count > 0).then(|| at(epoch).sum::<f64>() / count as f64)
    };
    let spread = |pick: fn(f64, f64) -> f64| match runs.len() {
        // A single run has no spread beside its own curve.
        1 => Vec::new(),
        _ => (0..epochs).map(|epoch| at(epoch).reduce(pick)).collect(),
    };
    Series {
        name: name.to_owned(),
        attacker,
        values: (0..epochs).map(mean).collect(),
        low: spread(f64::min),
        high: spread(f64::max),
    }
}

fn shares(outcome: &SimulationOutcome, name: &str) -> Vec<Option<f64>> {
    let Some(group) = outcome.group(name) else { return Vec::new() };
    let earned = |group: &MinerOutcome, epoch: usize| {
        group.emission_by_epoch_rao.get(epoch).copied().unwrap_or(0) as f64
    };
    let share = |epoch| {
        let all: f64 = outcome.miners.iter().map(|group| earned(group, epoch)).sum();
        // Unknown and not 0 in an epoch in which no miner was paid.
        (all > 0.0).then(|| earned(group, epoch) / all)
    };
    (0..group.emission_by_epoch_rao.len()).map(share).collect()
}

/// The mean of those that have one.
fn mean<'a, T: 'a>(all: impl Iterator<Item = &'a T>, of: impl Fn(&T) -> Option<f64>) -> Option<f64> {
    let (mut sum, mut count) = (0.0, 0_u32);
    for value in all.filter_map(of) {
        (sum, count) = (sum + value, count + 1);
    }
    (count > 0).then(|| sum / f64::from(count))
}

fn figures(outcomes: &[SimulationOutcome]) -> Vec<Figure> {
    let over = |of: fn(&SimulationOutcome) -> Option<f64>| mean(outcomes.iter(), of);
    let least = outcomes.iter().map(|outcome| outcome.vtrust_least).reduce(f64::min);
    let slowest = outcomes.iter().filter_map(|outcome| outcome.newcomers.epochs_most).max();
    vec![
        Figure::new("rank correlation of earnings with quality", over(|run| run.rank_correlation), ""),
        Figure::new("vtrust of honest validators, lowest", least, "").at_least(0.97),
        Figure::new("vtrust of honest validators, mean", over(|run| Some(run.vtrust_mean)), ""),
        Figure::new("newcomers that reached their share", over(reached), "%"),
        Figure::new("epochs until a newcomer has its share", over(|run| run.newcomers.epochs_mean), "epochs"),
        Figure::new("the same of the slowest", slowest.map(f64::from), "epochs"),
        Figure::new("emission paid for others' work", over(misdirected), "%"),
        Figure::new(
            "epochs in which an honest validator abstained",
            over(|run| Some(run.abstentions as f64)),
            "",
        ),
    ]
}

fn reached(run: &SimulationOutcome) -> Option<f64> {
    (run.newcomers.count > 0).then(|| f64::from(run.newcomers.reached) / f64::from(run.newcomers.count))
}

fn misdirected(run: &SimulationOutcome) -> Option<f64> {
    (run.miners_rao > 0).then(|| run.misdirected_rao as f64 / run.miners_rao as f64)
}

/// Means over the runs, by group of miners.
fn miners(outcomes: &[SimulationOutcome]) -> ReportTable {
    let columns = [
        "persona",
        "conduct",
        "operators",
        "share of emission, %",
        "return per cost",
        "profit, CPU-s",
        "quality",
        "detected, %",
        "epochs to detect",
        "registrations",
    ];
    let row = |group: &MinerOutcome| {
        let over = |of: &dyn Fn(&MinerOutcome) -> Option<f64>| {
            mean(outcomes.iter(), |run| run.group(&group.name).and_then(of))
        };
        let share = mean(outcomes.iter(), |run: &SimulationOutcome| {
            let earned = run.group(&group.name)?.emission_rao as f64;
            (run.miners_rao > 0).then(|| 100.0 * earned / run.miners_rao as f64)
        });
        let detected = |group: &MinerOutcome| {
            (group.dishonest > 0).then(|| 100.0 * f64::from(group.detected) / f64::from(group.dishonest))
        };
        vec![
            ReportEntry::from(group.name.as_str()),
            ReportEntry::from(if group.attacker { "attacks" } else { "honest" }),
            ReportEntry::from(f64::from(group.operators)),
            share.into(),
            over(&|group| group.return_per_cost).into(),
            over(&|group| Some(group.profit)).into(),
            over(&|group| Some(group.quality)).into(),
            over(&detected).into(),
            over(&|group| group.epochs_to_detect).into(),
            over(&|group| Some(f64::from(group.registrations))).into(),
        ]
    };
    ReportTable {
        title: "Miners".to_owned(),
        columns: columns.map(str::to_owned).to_vec(),
        rows: outcomes[0].miners.iter().map(row).collect(),
    }
}

/// Means over the runs, by group of validators.
fn validators(outcomes: &[SimulationOutcome]) -> ReportTable {
    let columns =
        ["validators", "count", "dividend per stake", "mean vtrust", "cost, CPU-s", "settled profit"];
    let row = |group: &ValidatorOutcome| {
        let over = |of: fn(&ValidatorOutcome) -> f64| {
            ReportEntry::from(mean(outcomes.iter(), |run| run.validator_group(&group.name).map(of)))
        };
        vec![
            ReportEntry::from(group.name.as_str()),
            ReportEntry::from(f64::from(group.count)),
            over(|group| group.dividend_per_stake),
            over(|group| group.vtrust_mean),
            over(|group| group.cost),
            over(|group| group.settled_profit),
        ]
    };
    ReportTable {
        title: "Validators".to_owned(),
        columns: columns.map(str::to_owned).to_vec(),
        rows: outcomes[0].validators.iter().map(row).collect(),
    }
}

/// Who pays for each attack where it hurts most, at up to 40 % bad miners.
fn victims(matrix: &Matrix) -> Option<ReportTable> {
    let mut rows: Vec<&MatrixRow> = Vec::new();
    for row in matrix.matrix.iter().filter(|row| row.cell.counts()) {
        let hurts = |row: &MatrixRow| row.honest_loss.max(row.validator_loss);
        match rows
            .iter_mut()
            .find(|known| known.cell.attack == row.cell.attack && known.cell.policy == row.cell.policy)
        {
            Some(known) if hurts(row) > hurts(known) => *known = row,
            Some(_) => {}
            None => rows.push(row),
        }
    }
    let columns = [
        "attack",
        "policy",
        "bad miners, %",
        "honest miners lose, %",
        "worst-hit validator loses, %",
        "delegated stake that loses, %",
    ];
    let entries = |row: &&MatrixRow| {
        vec![
            ReportEntry::from(row.cell.attack.as_str()),
            row.cell.policy.as_str().into(),
            (100.0 * row.cell.fraction).into(),
            (100.0 * row.honest_loss).into(),
            (100.0 * row.validator_loss).into(),
            (100.0 * row.harmed_stake).into(),
        ]
    };
    let table = ReportTable {
        title: "Who pays for it".to_owned(),
        columns: columns.map(str::to_owned).to_vec(),
        rows: rows.iter().map(entries).collect(),
    };
    (!table.rows.is_empty()).then_some(table)
}

/// Two policies side by side: each attack where it earns most under either, at up to 40 % bad miners.
fn differences(matrix: &Matrix) -> Option<ReportTable> {
    let mut policies: Vec<&str> = matrix.matrix.iter().map(|row| row.cell.policy.as_str()).collect();
    policies.dedup();
    let [before, after] = policies[..] else { return None };
    let mut rows: Vec<(f64, Vec<ReportEntry>)> = Vec::new();
    let mut attacks: Vec<&str> = Vec::new();
    for row in &matrix.matrix {
        if !attacks.contains(&row.cell.attack.as_str()) {
            attacks.push(&row.cell.attack);
        }
    }
    for attack in attacks {
        let most = |policy: &str| {
            let cells = matrix
                .matrix
                .iter()
                .map(|row| &row.cell)
                .filter(|cell| cell.attack == attack && cell.policy == policy && cell.counts());
            cells.filter_map(|cell| cell.profit_ratio).reduce(f64::max)
        };
        let (one, other) = (most(before), most(after));
        let change = one.zip(other).map(|(one, other)| other - one);
        rows.push((change.unwrap_or(0.0), vec![attack.into(), one.into(), other.into(), change.into()]));
    }
    rows.sort_by(|one, other| one.0.total_cmp(&other.0));
    let columns = ["attack at its best".to_owned(), before.to_owned(), after.to_owned(), "change".to_owned()];
    Some(ReportTable {
        title: format!("{after} against {before}"),
        columns: columns.to_vec(),
        rows: rows.into_iter().map(|(_, row)| row).collect(),
    })
}

/// For each policy, the best attack by cost share and by unjudged requests.
fn sweeps(matrix: &Matrix) -> Vec<ReportTable> {
    let mut tables: Vec<ReportTable> = Vec::new();
    let mut policies: Vec<&str> = matrix.sweep.iter().map(|row| row.policy.as_str()).collect();
    policies.dedup();
    for policy in policies {
        let of_policy = || matrix.sweep.iter().filter(|row| row.policy == policy);
        let mut rows = Vec::new();
        for share in COST_SHARES {
            let mut row = vec![ReportEntry::from(share)];
            row.extend(UNJUDGED.map(|unjudged| {
                let best = of_policy().find(|row| row.cost_share == share && row.unjudged == unjudged);
                best.map_or(ReportEntry::Number(None), |best| {
                    format!("{:.2} {}", best.profit_ratio, best.attack).into()
                })
            }));
            rows.push(row);
        }
        let mut columns = vec!["honest cost share".to_owned()];
        columns.extend(UNJUDGED.map(|unjudged| format!("{unjudged} unjudged per judged")));
        let title = format!("Best attack up to 40 % bad miners, by costs, policy {policy}");
        tables.push(ReportTable { title, columns, rows });
    }
    tables
}

/// Table of the figures measured on the task.
fn measured(profile: &Profile) -> ReportTable {
    let columns = ["answer", "mean mark", "deviation", "rejected, %", "correlation", "cost, CPU-ms"];
    let rows = profile.personas.iter().map(|kind| {
        vec![
            ReportEntry::from(kind.name.as_str()),
            kind.mean.into(),
            kind.deviation.into(),
            (100.0 * kind.rejected).into(),
            kind.correlation.into(),
            (1e3 * kind.cost * profile.cost.answer).into(),
        ]
    });
    let cost = |name: &str, seconds: f64| {
        let none = ReportEntry::Number(None);
        vec![ReportEntry::from(name), none.clone(), none.clone(), none.clone(), none, (1e3 * seconds).into()]
    };
    let judging =
        [cost("(reference)", profile.cost.reference), cost("(judging one answer)", profile.cost.judge)];
    ReportTable {
        title: format!("Measured on task {}, {} challenges", profile.task, profile.challenges),
        columns: columns.map(str::to_owned).to_vec(),
        rows: rows.chain(judging).collect(),
    }
}

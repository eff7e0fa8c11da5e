//! A budget under examination: every measured way of pretending, and the strategies around it.

use serde::Serialize;

use super::super::file::Budget;
use super::{
    FALSE_CONVICTIONS_MAX, HONEST_LOSS_MAX, Pretence, PretenceFigures, PretenceVerdict, Stakes, Strategies,
    Strategy, StrategyWorth,
};

/// Epochs of each sort that a strategy has at most.
const STRATEGY_EPOCHS_MAX: u32 = 40;
/// Strategies that are named, and epochs of pretending in one.
const NEAREST: usize = 10;
const NEAREST_EACH: u32 = 3;
/// The pay of always pretending over a settled honest miner's, at most.
const ALWAYS_PAID_MAX: f64 = 0.1;

/// What pretending is worth under a budget, in an epoch of so many rounds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Examination {
    pub rounds: u32,
    /// Answers that a newcomer serves unpaid: the loss by a conviction.
    pub loss: f64,
    /// An upper bound on an honest miner's false convictions in an epoch, and on the share of its pay that they cost.
    pub false_convictions: f64,
    pub honest_loss: f64,
    pub pretences: Vec<ExaminedPretence>,
    /// The strategies whose stretch of pretending is nearest to honest work.
    pub nearest: Vec<NearStrategy>,
    /// What must not be.
    pub problems: Vec<String>,
}

/// A strategy and the way of pretending that it is about.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct NearStrategy {
    pub pretence: String,
    #[serde(flatten)]
    pub worth: StrategyWorth,
}

/// One way of pretending.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ExaminedPretence {
    #[serde(flatten)]
    pub figures: PretenceFigures,
    /// The strategies around it; `None` where it conforms or saves nothing.
    pub strategies: Option<StrategyFigures>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StrategyFigures {
    /// The strategy that is nearest to honest work.
    pub nearest: StrategyWorth,
    /// The stretch of pretending that is worth most, with what follows.
    pub stretch_most: f64,
    /// The most that any strategy gains.
    pub best: f64,
    /// The pay of always pretending over a settled honest miner's.
    pub always_paid: f64,
}

impl Examination {
    /// `spot_rounds` ask newcomers, and settled miners seldom.
    ///
    /// # Errors
    /// Terms of earlier task files, under which a conviction is forgotten when its epoch ends.
    pub fn new(budget: &Budget, rounds: u32, spot_rounds: u32) -> Result<Self, String> {
        let Some(stakes) = Stakes::new(budget, rounds, spot_rounds) else {
            return Err("unchecked answers count in full and a conviction ends with its epoch, so that pretending pays: \
                        calibrate the task again for newcomer_checks"
                .to_owned());
        };
        let false_convictions = budget.false_convictions(stakes.rounds.saturating_add(spot_rounds));
        // What is lost of the epoch itself is one epoch's pay at most.
        let honest_loss = false_convictions * (f64::from(stakes.wait) + 1.0);
        let pretences: Vec<_> = budget.cheats.iter().map(|cheat| examined(cheat, &stakes)).collect();
        let mut problems: Vec<String> = pretences.iter().filter_map(problem).collect();
        if budget.cheats.is_empty() {
            problems.push("no way of pretending was measured: calibrate the task again".to_owned());
        }
        if false_convictions > FALSE_CONVICTIONS_MAX {
            problems.push(format!(
                "an honest miner is convicted in up to {false_convictions:.1e} of its epochs, more than {FALSE_CONVICTIONS_MAX:.0e}"
            ));
        }
        if honest_loss > HONEST_LOSS_MAX {
            problems
                .push(format!("false convictions cost honest miners up to {honest_loss:.1e} of their pay"));
        }
        let (rounds, loss) = (stakes.rounds, stakes.loss());
        let nearest = nearest(&budget.cheats, &stakes);
        Ok(Self { rounds, loss, false_convictions, honest_loss, pretences, nearest, problems })
    }
}

impl Examination {
    /// A table, as comments of a task file.
    pub(crate) fn in_comments(&self) -> String {
        let mut text = format!(
            "# At {} rounds an epoch a conviction costs {} answers, and an honest miner's false ones {:.1e} an epoch at most:\n",
            self.rounds, self.loss, self.false_convictions
        );
        text.push_str(&row(
            "",
            ["convicted", "saves", "loss", "gain", "nearest", "stretch", "always"].map(String::from),
        ));
        for ExaminedPretence { figures, strategies } in &self.pretences {
            let [loss, gain] = figures.expected;
            let strategies = match (strategies, figures.verdict) {
                (Some(found), _) => [
                    format!("{:.1}", found.nearest.gain),
                    format!("{:.2}", found.stretch_most),
                    format!("{:.4}", found.always_paid),
                ],
                (None, PretenceVerdict::Conforms) => ["conforms", "", ""].map(String::from),
                (None, _) => ["-"; 3].map(String::from),
            };
            let detection = format!("{:.4}", figures.detection);
            let amounts = [figures.gain, loss, gain].map(|amount| format!("{amount:.3}"));
            let cells = [detection].into_iter().chain(amounts).chain(strategies).collect::<Vec<_>>();
            text.push_str(&row(&figures.name, std::array::from_fn(|at| cells[at].clone())));
        }
        text
    }
}

fn row(name: &str, cells: [String; 7]) -> String {
    let cells: String = cells.iter().map(|cell| format!(" {cell:>9}")).collect();
    format!("{}\n", format!("#   {name:<12}{cells}").trim_end())
}

/// The strategies whose stretch of pretending is nearest to honest work, a few of each way; each as soon as it is settled.
fn nearest(cheats: &[Pretence], stakes: &Stakes) -> Vec<NearStrategy> {
    let saves = cheats.iter().filter(|cheat| cheat.figures(stakes).is_followed());
    let honest = stakes.wait.saturating_add(1);
    let mut near: Vec<_> = saves
        .flat_map(|cheat| {
            let strategies = Strategies::new(cheat, *stakes);
            (1..=NEAREST_EACH).map(move |pretending| {
                let strategy = Strategy { honest, pretending, regains: false };
                NearStrategy { pretence: cheat.name.clone(), worth: strategies.worth(strategy) }
            })
        })
        .collect();
    near.sort_by(|one, other| other.worth.stretch.total_cmp(&one.worth.stretch));
    near.truncate(NEAREST);
    near
}

fn examined(pretence: &Pretence, stakes: &Stakes) -> ExaminedPretence {
    let figures = pretence.figures(stakes);
    let strategies = figures.is_followed().then(|| {
        let strategies = Strategies::new(pretence, *stakes);
        let all = strategies.all(STRATEGY_EPOCHS_MAX);
        StrategyFigures {
            nearest: all[0],
            stretch_most: all.iter().map(|worth| worth.stretch).fold(f64::NEG_INFINITY, f64::max),
            best: strategies.best(),
            always_paid: strategies.always_paid(),
        }
    });
    ExaminedPretence { figures, strategies }
}

fn problem(examined: &ExaminedPretence) -> Option<String> {
    let PretenceFigures { name, expected: [loss, gain], verdict, .. } = &examined.figures;
    if *verdict == PretenceVerdict::Pays {
        return Some(format!(
            "{name} pays: of an answer {loss:.3} is lost by convictions and {gain:.3} saved, in units of its pay, and the loss \
             has to be twice the gain: raise newcomer_checks or drawn"
        ));
    }
    let strategies = examined.strategies.as_ref()?;
    if strategies.best > 0.0 || strategies.nearest.gain > 0.0 || strategies.stretch_most >= 0.0 {
        return Some(format!(
            "{name} pays for a while: a strategy gains {:.1} answers' pay",
            strategies.best
        ));
    }
    (strategies.always_paid > ALWAYS_PAID_MAX)
        .then(|| format!("always {name} is paid {:.2} of an honest miner's pay", strategies.always_paid))
}

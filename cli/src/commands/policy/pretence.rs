//! What pretending is worth under a task's budget, as `weighhouse policy check --task` shows it.

use weighhouse_lab::lint::{Finding, Live, Report, Severity};
use weighhouse_scoring::Policy;
use weighhouse_tasks::sequential::{Budget, Examination, PretenceVerdict};
use weighhouse_tasks::{OnRecord, Scope, Task};

use crate::commands::validator::task_text;
use crate::failure::{Context, Exit, Failure};
use crate::output::{self, Table};

const KEY: &str = "task.budget";

/// Examines a task's budget in epochs of the policy's rounds, or of so many where it leaves them to the validator; `None` where
/// every answer is checked. What must not be is among the report's findings.
pub(super) fn examine(
    task: &str,
    policy: &Policy,
    rounds: u32,
    live: Option<&Live>,
    report: &mut Report,
) -> Result<Option<Examination>, Failure> {
    let loaded = Task::load(task_text(task)?.as_bytes(), &OnRecord).exit(Exit::Config, task)?;
    let Some(budget) = loaded.budget() else { return Ok(None) };
    report.findings.extend(starves(budget, policy));
    let mut say = |severity, message: String| report.findings.push(Finding { severity, key: KEY, message });
    if loaded.file().scope == Scope::Shared {
        let message = "spares answers to shared challenges: one answer serves any number of hotkeys, which then cost nothing";
        say(Severity::Error, message.to_owned());
    }
    let (rounds, (spot_rounds, _)) = (policy.rounds().unwrap_or(rounds), policy.spot_rounds());
    let examined = match Examination::new(budget, rounds, spot_rounds) {
        Ok(examined) => examined,
        Err(why) => {
            say(Severity::Error, why);
            return Ok(None);
        }
    };
    examined.problems.iter().for_each(|problem| say(Severity::Error, problem.clone()));
    for pretence in &examined.pretences {
        if pretence.figures.verdict == PretenceVerdict::Conforms {
            let name = &pretence.figures.name;
            let message = format!(
                "{name} answers within what honest miners may answer: serving it is paid as honest work"
            );
            say(Severity::Note, message);
        }
    }
    let unpaid = live.and_then(|live| outlasts_immunity(&examined, live));
    unpaid.into_iter().for_each(|message| say(Severity::Error, message));
    report.findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    Ok(Some(examined))
}

/// Says where a policy asks for more verdicts than a newcomer's checks give: of a settled miner only the drawn answers count.
fn starves(budget: &Budget, policy: &Policy) -> Option<Finding> {
    let (least, checks) = (policy.min_attempts(), budget.newcomer_checks()?);
    (least > checks).then(|| {
        let message = format!(
            "= {least} is more than the {checks} checks that settle a newcomer: from then on only drawn answers count, 1 in {:.0}, \
             and honest miners wait as much longer for their first pay",
            1.0 / budget.drawn
        );
        Finding { severity: Severity::Error, key: "newcomer.min_attempts", message }
    })
}

/// Says where a newcomer is paid for the first time after its immunity is over: a full subnet prunes it before.
fn outlasts_immunity(examined: &Examination, live: &Live) -> Option<String> {
    let wait = (examined.loss / f64::from(examined.rounds)) as u64;
    let (epochs, immunity) = (wait + live.reveal_epochs + 1, live.immunity_blocks);
    let needed = epochs.saturating_mul(live.tempo_blocks);
    (needed > immunity).then(|| {
        format!(
            "a newcomer is paid after {epochs} epochs ({needed} blocks), and its immunity is {immunity} blocks: ask more \
             rounds an epoch, or calibrate the task with a larger `drawn`"
        )
    })
}

pub(super) fn print(examined: &Examination) -> Result<(), Failure> {
    output::line(format!(
        "pretending at {} rounds an epoch: a conviction costs {} answers served unpaid; in units of an answer's pay:",
        examined.rounds, examined.loss
    ))?;
    let mut table = Table::new(&[
        "<pretence",
        "convicted",
        "saves",
        "loss",
        "gain",
        "<verdict",
        "<nearest",
        "over all",
        "stretch",
        "always",
    ]);
    for pretence in &examined.pretences {
        let figures = &pretence.figures;
        let [loss, gain] = figures.expected;
        let verdict = match figures.verdict {
            PretenceVerdict::Loses => "loses",
            PretenceVerdict::Conforms => "conforms",
            PretenceVerdict::Pays => "pays",
        };
        let mut row = vec![
            figures.name.clone(),
            format!("{:.4}", figures.detection),
            format!("{:.2}", figures.gain),
            format!("{loss:.3}"),
            format!("{gain:.3}"),
            verdict.to_owned(),
        ];
        row.extend(match &pretence.strategies {
            None => ["-", "-", "-", "-"].map(str::to_owned),
            Some(strategies) => {
                let nearest = strategies.nearest;
                [
                    format!("{} honest, {}", nearest.strategy.honest, nearest.strategy.pretending),
                    format!("{:.1}", nearest.gain),
                    format!("{:.2}", strategies.stretch_most),
                    format!("{:.4}", strategies.always_paid),
                ]
            }
        });
        table.row(row);
    }
    table.print()?;
    Ok(output::line(format!(
        "honest miners: at most {:.1e} false convictions an epoch, which cost {:.1e} of their pay",
        examined.false_convictions, examined.honest_loss
    ))?)
}

#[cfg(test)]
mod tests {
    use weighhouse_scoring::policy::PolicyFile;

    use super::*;

    fn errors(task: &str, change: [&str; 2]) -> Vec<String> {
        let shipped = PolicyFile::shipped();
        let text = shipped.text().replace(change[0], change[1]);
        let file = PolicyFile::parse(text.as_bytes()).expect("a policy");
        let mut report = Report { findings: Vec::new(), vtrust: None, detection: Vec::new() };
        examine(task, file.policy(), 3, None, &mut report).expect("a task");
        let errors = report.findings.into_iter().filter(|found| found.severity == Severity::Error);
        errors.map(|found| format!("{} {}", found.key, found.message)).collect()
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a file of a test, which nobody reads after a crash")]
    fn what_a_policy_does_to_the_terms_of_newcomers_is_refused() {
        assert_eq!(errors("generate", ["", ""]), Vec::<String>::new());
        let spots = errors("generate", ["[guards]", "[audit]\nspot_rounds = 12\n\n[guards]"]);
        assert!(spots.iter().any(|error| error.contains("garbage pays")), "{spots:?}");
        let starves = errors("generate", ["min_attempts = 3", "min_attempts = 101"]);
        assert!(starves.iter().any(|error| error.contains("newcomer.min_attempts")), "{starves:?}");
        let dir = tempfile::tempdir().expect("a folder");
        let shared = dir.path().join("task.toml");
        let text = task_text("generate").expect("a built-in task");
        std::fs::write(&shared, text.replace("scope = \"private\"", "scope = \"shared\"")).expect("written");
        let shared = errors(shared.to_str().expect("a path"), ["", ""]);
        assert!(shared.iter().any(|error| error.contains("shared challenges")), "{shared:?}");
    }

    #[test]
    fn newcomers_that_a_full_subnet_prunes_before_their_first_pay_are_an_error() {
        let found = |rounds, immunity_blocks| {
            let mut report = Report { findings: Vec::new(), vtrust: None, detection: Vec::new() };
            let live = Live {
                tempo_blocks: 361,
                immunity_blocks,
                miners: 9,
                max_weights_limit: 65_535,
                reveal_epochs: 1,
                hotkeys: Vec::new(),
                owner: None,
            };
            let policy = PolicyFile::shipped();
            examine("generate", policy.policy(), rounds, Some(&live), &mut report)
                .expect("a built-in task")
                .expect("a budget");
            report.findings.iter().any(|found| found.message.contains("its immunity is"))
        };
        assert!(found(12, 3_900), "9 epochs unpaid, 1 concealed, 1 to be paid");
        assert!(!found(12, 4_096) && found(3, 5_000));
    }
}

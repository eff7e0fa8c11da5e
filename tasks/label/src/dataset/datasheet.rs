//! `datasheet.md`: what was labelled, by whom, how, how far they agree, and what a person should look at again.

use std::fmt::Write as _;

use crate::aggregate::review;
use crate::formats::time_text;
use crate::statistics::alpha;

use super::Subject;

/// Items on the review list.
const REVIEWED: usize = 50;

pub(super) fn write(subject: &Subject<'_>) -> String {
    let mut text = format!("# {}\n", cell(&subject.job.file.name));
    what(subject, &mut text);
    who(subject, &mut text);
    how(subject, &mut text);
    agreement(subject, &mut text);
    to_review(subject, &mut text);
    text
}

fn what(subject: &Subject<'_>, text: &mut String) {
    let (file, outcomes) = (&subject.job.file, &subject.outcomes);
    let labelled = outcomes.iter().filter(|outcome| outcome.label().is_some()).count();
    let names: usize = subject.job.items.list().iter().map(|item| item.names.len()).sum();
    let _ = writeln!(
        text,
        "\n## What\n\n{} items ({names} rows), {labelled} of them with a label.\n",
        outcomes.len()
    );
    let _ = writeln!(text, "| class | items | of these gold | example |\n|---|---|---|---|");
    for (class, name) in file.classes.iter().enumerate() {
        let of = |is_gold: bool| {
            let labelled = outcomes.iter().filter(move |outcome| outcome.label() == Some(class));
            labelled.filter(move |outcome| !is_gold || outcome.gold.is_some()).count()
        };
        let example = file.examples.get(name).map(|item| format!("`{item}`")).unwrap_or_default();
        let _ = writeln!(text, "| {} | {} | {} | {example} |", cell(name), of(false), of(true));
    }
    let _ = writeln!(text, "\nItems, in order and with their names: SHA-256 `{}`.", file.items_sha256);
}

fn who(subject: &Subject<'_>, text: &mut String) {
    let _ = writeln!(
        text,
        "\n## Who\n\n`agreement` is the share of others' votes for the same items that are the same.\n"
    );
    let _ = writeln!(text, "| worker | votes | unsure | skipped | median time | right on gold | agreement |");
    let _ = writeln!(text, "|---|---|---|---|---|---|---|");
    for (name, worker) in subject.labels.workers.keys().zip(&subject.workers) {
        let seconds = worker.seconds.map_or("-".to_owned(), |seconds| format!("{seconds:.1} s"));
        let agreement = worker.agreement_share().map_or("-".to_owned(), |share| format!("{share:.3}"));
        let (right, asked) = worker.gold;
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {seconds} | {right} of {asked} | {agreement} |",
            cell(name),
            worker.votes,
            worker.unsure,
            worker.skipped
        );
    }
    let times = subject.labels.workers.values().flat_map(|labels| &labels.lines).filter_map(|label| label.at);
    if let (Some(first), Some(last)) = (times.clone().min(), times.max()) {
        let _ = writeln!(text, "\nLabelled from {} to {}.", time_text(first), time_text(last));
    }
}

fn how(subject: &Subject<'_>, text: &mut String) {
    let file = &subject.job.file;
    let gold = match subject.job.hidden_gold().count() {
        0 => "no hidden gold".to_owned(),
        count => format!(
            "{count} items of hidden gold, at {} % of what a worker was given",
            file.gold_rate * 100.0
        ),
    };
    let _ = writeln!(
        text,
        "\n## How\n\nAn item was given out until it had {} votes, or a posterior of {} or more; labels from elsewhere may be more. \
         There was {gold}. `skip` is no vote; `unsure` is no vote and brings the item forward on the list below. Aggregation: `{}`, \
         gold items clamped to their class; items without a vote have no label and a flat posterior.",
        file.overlap,
        file.sure,
        file.method.version()
    );
    let _ =
        writeln!(text, "\nThe guidelines that everybody was shown, SHA-256 `{}`:\n", file.guidelines_sha256);
    for line in subject.job.guidelines.lines() {
        let _ = writeln!(text, "{}", format!("> {line}").trim_end());
    }
}

fn agreement(subject: &Subject<'_>, text: &mut String) {
    let voted = subject.outcomes.iter().filter(|outcome| outcome.vote_count() > 0);
    let (items, votes) =
        voted.fold((0_usize, 0), |(items, votes), outcome| (items + 1, votes + outcome.vote_count()));
    let (same, all) = subject
        .workers
        .iter()
        .fold((0, 0), |(same, all), worker| (same + worker.agreement.0, all + worker.agreement.1));
    let share = |part: usize, whole: usize| if whole == 0 { 0.0 } else { part as f64 / whole as f64 };
    let _ = writeln!(text, "\n## Agreement\n\n| figure | value |\n|---|---|");
    let _ = writeln!(text, "| items with votes | {items} |\n| votes an item | {:.2} |", share(votes, items));
    let once = subject.outcomes.iter().filter(|outcome| outcome.vote_count() == 1).count();
    let _ = writeln!(text, "| items with a single vote, which nothing contradicts | {once} |");
    if all > 0 {
        let _ = writeln!(text, "| pairs of votes that agree | {:.3} |", share(same, all));
    }
    if let Some(alpha) = alpha(&subject.outcomes) {
        let _ = writeln!(text, "| Krippendorff's alpha | {alpha:.3} |");
    }
    let _ = writeln!(text, "| mean posterior of the labels | {:.4} |", subject.certainty());
}

fn to_review(subject: &Subject<'_>, text: &mut String) {
    let list = review(&subject.outcomes);
    let _ = writeln!(
        text,
        "\n## To review\n\nThe flattest posteriors, {} of {} items.\n",
        list.len().min(REVIEWED),
        list.len()
    );
    let _ = writeln!(text, "| item | name | label | posterior | votes | unsure |\n|---|---|---|---|---|---|");
    for at in list.into_iter().take(REVIEWED) {
        let (item, outcome) = (&subject.job.items.list()[at], &subject.outcomes[at]);
        let label = outcome.label().map_or("-", |class| &subject.job.file.classes[class]);
        let votes: Vec<String> = outcome.votes.iter().map(ToString::to_string).collect();
        let _ = writeln!(
            text,
            "| `{}` | {} | {} | {:.4} | {} | {} |",
            item.digest,
            cell(&item.names[0]),
            cell(label),
            outcome.certainty(),
            votes.join("/"),
            outcome.unsure
        );
    }
}

/// A name in a table of Markdown.
fn cell(text: &str) -> String {
    text.replace('\\', "\\\\").replace('|', "\\|").replace('<', "&lt;")
}

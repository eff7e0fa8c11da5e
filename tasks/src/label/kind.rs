//! Kind `label`: a batch of items is divided among miners, labelled under seal, and judged by peers and by gold that is drawn afterwards.

use weighhouse_models::draw::{bytes, some};
use weighhouse_types::scans::{MalformedScans, OUTPUT, ScansAnswer};

use crate::kind::prelude::*;
use crate::verdict::{malformed, scored};

use super::divide::divide;
use super::items::{Form, Items, LABELS, SKIP, UNSURE};
use super::standing::{Standing, judge};
use super::votes::{Vote, Votes};

/// Epochs until a batch lapses: one is enough, and a validator may have been down.
const EPOCHS_MAX: u64 = 3;
/// Agreement beyond chance below which the crowd agrees on nothing, and nobody's share of it means anything.
const AGREEMENT_MIN: f64 = 0.05;
const OVERLAP_MAX: u32 = 64;
const PER_MILLE: f64 = 1_000.0;
/// Of an answer, for each label: ten probabilities of 16 bytes.
const LABEL_BYTES: usize = 160;

/// A task of batches to label.
pub(crate) struct Labels {
    items: usize,
    form: Form,
    overlap: usize,
    gold: usize,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Section {
    form: Form,
    overlap: u32,
    gold: f64,
}

/// A batch, with the truth about its items and the seed of its division.
#[derive(Debug, Encode)]
pub(crate) struct Batch {
    items: Items,
    truth: Vec<u8>,
    division: [u8; 32],
}

/// The chance of which gold and peers are drawn, when all labels are in.
#[derive(Encode, Decode)]
pub(crate) struct Late([u8; 32]);

impl Kind for Labels {
    const NAME: &'static str = "label";
    const FILES: &'static [(&'static str, &'static str)] = &[
        ("label", include_str!("../../files/label.toml")),
        ("label-texts", include_str!("../../files/label-texts.toml")),
    ];
    const SCOPES: &'static [Scope] = &[Scope::Shared];
    const TABLE: Option<&'static str> = Some("label");
    const SEALED: bool = true;

    type Section = Section;
    type Question = Batch;
    type Answer = Vec<Option<u8>>;
    type Word = Late;

    fn new(file: &TaskFile, section: Section, _: &dyn References) -> Result<Self, TaskError> {
        let Section { form, overlap, gold } = section;
        if overlap < 2 {
            return Err(refused("label.overlap", "must be 2 at least: labels are held against peers'").into());
        }
        let gold = (within("label.gold", gold, 0.9)? * PER_MILLE).round() as usize * file.items as usize;
        if gold < PER_MILLE as usize {
            return Err(refused("label.gold", "leaves no gold in a batch of so many items").into());
        }
        Ok(Self {
            items: file.items as usize,
            form,
            overlap: count("label.overlap", overlap, OVERLAP_MAX)? as usize,
            gold: gold / PER_MILLE as usize,
        })
    }

    fn draw(&self, seeds: &[[u8; 32]]) -> Result<Vec<Batch>, TaskError> {
        Ok(per_seed(seeds, |rng| {
            let (items, truth) = self.form.draw(self.items, rng);
            Batch { items, truth, division: bytes(rng) }
        }))
    }

    fn request(&self, batch: &Batch) -> InferRequest {
        batch.items.request(&(0..self.items).collect::<Vec<_>>())
    }

    fn assign(&self, batch: &Batch, miners: &[RegistrationId]) -> Option<Vec<InferRequest>> {
        let shares = self.shares(batch, miners);
        Some(shares.iter().map(|share| batch.items.request(share)).collect())
    }

    fn answer_bytes(&self) -> Option<usize> {
        Some(self.items * LABEL_BYTES)
    }

    fn timing(&self) -> Timing {
        Timing::Later { epochs_max: EPOCHS_MAX }
    }

    fn resolve(&self, batches: &[(&Batch, [u8; 32])], _: u64) -> Result<Vec<Option<Truth<Late>>>, TaskError> {
        let late = |(_, seed): &(&Batch, [u8; 32])| Some(Truth { word: Late(*seed), operator: None });
        Ok(batches.iter().map(late).collect())
    }

    fn read(&self, _: &Batch, answer: &InferAnswer) -> Result<Vec<Option<u8>>, Judgement> {
        match self.form {
            Form::Scans => {
                let rows = answer.output(OUTPUT).ok().and_then(|output| output.shape().first().copied());
                let rows =
                    rows.and_then(|rows| usize::try_from(rows).ok()).filter(|rows| *rows <= self.items);
                let read = ScansAnswer::from_infer(answer, rows.unwrap_or(self.items));
                let read = read.map_err(|MalformedScans { item, what }| malformed(item, what))?;
                Ok(read.rows.iter().map(|row| likeliest(row)).collect())
            }
            Form::Texts => {
                let labels = answer.output(LABELS).ok().and_then(|output| output.to_i64().ok());
                let labels = labels.filter(|labels| labels.len() <= self.items);
                let labels = labels.ok_or_else(|| malformed(0, "no INT64 labels, or more than items"))?;
                labels.iter().zip(0..).map(|(label, item)| self.class(*label, item)).collect()
            }
        }
    }

    fn judge_together(
        &self,
        batch: &Batch,
        miners: &[RegistrationId],
        answers: &[(RegistrationId, &Late, &Vec<Option<u8>>)],
    ) -> Result<Option<JointVerdicts>, TaskError> {
        let Some((_, Late(late), _)) = answers.first() else {
            return Err(TaskError::Count { expected: 1, actual: 0 });
        };
        let (shares, mut rng) = (self.shares(batch, miners), generator(*late));
        let share_of = |who: &RegistrationId| miners.binary_search(who).ok().map(|at| &shares[at]);
        let mut votes = Vec::new();
        for (worker, (who, _, labels)) in answers.iter().enumerate() {
            let share = share_of(who).filter(|share| share.len() == labels.len());
            let each = share.into_iter().flatten().zip(labels.iter());
            votes.extend(each.filter_map(|(item, label)| {
                label.map(|class| Vote { item: *item, worker, class: class.into() })
            }));
        }
        let votes = Votes::new(self.items, answers.len(), self.form.classes(), votes)
            .expect("labels that were read, of items that were asked about");
        let mut gold = vec![None; self.items];
        for item in some(self.gold, self.items, &mut rng) {
            gold[item] = Some(usize::from(batch.truth[item]));
        }
        let judged = judge(&votes, &gold, &mut rng);
        let one_of = |worker: usize| {
            let group = judged.groups.iter().find(|group| group.contains(&worker));
            group.map_or(1, Vec::len)
        };
        let verdict =
            |(worker, (who, _, labels)): (usize, &(RegistrationId, &Late, &Vec<Option<u8>>))| match share_of(
                who,
            ) {
                Some(share) if share.len() == labels.len() => {
                    let standing = &judged.standings[worker];
                    told(standing, (share.len(), one_of(worker)), judged.agreement)
                }
                Some(share) => malformed(0, format!("{} labels of {} items", labels.len(), share.len())),
                None => malformed(0, "no part of the batch was this miner's"),
            };
        let alike = judged.groups.iter();
        Ok(Some(JointVerdicts {
            verdicts: answers.iter().enumerate().map(verdict).collect(),
            alike: alike.map(|group| group.iter().map(|member| *member as u32).collect()).collect(),
        }))
    }

    fn personas(&self) -> Vec<Persona> {
        super::personas::catalogue()
    }
}

impl Labels {
    fn shares(&self, batch: &Batch, miners: &[RegistrationId]) -> Vec<Vec<usize>> {
        divide(self.items, miners.len(), self.overlap, &mut generator(batch.division))
    }

    fn class(&self, label: i64, item: u32) -> Result<Option<u8>, Judgement> {
        match u8::try_from(label) {
            Ok(class) if usize::from(class) < self.form.classes() => Ok(Some(class)),
            _ if label == SKIP || label == UNSURE => Ok(None),
            _ => Err(malformed(item, format!("label {label} is no class"))),
        }
    }
}

/// The class of the largest probability; none where all are the same, which is how a scan is skipped.
fn likeliest(row: &[f32]) -> Option<u8> {
    let mut best = 0;
    for (class, share) in row.iter().enumerate() {
        if *share > row[best] {
            best = class;
        }
    }
    row.iter().any(|share| share < &row[best]).then_some(best as u8)
}

/// Agreement as a part of what the crowd reaches, times what gold proves, times the part of the share that was labelled; a group that is
/// wrong together gets together what one of it would.
fn told(standing: &Standing, (share, group): (usize, usize), agreement: f64) -> Judgement {
    let Standing { labels, peers, gold_right, gold_all, proven, .. } = *standing;
    let part = f64::from(labels) / share.max(1) as f64;
    let relative = (peers / agreement.max(AGREEMENT_MIN)).clamp(-1.0, 1.0);
    let mut why =
        format!("agreement {peers:.3}, gold {gold_right} of {gold_all}, labelled {labels} of {share}");
    if group > 1 {
        why.push_str(&format!("; wrong together with {} others", group - 1));
    }
    scored(relative * proven * part / group as f64, &why)
}

#[cfg(test)]
mod tests;

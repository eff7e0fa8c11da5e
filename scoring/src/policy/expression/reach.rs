//! What an expression can come to: intervals through its tree, for every miner that a policy may rate.
//!
//! [`Expression::faults`] starts from the whole range of every name and halves it where a part may divide by zero or the whole may
//! have no value, until a half is shown to be safe or one miner is left, who is the witness. Names count in steps: billionths,
//! verdicts, epochs. Rounding to nearest is monotonic, so that the ends of an interval are those of its ends.

use super::interval::Bounds;
use super::tree::{Binary, Name, Node, Part};
use super::{Expression, Facts};

/// Boxes that are looked at before a doubt is reported as one.
const BOXES_MAX: usize = 4000;
/// Verdicts and epochs beyond these are not reached in a subnet's life.
const ATTEMPTS_MAX: i64 = 1_000_000_000_000;
const AGE_MAX: i64 = 1_000_000_000;
pub(super) const UNIT: i64 = 1_000_000_000;

/// What goes wrong at a part of an expression.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FaultKind {
    /// A divisor that is 0: infinite, no number, or for integers an error.
    DivisionByZero,
    /// The whole has no value: the miner isn't scored.
    NoValue,
}

/// A part of an expression that fails for some miner.
#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    pub kind: FaultKind,
    /// The part as it is written.
    pub part: String,
    /// A miner for whom it does; `None` where it can neither be shown nor ruled out.
    pub witness: Option<Facts>,
}

impl Expression {
    /// Every part that divides by zero, and whether the whole can lack a value, for a miner of at least `attempts` verdicts whose
    /// score is its average less `standard_errors` of its error.
    pub fn faults(&self, attempts: u64, standard_errors: f64) -> Vec<Fault> {
        let least = i64::try_from(attempts).unwrap_or(ATTEMPTS_MAX).min(ATTEMPTS_MAX);
        let mut search = Search { node: &self.tree, standard_errors, found: Vec::new(), doubts: Vec::new() };
        search.run(Bounds::of(|name| match name {
            Name::Average => [-UNIT, UNIT],
            // A track's variance is at most 4.
            Name::Error => [0, 2 * UNIT],
            Name::Score | Name::Answered | Name::Capacity => [0, UNIT],
            Name::Attempts => [least, ATTEMPTS_MAX],
            Name::Age => [0, AGE_MAX],
        }));
        let Search { mut found, doubts, .. } = search;
        for doubt in doubts {
            if found.iter().all(|(known, _)| *known != doubt) {
                found.push((doubt, None));
            }
        }
        // Whoever divides by zero is told so, and not once more that nothing comes of it.
        let divides = found.iter().any(|((kind, _), _)| *kind == FaultKind::DivisionByZero);
        found.retain(|((kind, _), _)| *kind == FaultKind::DivisionByZero || !divides);
        let fault = |((kind, id), witness)| Fault { kind, part: self.part(id), witness };
        found.into_iter().map(fault).collect()
    }

    /// The least and the most that the score can come to for miners of one age, before it is clipped; `None` where it may have none.
    pub fn range_at(&self, age: i64) -> Option<[f64; 2]> {
        let bounds = Bounds::of(|name| match name {
            Name::Average => [-UNIT, UNIT],
            Name::Error => [0, 2 * UNIT],
            Name::Score | Name::Answered | Name::Capacity => [0, UNIT],
            Name::Attempts => [0, ATTEMPTS_MAX],
            Name::Age => [age, age],
        });
        self.tree.reach(&bounds, &mut Vec::new()).number()
    }
}

/// A kind of fault at the node of that number.
type Place = (FaultKind, u64);

struct Search<'a> {
    node: &'a Node,
    standard_errors: f64,
    found: Vec<(Place, Option<Facts>)>,
    doubts: Vec<Place>,
}

impl Search<'_> {
    fn run(&mut self, whole: Bounds) {
        let mut waiting = vec![whole];
        for _ in 0..BOXES_MAX {
            let Some(bounds) = waiting.pop() else { return };
            let open = self.open(&bounds);
            if open.is_empty() {
                continue;
            }
            bounds.corners().iter().for_each(|point| self.witness(point));
            let open: Vec<Place> = open.into_iter().filter(|place| !self.is_found(place)).collect();
            if open.is_empty() {
                continue;
            }
            match bounds.halves(&self.names(&open)).or_else(|| bounds.halves(&Name::ALL)) {
                // The half that is looked at next stands last.
                Some(halves) => waiting.extend(halves),
                // A single miner, but one whose score doesn't fit its average.
                None => self.doubts.extend(open),
            }
        }
        for bounds in waiting {
            let open = self.open(&bounds);
            self.doubts.extend(open);
        }
        self.doubts.sort_unstable();
        self.doubts.dedup();
    }

    /// Faults within these bounds that have no witness yet.
    fn open(&self, bounds: &Bounds) -> Vec<Place> {
        let mut divisions = Vec::new();
        let reach = self.node.reach(bounds, &mut divisions);
        let mut places: Vec<Place> =
            divisions.into_iter().map(|id| (FaultKind::DivisionByZero, id)).collect();
        if reach.may_lack_a_value() {
            places.push((FaultKind::NoValue, self.node.id));
        }
        places.retain(|place| !self.is_found(place));
        places
    }

    fn is_found(&self, place: &Place) -> bool {
        self.found.iter().any(|(found, _)| found == place)
    }

    /// Tries one miner, whose score is made to fit its average.
    fn witness(&mut self, point: &Bounds) {
        let facts = point.facts(self.standard_errors);
        let mut divisions = Vec::new();
        self.node.reach(&Bounds::at(&facts), &mut divisions);
        let has_value = super::billionths(self.node.value(&facts)).is_some();
        let mut places: Vec<Place> =
            divisions.into_iter().map(|id| (FaultKind::DivisionByZero, id)).collect();
        if !has_value {
            places.push((FaultKind::NoValue, self.node.id));
        }
        for place in places {
            if !self.is_found(&place) {
                self.found.push((place, Some(facts)));
            }
        }
    }

    /// Names that decide the faults at these places: those of a divisor, or of the whole.
    fn names(&self, places: &[Place]) -> Vec<Name> {
        let mut names = Vec::new();
        self.node.each(&mut |node| {
            if places.iter().any(|(_, id)| *id == node.id) {
                let deciding = match &node.part {
                    Part::Binary(Binary::Divide, sides) => &sides[1],
                    _ => node,
                };
                deciding.each(&mut |inner| {
                    if let Part::Name(name) = inner.part
                        && !names.contains(&name)
                    {
                        names.push(name);
                    }
                });
            }
        });
        names
    }
}

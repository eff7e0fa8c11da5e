//! Intervals of the three types through a tree, and the narrowing of names by the conditions above a branch.

use super::Facts;
use super::reach::UNIT;
use super::tree::{Binary, Name, Node, Part, Unary, Worth};

/// For each name its least and most, in whole steps.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Bounds([[i64; 2]; 7]);

impl Bounds {
    pub(super) fn of(range: impl Fn(Name) -> [i64; 2]) -> Self {
        Self(Name::ALL.map(range))
    }

    pub(super) fn at(facts: &Facts) -> Self {
        let steps = |value: f64| libm::round(value * UNIT as f64) as i64;
        Self::of(|name| {
            let value = match name {
                Name::Score => steps(facts.score),
                Name::Average => steps(facts.average),
                Name::Error => steps(facts.error),
                Name::Answered => steps(facts.answered),
                Name::Capacity => steps(facts.capacity),
                Name::Attempts => facts.attempts,
                Name::Age => facts.age,
            };
            [value, value]
        })
    }

    fn get(&self, name: Name) -> [i64; 2] {
        self.0[name as usize]
    }

    /// The miner at the lower ends, with the score that its average comes to.
    pub(super) fn facts(&self, standard_errors: f64) -> Facts {
        let unit = |name: Name| self.get(name)[0] as f64 / UNIT as f64;
        let (average, error) = (unit(Name::Average), unit(Name::Error));
        let score = libm::floor((average - standard_errors * error) * UNIT as f64) / UNIT as f64;
        Facts {
            score: score.clamp(0.0, 1.0),
            average,
            error,
            answered: unit(Name::Answered),
            capacity: unit(Name::Capacity),
            attempts: self.get(Name::Attempts)[0],
            age: self.get(Name::Age)[0],
        }
    }

    /// All names low, all high, all in the middle.
    pub(super) fn corners(&self) -> [Self; 3] {
        let at = |pick: fn([i64; 2]) -> i64| Self(self.0.map(|ends| [pick(ends), pick(ends)]));
        [at(|[low, _]| low), at(|[_, high]| high), at(|[low, high]| low + (high - low) / 2)]
    }

    /// Both halves along the widest of these names; `None` where each has one value left.
    pub(super) fn halves(&self, names: &[Name]) -> Option<[Self; 2]> {
        let width = |name: &Name| self.get(*name)[1] - self.get(*name)[0];
        let name = *names.iter().max_by_key(|name| width(name)).filter(|name| width(name) > 0)?;
        let [low, high] = self.get(name);
        let middle = low + (high - low) / 2;
        let with = |ends| {
            let mut bounds = *self;
            bounds.0[name as usize] = ends;
            bounds
        };
        Some([with([middle + 1, high]), with([low, middle])])
    }

    /// These bounds where `condition` is `truth`, as far as it says so of a name alone; `None` where it can't be.
    fn narrowed(&self, condition: &Node, truth: bool) -> Option<Self> {
        match &condition.part {
            Part::Unary(Unary::Not, inner) => self.narrowed(inner, !truth),
            Part::Binary(Binary::And, sides) if truth => {
                self.narrowed(&sides[0], true)?.narrowed(&sides[1], true)
            }
            Part::Binary(Binary::Or, sides) if !truth => {
                self.narrowed(&sides[0], false)?.narrowed(&sides[1], false)
            }
            Part::Binary(Binary::And | Binary::Or, sides) => {
                let [one, other] = [0, 1].map(|side: usize| self.narrowed(&sides[side], truth));
                match (one, other) {
                    (Some(one), Some(other)) => Some(one.hull(&other)),
                    (one, other) => one.or(other),
                }
            }
            Part::Binary(binary, sides) => {
                let [left, right] = [0, 1].map(|side: usize| sides[side].reach(self, &mut Vec::new()).hull());
                let (Some(left), Some(right)) = (left, right) else { return Some(*self) };
                let binary = if truth { *binary } else { negated(*binary) };
                self.clipped(&sides[0], binary, right)?.clipped(&sides[1], mirrored(binary), left)
            }
            _ => Some(*self),
        }
    }

    fn hull(&self, other: &Self) -> Self {
        let mut hull = *self;
        for (ends, other) in hull.0.iter_mut().zip(&other.0) {
            *ends = [ends[0].min(other[0]), ends[1].max(other[1])];
        }
        hull
    }

    /// These bounds where `node`, if it is a name, compares so with something between `ends`.
    fn clipped(&self, node: &Node, binary: Binary, [least, most]: [f64; 2]) -> Option<Self> {
        let name = match &node.part {
            Part::Name(name) => *name,
            Part::Unary(Unary::Double, inner) => match inner.part {
                Part::Name(name) => name,
                _ => return Some(*self),
            },
            _ => return Some(*self),
        };
        let scale = if name.is_whole() { 1.0 } else { UNIT as f64 };
        let [mut low, mut high] = self.get(name);
        // Casts saturate at infinities. A step to either side, as the products here are rounded.
        let slack = i64::from(!name.is_whole());
        let floor = |value: f64| libm::floor(value * scale) as i64;
        let ceil = |value: f64| libm::ceil(value * scale) as i64;
        match binary {
            Binary::Less => {
                high = high.min(if is_step(name, most) {
                    step(name, most) - 1
                } else {
                    floor(most).saturating_add(slack)
                })
            }
            Binary::LessEqual => high = high.min(floor(most).saturating_add(slack)),
            Binary::Greater => {
                low = low.max(if is_step(name, least) {
                    step(name, least) + 1
                } else {
                    ceil(least).saturating_sub(slack)
                })
            }
            Binary::GreaterEqual => low = low.max(ceil(least).saturating_sub(slack)),
            Binary::Equal => {
                low = low.max(ceil(least).saturating_sub(slack));
                high = high.min(floor(most).saturating_add(slack));
            }
            Binary::NotEqual if least == most && is_step(name, least) => {
                let step = step(name, least);
                low += i64::from(low == step);
                high -= i64::from(high == step);
            }
            _ => {}
        }
        let mut clipped = *self;
        clipped.0[name as usize] = [low, high];
        (low <= high).then_some(clipped)
    }
}

fn step(name: Name, value: f64) -> i64 {
    libm::round(value * if name.is_whole() { 1.0 } else { UNIT as f64 }) as i64
}

/// True if a name takes exactly this value.
fn is_step(name: Name, value: f64) -> bool {
    let step = step(name, value);
    step.unsigned_abs() < 1 << 53 && as_number(name, step) == value
}

fn as_number(name: Name, step: i64) -> f64 {
    if name.is_whole() { step as f64 } else { step as f64 / UNIT as f64 }
}

fn negated(binary: Binary) -> Binary {
    match binary {
        Binary::Less => Binary::GreaterEqual,
        Binary::LessEqual => Binary::Greater,
        Binary::Greater => Binary::LessEqual,
        Binary::GreaterEqual => Binary::Less,
        Binary::Equal => Binary::NotEqual,
        Binary::NotEqual => Binary::Equal,
        other => other,
    }
}

/// The same comparison from the other side.
fn mirrored(binary: Binary) -> Binary {
    match binary {
        Binary::Less => Binary::Greater,
        Binary::LessEqual => Binary::GreaterEqual,
        Binary::Greater => Binary::Less,
        Binary::GreaterEqual => Binary::LessEqual,
        other => other,
    }
}

/// What a part may come to.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Reach {
    /// Whether it may be false, and true.
    truth: [bool; 2],
    int: Option<[i64; 2]>,
    float: Option<[f64; 2]>,
    nan: bool,
    /// An error of CEL's.
    error: bool,
}

impl Reach {
    fn float(ends: [f64; 2]) -> Self {
        Self { float: Some(ends), ..Self::default() }
    }

    fn int(ends: [i64; 2]) -> Self {
        Self { int: Some(ends), ..Self::default() }
    }

    fn failing() -> Self {
        Self { error: true, ..Self::default() }
    }

    fn of(worth: Worth) -> Self {
        match worth {
            Worth::Bool(value) => Self { truth: [!value, value], ..Self::default() },
            Worth::Int(value) => Self::int([value, value]),
            Worth::Float(value) if value.is_nan() => Self { nan: true, ..Self::default() },
            Worth::Float(value) => Self::float([value, value]),
        }
    }

    fn or(self, other: Self) -> Self {
        fn hull<T: PartialOrd + Copy>(one: Option<[T; 2]>, other: Option<[T; 2]>) -> Option<[T; 2]> {
            match (one, other) {
                (Some([low, high]), Some([least, most])) => {
                    Some([if least < low { least } else { low }, if most > high { most } else { high }])
                }
                (one, other) => one.or(other),
            }
        }
        Self {
            truth: [self.truth[0] || other.truth[0], self.truth[1] || other.truth[1]],
            int: hull(self.int, other.int),
            float: hull(self.float, other.float),
            nan: self.nan || other.nan,
            error: self.error || other.error,
        }
    }

    fn is_truth(&self) -> bool {
        self.truth[0] || self.truth[1]
    }

    /// A number that is none, an error, or no number at all.
    pub(super) fn may_lack_a_value(&self) -> bool {
        self.nan || self.error || self.is_truth()
    }

    /// The ends as doubles, where it is a number for certain.
    pub(super) fn number(&self) -> Option<[f64; 2]> {
        if self.may_lack_a_value() { None } else { self.hull() }
    }

    fn hull(&self) -> Option<[f64; 2]> {
        let int = self.int.map(|ends| ends.map(|end| end as f64));
        match (int, self.float) {
            (Some([low, high]), Some([least, most])) => Some([low.min(least), high.max(most)]),
            (int, float) => int.or(float),
        }
    }
}

impl Node {
    /// What it may come to within `bounds`; `divisions` takes the numbers of parts whose divisor may be 0.
    pub(super) fn reach(&self, bounds: &Bounds, divisions: &mut Vec<u64>) -> Reach {
        match &self.part {
            Part::Literal(worth) => Reach::of(*worth),
            Part::Name(name) => {
                let ends = bounds.get(*name);
                if name.is_whole() {
                    Reach::int(ends)
                } else {
                    Reach::float(ends.map(|end| as_number(*name, end)))
                }
            }
            Part::Unary(unary, inner) => of_one(*unary, inner.reach(bounds, divisions)),
            Part::Binary(binary @ (Binary::And | Binary::Or), sides) => {
                let decides = *binary == Binary::Or;
                let left = sides[0].reach(bounds, divisions);
                let right = match bounds.narrowed(&sides[0], !decides) {
                    Some(narrower) => sides[1].reach(&narrower, divisions),
                    None => Reach::of(Worth::Bool(decides)),
                };
                let mut truth = [false; 2];
                truth[usize::from(decides)] =
                    left.truth[usize::from(decides)] || right.truth[usize::from(decides)];
                truth[usize::from(!decides)] =
                    left.truth[usize::from(!decides)] && right.truth[usize::from(!decides)];
                let no_truth = |reach: &Reach| reach.error || reach.nan || reach.hull().is_some();
                Reach { truth, error: no_truth(&left) || no_truth(&right), ..Reach::default() }
            }
            Part::Binary(binary, sides) => {
                let [one, other] = [0, 1].map(|side: usize| sides[side].reach(bounds, divisions));
                let (reach, divides) = of_two(*binary, one, other);
                if divides {
                    divisions.push(self.id);
                }
                reach
            }
            Part::If(parts) => {
                let condition = parts[0].reach(bounds, divisions);
                let no_truth = condition.error || condition.nan || condition.hull().is_some();
                let mut reach = Reach { error: no_truth, ..Reach::default() };
                for truth in [false, true] {
                    if condition.truth[usize::from(truth)]
                        && let Some(narrower) = bounds.narrowed(&parts[0], truth)
                    {
                        reach = reach.or(parts[if truth { 1 } else { 2 }].reach(&narrower, divisions));
                    }
                }
                reach
            }
        }
    }
}

fn of_one(unary: Unary, of: Reach) -> Reach {
    let mut reach = Reach { error: of.error, nan: of.nan && unary != Unary::Not, ..Reach::default() };
    match unary {
        Unary::Not => {
            reach.truth = [of.truth[1], of.truth[0]];
            reach.error |= of.nan || of.hull().is_some();
        }
        Unary::Negate => {
            reach.float = of.float.map(|[low, high]| [-high, -low]);
            // The least integer has no negative.
            reach.error |= of.is_truth() || of.int.is_some_and(|[low, _]| low == i64::MIN);
            reach.int = of.int.map(|[low, high]| [high.saturating_neg(), low.saturating_neg()]);
        }
        Unary::Abs => {
            reach.error |= of.is_truth() || of.int.is_some();
            reach.float = of.float.map(|[low, high]| {
                let least = if low <= 0.0 && high >= 0.0 { 0.0 } else { low.abs().min(high.abs()) };
                [least, low.abs().max(high.abs())]
            });
        }
        Unary::Sqrt => {
            reach.error |= of.is_truth() || of.int.is_some();
            reach.nan |= of.float.is_some_and(|[low, _]| low < 0.0);
            reach.float = of
                .float
                .filter(|[_, high]| *high >= 0.0)
                .map(|[low, high]| [low.max(0.0).sqrt(), high.sqrt()]);
        }
        Unary::Double => {
            reach.error |= of.is_truth();
            reach.float = of.hull();
        }
    }
    reach
}

/// What an operator comes to, and whether it may divide by zero.
fn of_two(binary: Binary, one: Reach, other: Reach) -> (Reach, bool) {
    let error = one.error || other.error;
    let nan = one.nan || other.nan;
    match binary {
        Binary::Equal | Binary::NotEqual => {
            let mut truth = compared(Binary::Equal, &one, &other);
            if nan || one.is_truth() || other.is_truth() {
                truth = [true, true];
            }
            if binary == Binary::NotEqual {
                truth.reverse();
            }
            (Reach { truth, error, ..Reach::default() }, false)
        }
        Binary::Less | Binary::LessEqual | Binary::Greater | Binary::GreaterEqual => {
            let truths = one.is_truth() && other.is_truth();
            let mixed = one.is_truth() != other.is_truth()
                || (truths && (one.hull().is_some() || other.hull().is_some()));
            let truth = if truths { [true, true] } else { compared(binary, &one, &other) };
            (Reach { truth, error: error || nan || mixed, ..Reach::default() }, false)
        }
        _ => {
            let mut divides = false;
            let mut reach = Reach { error, ..Reach::default() };
            reach.error |= one.is_truth() || other.is_truth();
            // Integers and doubles don't mix.
            reach.error |= (one.int.is_some() && (other.float.is_some() || other.nan))
                || ((one.float.is_some() || one.nan) && other.int.is_some());
            if let (Some(one), Some(other)) = (one.int, other.int) {
                reach = reach.or(of_ints(binary, one, other, &mut divides));
            }
            if let (Some(one), Some(other)) = (one.float, other.float) {
                reach = reach.or(of_floats(binary, one, other, &mut divides));
            }
            match binary {
                // Whatever is compared with no number stays as it is, and no number as the first is handed on.
                Binary::Min | Binary::Max => {
                    reach.nan |= one.nan;
                    if other.nan {
                        reach = reach.or(Reach { float: one.float, ..Reach::default() });
                    }
                }
                _ => reach.nan |= nan,
            }
            (reach, divides)
        }
    }
}

fn compared(binary: Binary, one: &Reach, other: &Reach) -> [bool; 2] {
    let (Some([low, high]), Some([least, most])) = (one.hull(), other.hull()) else { return [false, false] };
    match binary {
        Binary::Less => [high >= least, low < most],
        Binary::LessEqual => [high > least, low <= most],
        Binary::Greater => [low <= most, high > least],
        Binary::GreaterEqual => [low < most, high >= least],
        _ => [!(low == high && least == most && low == least), low <= most && least <= high],
    }
}

fn of_ints(binary: Binary, one: [i64; 2], other: [i64; 2], divides: &mut bool) -> Reach {
    let pairs = || one.into_iter().flat_map(|one| other.map(|other| (one, other)));
    let ends = |of: fn(i64, i64) -> Option<i64>| {
        let mut error = false;
        let (mut low, mut high) = (i64::MAX, i64::MIN);
        for (one, other) in pairs() {
            let value = of(one, other);
            error |= value.is_none();
            // Past the end of the range both ways, as the sign of what overflowed is not kept.
            low = low.min(value.unwrap_or(i64::MIN));
            high = high.max(value.unwrap_or(i64::MAX));
        }
        Reach { error, ..Reach::int([low, high]) }
    };
    match binary {
        Binary::Add => ends(i64::checked_add),
        Binary::Subtract => ends(i64::checked_sub),
        Binary::Multiply => ends(i64::checked_mul),
        Binary::Divide if other[0] <= 0 && other[1] >= 0 => {
            *divides = true;
            let most = one[0].saturating_abs().max(one[1].saturating_abs());
            Reach { error: true, ..Reach::int([-most, most]) }
        }
        Binary::Divide => ends(i64::checked_div),
        // `min` and `max` take doubles.
        _ => Reach::failing(),
    }
}

fn of_floats(binary: Binary, one: [f64; 2], other: [f64; 2], divides: &mut bool) -> Reach {
    let holds_zero = |ends: [f64; 2]| ends[0] <= 0.0 && ends[1] >= 0.0;
    let is_infinite = |ends: [f64; 2]| ends.iter().any(|end| end.is_infinite());
    let of: fn(f64, f64) -> f64 = match binary {
        Binary::Add => |one, other| one + other,
        Binary::Subtract => |one, other| one - other,
        Binary::Multiply => |one, other| one * other,
        Binary::Divide => |one, other| one / other,
        Binary::Min => f64::min,
        _ => f64::max,
    };
    if binary == Binary::Divide && holds_zero(other) {
        *divides = true;
        let nan = holds_zero(one) || (is_infinite(one) && is_infinite(other));
        return Reach { nan, ..Reach::float([f64::NEG_INFINITY, f64::INFINITY]) };
    }
    let mut reach = Reach {
        nan: match binary {
            Binary::Multiply => {
                (holds_zero(one) && is_infinite(other)) || (holds_zero(other) && is_infinite(one))
            }
            Binary::Divide => is_infinite(one) && is_infinite(other),
            _ => false,
        },
        ..Reach::default()
    };
    let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
    for value in one.into_iter().flat_map(|one| other.map(|other| of(one, other))) {
        // Infinity less infinity, at an end that both sides may reach.
        reach.nan |= value.is_nan();
        (low, high) = if value.is_nan() {
            (f64::NEG_INFINITY, f64::INFINITY)
        } else {
            (low.min(value), high.max(value))
        };
    }
    reach.float = Some([low, high]);
    reach
}

//! An expression as a tree of its own, which one evaluation walks without a context, a map or an allocation.
//!
//! It follows CEL's rules as the `cel` crate has them: integers and doubles don't mix in arithmetic but compare, integers fail where
//! they overflow or divide by zero, an operand of `&&` and `||` that decides excuses an error in the other. What has no value here is
//! asked of the crate, whose word is the last one, and a test compares both over random expressions.

use std::cmp::Ordering;

use cel::common::ast::{Expr, IdedExpr, LiteralValue, operators};

use super::Facts;

/// A name of [`Facts`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Name {
    Score,
    Average,
    Error,
    Answered,
    Capacity,
    Attempts,
    Age,
}

impl Name {
    pub(super) const ALL: [Self; 7] =
        [Self::Score, Self::Average, Self::Error, Self::Answered, Self::Capacity, Self::Attempts, Self::Age];

    pub(super) fn text(self) -> &'static str {
        match self {
            Self::Score => "score",
            Self::Average => "average",
            Self::Error => "error",
            Self::Answered => "answered",
            Self::Capacity => "capacity",
            Self::Attempts => "attempts",
            Self::Age => "age",
        }
    }

    pub(super) fn is_whole(self) -> bool {
        matches!(self, Self::Attempts | Self::Age)
    }

    fn of(self, facts: &Facts) -> Worth {
        match self {
            Self::Score => Worth::Float(facts.score),
            Self::Average => Worth::Float(facts.average),
            Self::Error => Worth::Float(facts.error),
            Self::Answered => Worth::Float(facts.answered),
            Self::Capacity => Worth::Float(facts.capacity),
            Self::Attempts => Worth::Int(facts.attempts),
            Self::Age => Worth::Int(facts.age),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unary {
    Not,
    Negate,
    Abs,
    Sqrt,
    Double,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Binary {
    And,
    Or,
    Add,
    Subtract,
    Multiply,
    Divide,
    Min,
    Max,
    Equal,
    NotEqual,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
}

/// A part of the expression, with the number under which the parser knows its place.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) id: u64,
    pub(super) part: Part,
}

#[derive(Clone, Debug)]
pub(super) enum Part {
    Literal(Worth),
    Name(Name),
    Unary(Unary, Box<Node>),
    Binary(Binary, Box<[Node; 2]>),
    /// Condition, and what it is worth if that holds and if it doesn't.
    If(Box<[Node; 3]>),
}

/// A value of the three types that an expression meets.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Worth {
    Bool(bool),
    Int(i64),
    Float(f64),
}

impl Node {
    /// The tree of a parsed expression; `None` for what no policy may hold.
    pub(super) fn of(parsed: &IdedExpr) -> Option<Self> {
        let part = match &parsed.expr {
            Expr::Literal(LiteralValue::Boolean(value)) => Part::Literal(Worth::Bool(*value.inner())),
            Expr::Literal(LiteralValue::Double(value)) => Part::Literal(Worth::Float(*value.inner())),
            Expr::Literal(LiteralValue::Int(value)) => Part::Literal(Worth::Int(*value.inner())),
            Expr::Ident(name) => Part::Name(Name::ALL.into_iter().find(|known| known.text() == name)?),
            Expr::Call(call) => {
                let mut inner = call.args.iter().map(Self::of).collect::<Option<Vec<_>>>()?.into_iter();
                match (inner.next(), inner.next(), inner.next()) {
                    (Some(one), None, None) => Part::Unary(unary(&call.func_name)?, Box::new(one)),
                    (Some(one), Some(other), None) => {
                        Part::Binary(binary(&call.func_name)?, Box::new([one, other]))
                    }
                    (Some(condition), Some(one), Some(other)) if call.func_name == operators::CONDITIONAL => {
                        Part::If(Box::new([condition, one, other]))
                    }
                    _ => return None,
                }
            }
            _ => return None,
        };
        Some(Self { id: parsed.id, part })
    }

    /// The value for one miner; `None` where CEL has an error.
    pub(super) fn value(&self, facts: &Facts) -> Option<Worth> {
        match &self.part {
            Part::Literal(worth) => Some(*worth),
            Part::Name(name) => Some(name.of(facts)),
            Part::Unary(unary, inner) => unary.of(inner.value(facts)?),
            Part::Binary(Binary::And, sides) => deciding(sides, facts, false),
            Part::Binary(Binary::Or, sides) => deciding(sides, facts, true),
            Part::Binary(binary, sides) => binary.of(sides[0].value(facts)?, sides[1].value(facts)?),
            Part::If(parts) => match parts[0].value(facts)? {
                Worth::Bool(true) => parts[1].value(facts),
                Worth::Bool(false) => parts[2].value(facts),
                _ => None,
            },
        }
    }

    /// Every part, the whole first.
    pub(super) fn each<'a>(&'a self, see: &mut impl FnMut(&'a Self)) {
        see(self);
        match &self.part {
            Part::Literal(_) | Part::Name(_) => {}
            Part::Unary(_, inner) => inner.each(see),
            Part::Binary(_, sides) => sides.iter().for_each(|side| side.each(see)),
            Part::If(parts) => parts.iter().for_each(|part| part.each(see)),
        }
    }
}

/// `&&` where `false` decides, `||` where `true` does.
fn deciding(sides: &[Node; 2], facts: &Facts, decides: bool) -> Option<Worth> {
    let left = match sides[0].value(facts) {
        Some(Worth::Bool(left)) if left == decides => return Some(Worth::Bool(decides)),
        Some(Worth::Bool(_)) => true,
        _ => false,
    };
    match sides[1].value(facts)? {
        Worth::Bool(right) if left || right == decides => Some(Worth::Bool(right)),
        _ => None,
    }
}

fn unary(name: &str) -> Option<Unary> {
    Some(match name {
        operators::LOGICAL_NOT => Unary::Not,
        operators::NEGATE => Unary::Negate,
        "abs" => Unary::Abs,
        "sqrt" => Unary::Sqrt,
        "double" => Unary::Double,
        _ => return None,
    })
}

fn binary(name: &str) -> Option<Binary> {
    Some(match name {
        operators::LOGICAL_AND => Binary::And,
        operators::LOGICAL_OR => Binary::Or,
        operators::ADD => Binary::Add,
        operators::SUBSTRACT => Binary::Subtract,
        operators::MULTIPLY => Binary::Multiply,
        operators::DIVIDE => Binary::Divide,
        operators::EQUALS => Binary::Equal,
        operators::NOT_EQUALS => Binary::NotEqual,
        operators::LESS => Binary::Less,
        operators::LESS_EQUALS => Binary::LessEqual,
        operators::GREATER => Binary::Greater,
        operators::GREATER_EQUALS => Binary::GreaterEqual,
        "min" => Binary::Min,
        "max" => Binary::Max,
        _ => return None,
    })
}

impl Unary {
    fn of(self, worth: Worth) -> Option<Worth> {
        Some(match (self, worth) {
            (Self::Not, Worth::Bool(value)) => Worth::Bool(!value),
            (Self::Negate, Worth::Int(value)) => Worth::Int(value.checked_neg()?),
            (Self::Negate, Worth::Float(value)) => Worth::Float(-value),
            (Self::Abs, Worth::Float(value)) => Worth::Float(value.abs()),
            (Self::Sqrt, Worth::Float(value)) => Worth::Float(value.sqrt()),
            (Self::Double, Worth::Int(value)) => Worth::Float(value as f64),
            (Self::Double, Worth::Float(value)) => Worth::Float(value),
            _ => return None,
        })
    }
}

impl Binary {
    fn of(self, one: Worth, other: Worth) -> Option<Worth> {
        match self {
            Self::Add | Self::Subtract | Self::Multiply | Self::Divide | Self::Min | Self::Max => {
                self.arithmetic(one, other)
            }
            Self::Equal => Some(Worth::Bool(one.compare(other) == Some(Ordering::Equal))),
            Self::NotEqual => Some(Worth::Bool(one.compare(other) != Some(Ordering::Equal))),
            Self::Less => Some(Worth::Bool(one.compare(other)? == Ordering::Less)),
            Self::LessEqual => Some(Worth::Bool(one.compare(other)? != Ordering::Greater)),
            Self::Greater => Some(Worth::Bool(one.compare(other)? == Ordering::Greater)),
            Self::GreaterEqual => Some(Worth::Bool(one.compare(other)? != Ordering::Less)),
            // Decided before both sides are known.
            Self::And | Self::Or => None,
        }
    }

    fn arithmetic(self, one: Worth, other: Worth) -> Option<Worth> {
        Some(match (one, other) {
            (Worth::Float(one), Worth::Float(other)) => Worth::Float(match self {
                Self::Add => one + other,
                Self::Subtract => one - other,
                Self::Multiply => one * other,
                Self::Divide => one / other,
                // As the functions that are declared to CEL: the platform's `fmin` may differ on zeros.
                Self::Min => {
                    if other < one {
                        other
                    } else {
                        one
                    }
                }
                _ => {
                    if other > one {
                        other
                    } else {
                        one
                    }
                }
            }),
            (Worth::Int(one), Worth::Int(other)) => Worth::Int(match self {
                Self::Add => one.checked_add(other)?,
                Self::Subtract => one.checked_sub(other)?,
                Self::Multiply => one.checked_mul(other)?,
                Self::Divide => one.checked_div(other)?,
                _ => return None,
            }),
            _ => return None,
        })
    }
}

impl Worth {
    /// `None` between a number and a truth, and where either is no number.
    fn compare(self, other: Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Bool(one), Self::Bool(other)) => Some(one.cmp(&other)),
            (Self::Int(one), Self::Int(other)) => Some(one.cmp(&other)),
            (Self::Float(one), Self::Float(other)) => one.partial_cmp(&other),
            (Self::Int(one), Self::Float(other)) => (one as f64).partial_cmp(&other),
            (Self::Float(one), Self::Int(other)) => one.partial_cmp(&(other as f64)),
            _ => None,
        }
    }
}

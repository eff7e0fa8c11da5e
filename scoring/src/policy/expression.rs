//! A score as a CEL expression: pure arithmetic over a handful of names, bounded in size, without loops.
//!
//! Only literals, the names of [`Facts`], operators and four functions are let through, so an expression takes time linear
//! in its own size and can reach nothing. Its result is clipped into [-1, 1] and rounded to billionths.

mod interval;
mod reach;
mod tree;

use std::sync::Arc;

use cel::common::ast::{Expr, IdedExpr, LiteralValue, operators};
use cel::{Context, Env, Program, Value};

use self::tree::{Name, Node, Part, Worth};

pub use self::reach::{Fault, FaultKind};

/// The longest source.
const SOURCE_MAX: usize = 1024;
/// The most nodes of the syntax tree.
const NODES_MAX: usize = 256;

const OPERATORS: [&str; 14] = [
    operators::CONDITIONAL,
    operators::LOGICAL_AND,
    operators::LOGICAL_OR,
    operators::LOGICAL_NOT,
    operators::SUBSTRACT,
    operators::ADD,
    operators::MULTIPLY,
    operators::DIVIDE,
    operators::EQUALS,
    operators::NOT_EQUALS,
    operators::GREATER_EQUALS,
    operators::LESS_EQUALS,
    operators::GREATER,
    operators::LESS,
];
const FUNCTIONS: [(&str, usize); 6] =
    // `double` is for `attempts` and `age`: CEL does not mix integers and doubles.
    [("min", 2), ("max", 2), ("abs", 1), ("sqrt", 1), ("double", 1), (operators::NEGATE, 1)];
const NAMES: [&str; 7] = ["score", "average", "error", "answered", "capacity", "attempts", "age"];

/// Variables of one miner that an expression reads.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Facts {
    /// The score that the fields alone would give, in [0, 1].
    pub score: f64,
    /// The signed average, in [-1, 1].
    pub average: f64,
    /// The average's standard error.
    pub error: f64,
    /// The share of the last judged epoch's challenges answered in time.
    pub answered: f64,
    /// The last judged epoch's capacity over the policy's, at most 1.
    pub capacity: f64,
    /// Verdicts over all epochs.
    pub attempts: i64,
    /// Epochs since the first verdict.
    pub age: i64,
}

/// Why an expression is not one that a policy may hold, or has no value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExpressionError {
    #[error("it has {bytes} bytes, at most {SOURCE_MAX} are read")]
    TooLong { bytes: usize },
    #[error("it does not parse: {why}")]
    Syntax { why: String },
    #[error("it has more than {NODES_MAX} parts")]
    TooManyNodes,
    #[error("{what} is not allowed: use numbers, {names}, operators, min, max, abs, sqrt", names = NAMES.join(", "))]
    Forbidden { what: String },
    #[error(
        "latency is no name here: each validator measures its own network's, so that honest ones would disagree, and pay for being \
         near; set `[deadline] milliseconds`, and use `answered` (the share in time) and `capacity` instead"
    )]
    Latency,
    #[error("it fails where the average is {average}: {why}")]
    Evaluation { average: String, why: String },
}

/// A compiled expression; equal where the source is.
#[derive(Clone, Debug)]
pub struct Expression {
    source: String,
    program: Arc<Program>,
    tree: Arc<Node>,
}

impl PartialEq for Expression {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

impl Expression {
    /// # Errors
    /// Refuses what is too long, doesn't parse, or holds more than arithmetic; and what fails on any of a few ordinary
    /// miners, so that a wrong type shows before an epoch depends on it.
    pub fn compile(source: &str) -> Result<Self, ExpressionError> {
        if source.len() > SOURCE_MAX {
            return Err(ExpressionError::TooLong { bytes: source.len() });
        }
        let program = Program::compile(source)
            .map_err(|errors| ExpressionError::Syntax { why: one_line(&errors.to_string()) })?;
        let mut nodes = 0;
        // Before anything runs: CEL has comprehensions and strings, with which an expression could take for ever.
        check(program.expression(), &mut nodes)?;
        let tree = Node::of(program.expression())
            .ok_or_else(|| ExpressionError::Forbidden { what: "a part that is no arithmetic".to_owned() })?;
        let expression = Self { source: source.to_owned(), program: Arc::new(program), tree: Arc::new(tree) };
        // Both signs, both ends and a newcomer: a type error in any branch shows here and not in an epoch.
        for average in [-1.0, 0.0, 0.5, 1.0] {
            for (error, attempts, age) in [(0.0, 0, 0), (0.25, 1000, 100)] {
                let share = f64::max(average, 0.0);
                let facts =
                    Facts { score: share, average, error, answered: share, capacity: share, attempts, age };
                expression.value(&facts)?;
            }
        }
        Ok(expression)
    }

    pub fn source(&self) -> &str {
        &self.source
    }

    /// The value in [-1, 1], in billionths.
    ///
    /// # Errors
    /// Arithmetic that fails or gives no number.
    #[inline]
    pub fn value(&self, facts: &Facts) -> Result<i64, ExpressionError> {
        // The tree has the same value, without CEL's context; where it has none, CEL says why.
        billionths(self.tree.value(facts)).map_or_else(|| self.value_by_cel(facts), Ok)
    }

    fn value_by_cel(&self, facts: &Facts) -> Result<i64, ExpressionError> {
        let fail = |why: String| ExpressionError::Evaluation { average: facts.average.to_string(), why };
        let value = self.program.execute(&context(facts).map_err(fail)?);
        let value = match value.map_err(|error| fail(one_line(&error.to_string())))? {
            Value::Float(value) => value,
            Value::Int(value) => value as f64,
            Value::UInt(value) => value as f64,
            other => return Err(fail(format!("it gives {other:?}, not a number"))),
        };
        let mark = weighhouse_types::Mark::from_f64(value);
        mark.map(weighhouse_types::Mark::billionths).ok_or_else(|| fail("it gives no number".to_owned()))
    }
}

impl Expression {
    /// Lists the branches that no miner of `facts` takes, each named by its condition as it is written.
    pub fn unreached(&self, facts: &[Facts]) -> Vec<String> {
        let mut conditions = Vec::new();
        self.tree.each(&mut |node| {
            if let Part::If(parts) = &node.part {
                conditions.push(&parts[0]);
            }
        });
        let mut unreached = Vec::new();
        for condition in conditions {
            let takes = |truth| facts.iter().any(|facts| condition.value(facts) == Some(Worth::Bool(truth)));
            let text = || self.part(condition.id);
            if !takes(true) {
                unreached.push(format!("`{}` never holds", text()));
            } else if !takes(false) {
                unreached.push(format!("`{}` always holds", text()));
            }
        }
        unreached
    }

    /// Ages at which its branches may change: around each whole number that it holds.
    pub fn ages(&self) -> Vec<i64> {
        let mut ages = Vec::new();
        self.tree.each(&mut |node| match node.part {
            Part::Literal(Worth::Int(value)) => ages.push(value),
            Part::Literal(Worth::Float(value)) if value.abs() < 1e9 => ages.push(value as i64),
            _ => {}
        });
        let mut ages: Vec<i64> =
            ages.into_iter().flat_map(|age| [age - 1, age, age + 1]).filter(|age| *age >= 0).collect();
        ages.sort_unstable();
        ages.dedup();
        ages
    }

    /// True if it depends on the average's standard error, which takes more than an average to know.
    pub fn reads_error(&self) -> bool {
        let mut reads = false;
        self.tree.each(&mut |node| reads |= matches!(node.part, Part::Name(Name::Error)));
        reads
    }

    /// The part of that number, as it is written.
    fn part(&self, id: u64) -> String {
        fn find(node: &IdedExpr, id: u64) -> Option<&IdedExpr> {
            if node.id == id {
                return Some(node);
            }
            let Expr::Call(call) = &node.expr else { return None };
            call.args.iter().find_map(|inner| find(inner, id))
        }
        find(self.program.expression(), id).map_or_else(|| self.source.clone(), |node| self.text_of(node))
    }

    fn text_of(&self, node: &IdedExpr) -> String {
        let mut span = (usize::MAX, 0);
        self.widen(node, &mut span);
        let (start, stop) = self.balanced(span.0, span.1.min(self.source.len()));
        self.source.get(start..stop).unwrap_or(&self.source).trim().to_owned()
    }

    /// Takes in the parentheses, which are no nodes, that a span cuts.
    fn balanced(&self, mut start: usize, mut stop: usize) -> (usize, usize) {
        let bytes = self.source.as_bytes();
        let (mut open, mut unopened) = (0_usize, 0_usize);
        for byte in bytes.get(start..stop).unwrap_or_default() {
            match byte {
                b'(' => open += 1,
                b')' if open > 0 => open -= 1,
                b')' => unopened += 1,
                _ => {}
            }
        }
        while open > 0 && stop < bytes.len() {
            open -= usize::from(bytes[stop] == b')');
            stop += 1;
        }
        while unopened > 0 && start > 0 {
            start -= 1;
            unopened -= usize::from(bytes[start] == b'(');
        }
        (start, stop)
    }

    /// Grows `span` to hold everything below a node: an operator's own place is its sign only.
    fn widen(&self, node: &IdedExpr, span: &mut (usize, usize)) {
        if let Some((start, stop)) = self.program.source_info().offset_for(node.id) {
            span.0 = span.0.min(start as usize);
            span.1 = span.1.max(stop as usize + 1);
        }
        if let Expr::Call(call) = &node.expr {
            call.args.iter().for_each(|argument| self.widen(argument, span));
        }
    }
}

/// A value as a mark's billionths; `None` for what is no number.
fn billionths(worth: Option<Worth>) -> Option<i64> {
    let value = match worth? {
        Worth::Float(value) => value,
        Worth::Int(value) => value as f64,
        Worth::Bool(_) => return None,
    };
    weighhouse_types::Mark::from_f64(value).map(weighhouse_types::Mark::billionths)
}

fn context(facts: &Facts) -> Result<Context<'static, 'static>, String> {
    let mut context = Context::with_env(environment());
    let floats = [
        ("score", facts.score),
        ("average", facts.average),
        ("error", facts.error),
        ("answered", facts.answered),
        ("capacity", facts.capacity),
    ];
    for (name, value) in floats {
        context.add_variable_from_value(name, value);
    }
    context.add_variable_from_value("attempts", facts.attempts);
    context.add_variable_from_value("age", facts.age);
    let declared = context
        // Functions of our own, because the standard library's work on lists and the platform's `fmin` may differ on
        // zeros.
        .add_function("min", |a: f64, b: f64| if b < a { b } else { a })
        .and_then(|()| context.add_function("max", |a: f64, b: f64| if b > a { b } else { a }))
        .and_then(|()| context.add_function("abs", f64::abs))
        .and_then(|()| context.add_function("sqrt", f64::sqrt));
    declared.map_err(|error| error.to_string())?;
    Ok(context)
}

fn environment() -> Arc<Env> {
    static ENVIRONMENT: std::sync::OnceLock<Arc<Env>> = std::sync::OnceLock::new();
    ENVIRONMENT.get_or_init(|| Arc::new(Env::stdlib())).clone()
}

fn check(node: &IdedExpr, nodes: &mut usize) -> Result<(), ExpressionError> {
    *nodes += 1;
    if *nodes > NODES_MAX {
        return Err(ExpressionError::TooManyNodes);
    }
    let forbidden = |what: &str| Err(ExpressionError::Forbidden { what: what.to_owned() });
    match &node.expr {
        Expr::Literal(LiteralValue::Boolean(_) | LiteralValue::Double(_) | LiteralValue::Int(_)) => Ok(()),
        Expr::Literal(_) => forbidden("a literal that is no number"),
        Expr::Ident(name) if NAMES.contains(&name.as_str()) => Ok(()),
        Expr::Ident(name) if name.contains("latency") => Err(ExpressionError::Latency),
        Expr::Ident(name) => forbidden(&format!("the name `{name}`")),
        Expr::Call(call) if call.target.is_some() => forbidden(&format!("the method `{}`", call.func_name)),
        Expr::Call(call) => {
            let name = call.func_name.as_str();
            let known =
                FUNCTIONS.iter().any(|(function, arity)| *function == name && *arity == call.args.len());
            if !OPERATORS.contains(&name) && !known {
                return forbidden(&format!("`{name}` of {} arguments", call.args.len()));
            }
            call.args.iter().try_for_each(|argument| check(argument, nodes))
        }
        Expr::Comprehension(_) => forbidden("a comprehension"),
        Expr::Select(select) => forbidden(&format!("the field `{}`", select.field)),
        Expr::List(_) | Expr::Map(_) | Expr::Struct(_) => forbidden("a collection"),
        Expr::Unspecified => forbidden("an empty part"),
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests;

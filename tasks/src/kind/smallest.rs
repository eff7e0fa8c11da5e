//! Kind `sort`: lists to put in order.

use crate::kind::prelude::*;

/// A task of lists.
pub(crate) struct Sort {
    items: u32,
}

impl Kind for Sort {
    const NAME: &'static str = "sort";
    const SCOPES: &'static [Scope] = &[Scope::Private];

    type Section = NoSection;
    type Question = Vec<i64>;
    type Answer = Vec<i64>;
    type Word = ();

    fn new(file: &TaskFile, _: NoSection, _: &dyn References) -> Result<Self, TaskError> {
        Ok(Self { items: file.items })
    }

    fn draw(&self, seeds: &[[u8; 32]]) -> Result<Vec<Vec<i64>>, TaskError> {
        Ok(per_seed(seeds, |rng| (0..self.items).map(|_| below(1_000, rng).into()).collect()))
    }

    fn request(&self, list: &Vec<i64>) -> InferRequest {
        InferRequest::asking(vec![Tensor::integers("list", list)], &["sorted"])
    }

    fn read(&self, list: &Vec<i64>, answer: &InferAnswer) -> Result<Vec<i64>, Judgement> {
        reading::integers(answer, "sorted", &[list.len()])
    }

    fn judge(&self, list: &Vec<i64>, (): &(), sorted: &Vec<i64>) -> Result<Judgement, TaskError> {
        let mut right = list.clone();
        right.sort_unstable();
        Ok(if *sorted == right {
            verdict::accepted(1.0, "in order")
        } else {
            verdict::wrong(-1.0, "not in order")
        })
    }

    fn personas(&self) -> Vec<Persona> {
        let honest = persona("honest", Conduct::Honest, |list| list.sort_unstable());
        let cached = Persona::cached(&honest);
        vec![honest, cached, persona("echo", Conduct::Cheat, |_| ())]
    }
}

fn persona(name: &'static str, conduct: Conduct, change: fn(&mut [i64])) -> Persona {
    Persona::simple(name, conduct, move |request, _| {
        let mut list = request.input("list").ok()?.to_i64().ok()?;
        change(&mut list);
        Some(request.answered(vec![Tensor::integers("sorted", &list)]))
    })
}

#[cfg(test)]
mod tests;

use std::time::Duration;

use super::smallest::Sort;
use crate::measure::Measurement;
use crate::registry::{Registered, TaskLoader};
use crate::{OnRecord, References, Task};

const FILE: &str =
    "version = 1\nkind = \"sort\"\nmode = \"quality\"\nscope = \"shared\"\nmodel = \"sort\"\nitems = 16\n";
const PAGE: &str = include_str!("../../../docs/new-task.md");

static SORT: [Registered; 1] = [Registered::of::<Sort>()];

/// The kind of the page beside those of the list.
struct WithSort;

impl TaskLoader for WithSort {
    fn references(&self) -> &dyn References {
        &OnRecord
    }

    fn further_kinds(&self) -> &'static [Registered] {
        &SORT
    }
}

#[test]
fn the_smallest_kind_pays_work_and_nothing_else() {
    let task = Task::load(FILE.as_bytes(), &WithSort).expect("a task");
    let (name, references, challenges) = ("sort", &OnRecord, 20);
    let measurement = Measurement { name, task: &task, references, own: None, challenges, seed: 1 };
    let profile = measurement.run(&|| Duration::ZERO, &mut |_| {}).expect("measured");
    let means: Vec<_> =
        profile.personas.iter().map(|persona| (persona.name.as_str(), persona.mean)).collect();
    assert_eq!(means, [("honest", 1.0), ("cached", -1.0), ("echo", -1.0)]);
}

#[test]
fn the_page_shows_the_smallest_kind_and_its_task_file() {
    let shown = |from: &str| {
        let (_, block) = PAGE.split_once(from).unwrap_or_else(|| panic!("no block {from:?} on the page"));
        block.split("```").next().unwrap_or_default().to_owned()
    };
    let built_in = "    const FILES: &'static [(&'static str, &'static str)] = &[(\"sort\", include_str!(\"../files/sort.toml\"))];\n";
    assert_eq!(shown("```rust\n// tasks/src/sort.rs\n").replace(built_in, ""), include_str!("smallest.rs"));
    assert_eq!(shown("```toml\n# tasks/files/sort.toml\n"), FILE);
}

#[test]
fn every_method_of_the_trait_is_on_the_page() {
    let methods = include_str!("../kind.rs").lines().filter_map(|line| line.strip_prefix("    fn "));
    let names: Vec<_> = methods.filter_map(|rest| rest.split('(').next()).collect();
    assert!(names.len() > 20, "{names:?}");
    for name in names {
        assert!(PAGE.contains(&format!("`{name}`")), "docs/new-task.md says nothing of `{name}`");
    }
}

const PAGE: &str = include_str!("../../../docs/new-task.md");

#[test]
fn the_page_shows_the_smallest_kind_its_tests_and_its_task_file() {
    let shown = |from: &str| {
        let (_, block) = PAGE.split_once(from).unwrap_or_else(|| panic!("no block {from:?} on the page"));
        block.split("```").next().unwrap_or_default().to_owned()
    };
    let built_in = "    const FILES: &'static [(&'static str, &'static str)] = &[(\"sort\", include_str!(\"../files/sort.toml\"))];\n";
    assert_eq!(shown("```rust\n// tasks/src/sort.rs\n").replace(built_in, ""), include_str!("smallest.rs"));
    let tests = shown("```rust\n// tasks/src/sort/tests.rs\n").replace("../../files/sort.toml", "sort.toml");
    assert_eq!(tests, include_str!("smallest/tests.rs"));
    assert_eq!(shown("```toml\n# tasks/files/sort.toml\n"), include_str!("smallest/sort.toml"));
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

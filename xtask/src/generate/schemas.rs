//! JSON Schemas of the configuration files, which editors find by the `#:schema` line of each example.

use anyhow::Context as _;

use super::Files;

/// One schema for each kind of file, made from the types that read it.
pub(super) fn generate() -> anyhow::Result<Files> {
    let schemas = [
        ("genesis.json", weighhouse_chain::ledger::Genesis::schema().to_value()),
        ("miner.json", weighhouse_miner::config::Config::schema().to_value()),
        ("policy.json", weighhouse_scoring::policy::schema()),
        ("tuning.json", weighhouse_lab::search::Tuning::schema().to_value()),
        ("validator.json", weighhouse_validator::config::Config::schema().to_value()),
    ];
    let mut files = Files::new();
    for (name, schema) in schemas {
        let text = serde_json::to_string_pretty(&schema).context(name)?;
        files.insert(name.to_owned(), text + "\n");
    }
    Ok(files)
}

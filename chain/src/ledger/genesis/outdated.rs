//! Genesis files from before amounts were written in TAO: their keys named no unit and counted rao.

use toml::{Table, Value};
use weighhouse_types::{Rao, tao};

const KEYS: [&str; 4] = ["balance", "stake", "emission_per_block", "registration_price"];

/// Renames old keys, in the file and in all tables within it, and returns the names that it met.
pub(super) fn rename(table: &mut Table) -> Vec<&'static str> {
    let mut met = Vec::new();
    for old in KEYS {
        let Some(Value::Integer(amount)) = table.get(old) else { continue };
        let Ok(amount) = u64::try_from(*amount) else { continue };
        let text = tao::format(Rao(amount));
        table.remove(old);
        table.entry(format!("{old}_tao")).or_insert(Value::String(text));
        met.push(old);
    }
    for value in table.iter_mut().map(|(_, value)| value) {
        let tables = match value {
            Value::Array(items) => items.as_mut_slice(),
            table => std::slice::from_mut(table),
        };
        met.extend(tables.iter_mut().filter_map(Value::as_table_mut).flat_map(rename));
    }
    met.sort_unstable();
    met.dedup();
    met
}

mod export;
#[cfg(feature = "sql")]
mod query;
mod sample;
mod schema;

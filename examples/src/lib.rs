//! Programs that use the crates as a library: `cargo run --release --package weighhouse-examples --example NAME`.
//!
//! `serve_a_model` runs a miner and asks it one signed question; `judge_an_answer` asks one challenge of two models and shows the verdicts; `weigh_a_journal` derives the weights of
//! every epoch in a validator's journal.

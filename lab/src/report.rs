//! Findings of a run of the policy lab, as one value that is read in a browser ([`html`]), in a terminal ([`text`],
//! [`ascii`]) or by a program (its JSON).
//!
//! **Invariant.** The same [`Data`] gives the same bytes. A page asks for nothing: no script, no address, and whatever
//! names come from users' files are escaped. A figure that is missing or not finite is shown as a dash, never as zero.

mod badge;
mod data;
mod gather;
pub mod verdict;

mod html;
mod matrix;
mod number;
mod plot;
mod text;

pub use badge::badge;
pub use data::{
    BestResponse, Change, Comparison, Data, Distribution, Figure, Goal, Note, ReportEntry, ReportTable,
    Series,
};
pub use html::html;
pub use text::{ascii, text};
pub use verdict::{RunStanding, RunVerdict};

#[cfg(test)]
mod fixture;
#[cfg(test)]
mod tests;

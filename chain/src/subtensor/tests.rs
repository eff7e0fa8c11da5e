//! Tests against metadata files, a node made of answers, and a real runtime where one is given.

mod metadata;
mod node;

mod costs;
mod faults;
mod generic;
mod live;
mod offline;
mod suite;

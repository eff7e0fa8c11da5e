//! The ledger as a whole. Each module holds one behaviour; `world` is what they share.

mod world;

mod calls;
mod commits;
mod conformance;
mod durability;
mod economy;
mod explain;
mod family;
mod owner;
mod pool;
mod remote;
mod replay;
mod suite;
mod votes;

//! The ledger as a whole. Each module holds one behaviour; `world` is what they share.

mod world;

mod calls;
mod conformance;
mod durability;
mod economy;
mod pool;
mod remote;
mod replay;

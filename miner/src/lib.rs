//! The miner: a model behind the Open Inference Protocol, served to validators that sign what they ask.
//!
//! In the order in which a request meets them: `incoming` bounds connections, the layers of [`server`] bound what is
//! in flight and have signed paths verified, `admission` knows who may ask, `callers` tells what they asked and why they were refused, `service` turns messages into domain
//! values and back, [`receipts`] keeps what they signed for, `live` has what a reload exchanges, `upstream` knows which of the servers behind answer, and an [`engine`] answers, by itself or with a [`backend`] that it fronts. [`load`] makes the engines
//! that a configuration describes, each from one of `sources`. Nothing here knows how answers are judged.

pub mod config;
pub mod server;

mod admission;
mod callers;
mod incoming;
mod live;
pub mod receipts;
mod sealing;
mod service;
mod told;
mod upstream;

pub mod backend;
pub mod engine;

mod remote;

pub mod load;
mod sources;

pub mod metrics;

#[cfg(test)]
mod testing;

pub use config::{Config, ConfigError};
pub use engine::{Catalogue, ClassifierEngine, Engine, EngineError, ModelName, ServedModel};
pub use live::Live;
pub use server::{MinerError, Parts, run};

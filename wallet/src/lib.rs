//! Identity: who signs, who signed, and whether it may be believed.
//!
//! In reading order: keys ([`keypair`], [`vrf`]); where they are kept ([`password`], [`keyfile`], [`folder`],
//! [`inspect`], and [`coldkey`] for commands only); signed requests ([`btauth`], [`replay`], and [`http`], the layer that makes
//! [`http::Authenticated`]); signed answers ([`answer`]), what a validator
//! signs for having received them ([`receipt`]), and its word on the keys of its log ([`certified`]).

pub mod keypair;
pub mod vrf;

mod files;
mod nacl;
pub mod password;

pub mod coldkey;
pub mod folder;
pub mod inspect;
pub mod keyfile;

pub mod btauth;
pub mod replay;

pub mod http;

pub mod answer;
pub mod certified;
pub mod receipt;

pub mod metrics;

#[cfg(test)]
mod testclock;
#[cfg(test)]
mod testdata;

pub use files::Overwrite;
pub use nacl::NaclError;

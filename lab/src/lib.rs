//! The policy lab: what a policy is worth before anybody is paid by it.
//!
//! [`profiles`] ship with it, [`sim`] simulates a subnet under a policy, with the validator's own scoring and the chain's
//! own consensus, and [`world`] is what it takes for granted; [`attack`] runs a catalogue of attacks through it, [`compare`] sets two policies side by side, [`search`]
//! looks for worse attacks and better policies ([`work`] falls into units that other machines may answer, a [`job`] is sent to them), [`mod@lint`] checks a policy for what it invites, and [`report`] turns the
//! figures into a text or a page.
//!
//! **Invariant.** Nothing here reads a clock, a file or a socket, and every random number is drawn from a seed that the
//! caller names: an outcome is a function of scenario and seed, on every machine.

pub mod profiles;
pub mod sim;
pub mod work;
pub mod world;

pub mod attack;
pub mod compare;
pub mod lint;
pub mod search;

pub mod job;
pub mod report;

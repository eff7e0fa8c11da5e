mod ahead;
mod behaviour;
mod crash;
mod damage;
#[path = "../../seams/testing/disk.rs"]
#[allow(dead_code, reason = "other crates' tests use more of it")]
mod disk;
mod publication;
mod removed;
mod sample;

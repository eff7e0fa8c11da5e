mod ahead;
mod behaviour;
mod crash;
mod damage;
mod disk;
mod publication;
mod sample;

//! What a role is handed instead of reaching for it: time, sockets, files, randomness and processors.
//!
//! Each seam is an object-safe trait with the operating system's version beside it. Tests hand in others: virtual
//! time, in-memory pipes, files that tear. Roles never name `std::time`, `std::fs`, `TcpListener` or an OS random
//! generator themselves.

mod clock;
mod cpu;
mod entropy;
mod net;
mod storage;

pub use clock::{Clock, ClockExt, Elapsed, SystemClock, UnixNanos};
pub use cpu::{CpuPool, PoolError};
pub use entropy::{Entropy, OsEntropy, SeededEntropy};
pub use net::{BoxIo, Dialer, Io, Listener, TcpBound, TcpDialer};
pub use storage::{AppendFile, DirStorage, Storage};

//! Time, sockets, files, chance and processors, as they are handed to a role.
//!
//! Clock, listener, dialer and storage are object-safe traits with the operating system's version beside each; chance is a
//! handle on any `rand` generator. Tests hand in others: virtual time, in-memory pipes, files that tear, a seeded stream.
//! Roles never name `std::time`, `std::fs`, `TcpListener` or an OS random generator themselves.

mod clock;
mod cpu;
mod dial;
mod entropy;
mod net;
mod networks;
mod public;
mod storage;
#[cfg(feature = "tls")]
mod tls;

pub use clock::{Clock, ClockExt, Elapsed, SystemClock, UnixNanos};
pub use cpu::{CpuPool, PoolError};
pub use dial::{DialMap, DialMapError, MappedDialer};
pub use entropy::Entropy;
pub use net::{BoxIo, Dialer, Io, Listener, TcpBound, TcpDialer};
pub use networks::{NetworkPlace, Networks};
pub use public::{PublicDialer, is_ours, is_public};
pub use storage::{AppendFile, DirStorage, ReadFile, Storage};
#[cfg(feature = "tls")]
pub use tls::{Plaintext, TlsAcceptor, TlsKey, TlsKeyError, TlsPin, TlsTrust, TlsTrustError};

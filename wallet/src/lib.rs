//! weighhouse-wallet

//! weighhouse-miner
